"""Killed, interrupted, taken up again: no row lost, none doubled, nothing answered asked twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from trivet import sim

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "triage"
TASK = EXAMPLES / "triage.toml"
ROWS = 400


@pytest.fixture(scope="module")
def slow() -> Iterator[sim.Simulator]:
    """A simulated provider that takes its time."""
    with sim.start(sim.Scenario(time_scale=0.3)) as server:
        yield server


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Rows that differ."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"ticket": f"please refund payment number {n}"}) + "\n" for n in range(ROWS)))
    return path


def start(folder: Path, url: str, *more: str) -> subprocess.Popen[bytes]:
    """The run as a process of its own."""
    command = [sys.executable, "-m", "trivet", "run", str(TASK), "rows.jsonl", "--base-url", url]
    return subprocess.Popen(
        [*command, "--cache", "off", "--concurrency", "8", "--json", "-o", "out.jsonl", *more],
        cwd=folder,
        env=os.environ | {"OPENAI_API_KEY": "any"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for_records(folder: Path, least: int) -> None:
    """Until so many records are on disk."""
    for _ in range(2000):
        ledgers = list(folder.glob("runs/*/ledger.jsonl"))
        if ledgers and ledgers[0].read_bytes().count(b"\n") >= least:
            return
        time.sleep(0.01)
    raise AssertionError("no records came")


def check_whole(folder: Path, requests: int, killed: int) -> None:
    """Every row once, in order, in the results; calls repeated at most for what was in flight."""
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == list(range(ROWS))
    assert all("output" in line for line in lines)
    ledger = next(folder.glob("runs/*/ledger.jsonl")).read_text().splitlines()
    assert max(Counter(json.loads(line)["n"] for line in ledger).values()) == 1
    assert ROWS <= requests <= ROWS + killed * 8


def test_a_killed_run_is_taken_up_where_it_stopped(data: Path, slow: sim.Simulator) -> None:
    """kill -9 three times, then to the end: every row has one result, and only rows in flight were asked again."""
    folder, before = data.parent, requests_of(slow)
    for least in (20, 90, 200):
        process = start(folder, slow.url)
        wait_for_records(folder, least)
        process.kill()
        process.communicate()
    last = start(folder, slow.url)
    out, err = last.communicate(timeout=60)
    assert last.returncode == 0, err
    assert json.loads(out)["rows"] == ROWS
    assert b"taking up" not in out
    assert len(list(folder.glob("runs/*"))) == 1
    check_whole(folder, requests_of(slow) - before, killed=3)


def test_ctrl_c_writes_what_is_there_and_says_how_to_go_on(data: Path, slow: sim.Simulator) -> None:
    """The first Ctrl-C lets calls in flight finish, writes results and exits 130; the same command goes on."""
    folder, before = data.parent, requests_of(slow)
    process = start(folder, slow.url)
    wait_for_records(folder, 30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert b"same command again" in err
    summary = json.loads(out)
    assert summary["interrupted"] is True
    partial = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert len(partial) == summary["rows"] < ROWS
    assert requests_of(slow) - before == len(partial)
    last = start(folder, slow.url)
    _, err = last.communicate(timeout=60)
    assert last.returncode == 0, err
    check_whole(folder, requests_of(slow) - before, killed=0)


def test_two_processes_do_not_run_the_same_run(data: Path, slow: sim.Simulator) -> None:
    """The second is refused with the first's process number, and the first is not disturbed."""
    first = start(data.parent, slow.url)
    wait_for_records(data.parent, 10)
    second = start(data.parent, slow.url)
    out, _ = second.communicate(timeout=30)
    assert second.returncode == 2
    assert str(first.pid) in json.loads(out)["error"]["message"]
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_changed_data_is_not_mixed_into_an_interrupted_run(data: Path, slow: sim.Simulator) -> None:
    """When the rows have changed since, the run says so and asks for --fresh."""
    process = start(data.parent, slow.url)
    wait_for_records(data.parent, 10)
    process.kill()
    process.communicate()
    data.write_text(data.read_text().replace("refund", "return"))
    again = start(data.parent, slow.url)
    out, _ = again.communicate(timeout=30)
    assert again.returncode == 2
    assert "--fresh" in json.loads(out)["error"]["message"]
    fresh = start(data.parent, slow.url, "--fresh")
    fresh.communicate(timeout=60)
    assert fresh.returncode == 0


def test_failed_rows_can_be_asked_again_alone(trivet, scripted, answer, tmp_path: Path) -> None:
    """--retry-failed asks the failed rows of the last run and no other, and the results are whole afterwards."""
    (tmp_path / "rows.jsonl").write_text('{"ticket": "a"}\n{"ticket": "b"}\n{"ticket": "c"}\n')
    broken = scripted(200, lambda body: answer("nonsense" if b"Ticket:\\nb" in body else "billing"))
    arguments = ("run", TASK, "rows.jsonl", "--base-url", broken.url, "--json", "--cache", "off", "-o", "out.jsonl")
    assert trivet(*arguments).document["failed"] == 1
    broken.requests.clear()
    again = trivet(*arguments, "--retry-failed")
    assert again.code == 1, again.err
    assert len(broken.requests) == 1
    assert (again.document["rows"], again.document["failed"], again.document["calls"]["attempts"]) == (3, 1, 4)


def requests_of(server: sim.Simulator) -> int:
    """How many requests the provider's own books show."""
    return int(server.books()["requests"])  # type: ignore[call-overload]


def test_a_server_that_goes_away_stops_the_run_and_fails_no_row(data: Path) -> None:
    """Rows that could not be sent are not failed one by one: exit 4, and another start asks them."""
    with sim.start(sim.Scenario(time_scale=0.3)) as server:
        process = start(data.parent, server.url, "--retries", "3")
        wait_for_records(data.parent, 30)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    summary = json.loads(out)
    assert summary["error"]["code"] == "transport_connect"
    assert 30 <= summary["ok"] < ROWS
    assert summary["failures"].get("transport_connect", 0) == 0
