"""What is pinned is what trivet needs, all of it, and what trivet imports is what it says it needs."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Imported by the conformance suites, for whoever runs them; and by the command line, a part of typer.
IMPORTED_AS = {"opentelemetry_api": "opentelemetry"}
UNDECLARED = {"testing/": {"pytest", "hypothesis"}, "cli/": {"click"}}


def pins(path: Path) -> dict[str, Requirement]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith(("#", "-r"))]
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    with (root / "pyproject.toml").open("rb") as file:
        content: dict[str, Any] = tomllib.load(file)
    return content


@pytest.fixture(scope="module")
def pinned(root: Path) -> dict[str, dict[str, Requirement]]:
    return {name: pins(root / "requirements" / f"{name}.txt") for name in ("run", "build", "dev")}


def closure(wanted: Iterable[Requirement]) -> set[str]:
    """Names of all that these requirements bring with them on this Python and platform."""
    found: set[tuple[str, str]] = set()
    todo = [(r, extra) for r in wanted for extra in ("", *r.extras)]
    while todo:
        requirement, extra = todo.pop()
        key = (canonicalize_name(requirement.name), extra)
        if key in found:
            continue
        found.add(key)
        for line in importlib.metadata.requires(requirement.name) or ():
            inner = Requirement(line)
            if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                todo.extend((inner, e) for e in ("", *inner.extras))
    return {name for name, _ in found}


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


@pytest.mark.parametrize("name", ["run", "build", "dev"])
def test_every_line_pins_one_version(pinned: Any, name: str) -> None:
    for requirement in pinned[name].values():
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(requirement.specifier)), requirement
        assert requirement.url is None, requirement


def test_nothing_is_pinned_twice(pinned: Any) -> None:
    assert not pinned["run"].keys() & pinned["dev"].keys()
    assert not pinned["build"].keys() & pinned["dev"].keys()


def test_the_pins_to_run_are_all_that_running_takes_and_no_more(pinned: Any, project: Any) -> None:
    declared = [Requirement(line) for line in project["project"]["dependencies"]]
    for requirement in declared:
        assert (pin := pinned["run"].get(canonicalize_name(requirement.name))), requirement
        assert requirement.specifier.contains(str(pin.specifier).removeprefix("==")), requirement
    needed = closure(filter(applies, declared))
    assert {name for name, pin in pinned["run"].items() if applies(pin)} - {"typing-extensions"} == needed - {
        "typing-extensions"  # needed by some Pythons only
    }


def test_the_pins_to_develop_are_closed(pinned: Any) -> None:
    everything = {**pinned["run"], **pinned["build"], **pinned["dev"]}
    installed = {canonicalize_name(d.name) for d in importlib.metadata.distributions()}
    present = [pin for name, pin in everything.items() if applies(pin) and name in installed]
    assert closure(present) <= everything.keys()


def test_every_import_is_declared(package: Any, project: Any) -> None:
    """What only development brings would be missing where trivet is installed to be used."""
    extras = project["project"]["optional-dependencies"].values()
    lines = [*project["project"]["dependencies"], *(line for extra in extras for line in extra)]
    declared = {canonicalize_name(Requirement(line).name).replace("-", "_") for line in lines}
    known = (
        declared
        | {IMPORTED_AS[name] for name in declared & IMPORTED_AS.keys()}
        | sys.stdlib_module_names
        | {"trivet", "__future__"}
    )
    undeclared = []
    for source in package:
        place = source.path.removeprefix("src/trivet/")
        allowed = {name for room, names in UNDECLARED.items() if place.startswith(room) for name in names}
        undeclared += [
            source.at(line, name) for name, line in source.imports() if name.split(".")[0] not in known | allowed
        ]
    assert not undeclared, "\n".join(["", *undeclared])
