"""Whole programs under the SDK: forks, what the environment sets up, what is said and written at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("openai")

from scripted_provider import Provider, provider


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as running:
        yield running


FORK = """
import os, sys
from trivet.openai import AsyncOpenAI, OpenAI, last
import asyncio
client = OpenAI(api_key="k", cache="memory://")
other = AsyncOpenAI(api_key="k", cache="memory://")
asked = lambda n: client.responses.create(model="m", input=f"n{n}")
asked(0)
child = os.fork()
for n in range(1, 4):
    reply = asked(n + 10 * (child == 0))
    assert last(reply).source == "provider", reply
assert last(asked(0)).source == "cache"
assert asyncio.run(other.responses.create(model="m", input="z")).output_text == "echo:z"
if child == 0:
    client.close()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
asked(9)
client.close()
print("both")
"""


def run(script: str, server: Provider, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A program of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "TRIVET_"))}
    told = {**kept, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k", **variables}
    return subprocess.run(
        [sys.executable, "-c", script], env=told, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_both_sides_of_a_fork_go_on(server: Provider, tmp_path: Path) -> None:
    """Neither takes the other's connections, threads or locks."""
    done = run(FORK, server, tmp_path)
    assert (done.returncode, done.stdout) == (0, "both\n"), done.stderr


PROGRAM = """
from trivet.openai import OpenAI
client = OpenAI()
for _ in range(2):
    client.responses.create(model="gpt-5.4-mini", input="x", max_output_tokens=16)
OpenAI(tags={"a": "b"}).responses.create(model="gpt-5.4-mini", input="x", max_output_tokens=16)
"""


def test_a_program_says_at_its_end_what_it_cost(server: Provider, tmp_path: Path) -> None:
    """On standard error, with a line for each tag; clients that name no cache share the program's."""
    done = run(PROGRAM, server, tmp_path, TRIVET_SUMMARY="1")
    assert done.returncode == 0, done.stderr
    first, second = done.stderr.strip().splitlines()
    assert first.startswith("trivet: 3 calls, 1 answered by the provider, 2 from here")
    assert second.startswith("  a=b: 1 calls")
    assert len(server.seen) == 1
    assert run(PROGRAM, server, tmp_path).stderr == ""


def test_observing_changes_nothing(server: Provider, tmp_path: Path) -> None:
    """No hit, no shared flight, the SDK's own retries; all of it counted."""
    script = PROGRAM + "\nclient.responses.create(model='twice-503', input='x')\nprint(client.statistics().calls.calls)"
    done = run(script, server, tmp_path, TRIVET_SUMMARY="1", TRIVET_MODE="observe", TRIVET_BUDGET="0.000001")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "5\n"
    assert "6 calls, 4 answered by the provider, 0 from here; 2 failed" in done.stderr
    assert len(server.seen) == 6


def test_records_are_a_run_folder(server: Provider, tmp_path: Path) -> None:
    """With a record for each call, and neither prompt nor answer in it."""
    done = run(PROGRAM.replace('"x"', '"the-secret-question"'), server, tmp_path, TRIVET_RECORDS="records")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "records").iterdir()
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    assert [json.loads(line)["source"] for line in lines] == ["provider", "cache", "cache"]
    assert json.loads(lines[2])["kept"] == {"a": "b"}
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["rows"], summary["calls"]["sent"], summary["calls"]["cache_hits"]) == (3, 1, 2)
    assert not any("secret" in path.read_text() for path in folder.iterdir())


def test_the_environment_sets_a_program_up(server: Provider, tmp_path: Path) -> None:
    """Cache and budget are the program's: all its clients together."""
    script = """
from trivet.openai import OpenAI, BudgetError
n = 0
try:
    for n in range(40):
        OpenAI().responses.create(model="gpt-5.4-mini", input=f"n{n}", max_output_tokens=16)
except BudgetError:
    print("stopped")
"""
    cache = f"sqlite:///{tmp_path}/c.db"
    done = run(script, server, tmp_path, TRIVET_CACHE=cache, TRIVET_BUDGET="0.0006", TRIVET_RPM="100000")
    assert done.stdout == "stopped\n", done.stderr
    sent = len(server.seen)
    assert 0 < sent < 40
    again = run(script, server, tmp_path, TRIVET_CACHE=cache, TRIVET_BUDGET="0.0006", TRIVET_RPM="100000")
    assert again.stdout == "stopped\n", again.stderr
    assert len({body for _, _, _, body in server.seen}) == len(server.seen) > sent


@pytest.mark.parametrize(
    "variables", [{"TRIVET_MODE": "on-off"}, {"TRIVET_RPM": "many"}, {"TRIVET_BUDGET": "much"}, {"TRIVET_CACHE": "x"}]
)
def test_what_the_environment_cannot_mean_is_said_at_once(
    server: Provider, tmp_path: Path, variables: dict[str, str]
) -> None:
    """When the client is made, not at the first call."""
    done = run("from trivet.openai import OpenAI\nOpenAI()", server, tmp_path, **variables)
    assert done.returncode == 1
    assert "SettingsError" in done.stderr


def test_importing_trivet_loads_no_sdk() -> None:
    """Only `trivet.openai` does."""
    script = "import sys, trivet, trivet.client.client; print([n for n in ('openai', 'httpx2') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[]\n"
