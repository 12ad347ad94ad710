# GNU Make 3.81 or newer. Everything is installed into .venv by tools/bootstrap.sh, and nowhere else.

BIN := .venv/bin
WORKERS := 2
TRIAGE := examples/triage/triage.toml examples/triage/tickets.jsonl

# What the caller's shell says about other environments must not reach ours.
unexport PYTHONPATH PYTHONHOME PYTHONWARNINGS VIRTUAL_ENV
# The pinned pyright is the one that runs, without asking whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo check style types layers shape test soak bench peers clean run-setup dev-setup

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: run-setup ## set up, label tickets with the simulated provider, compare two prompts; no key needed
	$(BIN)/trivet run $(TRIAGE) --sim --cache sqlite:///.trivet/cache.db --runs .trivet/runs
	$(BIN)/trivet compare $(TRIAGE) --variants verbose,concise --truth category --sim --time-alone --runs .trivet/runs

check: style types layers shape ## style, types, the layers of the architecture, the shape of the files

style: dev-setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: dev-setup
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: dev-setup
	$(BIN)/lint-imports

shape: dev-setup
	$(BIN)/pytest -q tests/house

test: dev-setup ## build the wheel and run the tests; with CI=true against the installed wheel
	@sh tools/services.sh
	rm -rf build/wheel
	$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel
ifeq ($(CI),true)
	rm -f .venv/.ready-*
	$(BIN)/python -m pip install --quiet --no-deps --force-reinstall build/wheel/*.whl
endif
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

soak: dev-setup ## the tests that take minutes
	@sh tools/services.sh
	$(BIN)/pytest -m soak

bench: dev-setup ## the benchmarks, each against its control, as one table; about 15 minutes
	$(BIN)/python benchmarks/all.py

peers: dev-setup ## other libraries for the benchmarks to compare with, in .venv-peers
	$(BIN)/python -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r requirements/bench.txt

clean: ## remove what can be made again; runs and caches of answers stay
	rm -rf .venv .venv-peers build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests tools examples -name __pycache__ -type d -prune -exec rm -rf {} +

run-setup:
	@sh tools/bootstrap.sh run

dev-setup:
	@sh tools/bootstrap.sh dev
