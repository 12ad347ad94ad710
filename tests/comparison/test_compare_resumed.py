"""A comparison that was stopped is taken up by the same command, and what was paid is not paid again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from trivet import sim
from trivet.jobs.ledger import read_records

TASK = Path(__file__).parent.parent.parent / "examples" / "triage" / "triage.toml"


def write_rows(path: Path, count: int) -> Path:
    """Tickets that are all different."""
    rows = [{"ticket": f"Invoice {n}: I was charged twice.", "category": "billing"} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def records_of(root: Path) -> list[int]:
    """Records of each ledger of the one comparison there."""
    return [len(list(read_records(path.parent))) for path in sorted(root.glob("*/*/ledger.jsonl"))]


def test_a_spent_budget_stops_and_more_money_goes_on(trivet: Any, simulator: sim.Simulator, tmp_path: Path) -> None:
    """Exit 3 with the folder; with a larger budget the same command asks only the rest, and tells the whole cost."""
    rows = write_rows(tmp_path / "rows.jsonl", 60)
    command = ("compare", TASK, rows, "--variants", "verbose,concise", "--truth", "category", "--control", "5",
               "--base-url", simulator.url, "--no-calibrate", "--every-row", "--concurrency", "4",
               "--json")  # fmt: skip
    before = simulator.books()["requests"]
    stopped = trivet(*command, "--budget", "0.006")
    assert stopped.code == 3, stopped.err
    paid = simulator.books()["requests"] - before
    assert 0 < paid < 125
    ended = trivet(*command, "--budget", "1")
    assert ended.code == 0, ended.err
    assert simulator.books()["requests"] - before == 125
    found = ended.document
    assert (found["rows"], found["control_rows"]) == (60, 5)
    per_row = sum(v["cost_per_1000"] * 60 / 1000 for v in found["variants"].values())
    assert found["spent_usd"] > per_row
    assert found["spent_usd"] - per_row - found["control_usd"] < 1e-9
    assert len(list((tmp_path / "runs").iterdir())) == 1
    again = trivet(*command)
    assert again.code == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2


class Gate:
    """A server that answers so many requests, and holds all others until it is opened."""

    def __init__(self, scripted: Any, before: int) -> None:
        self.open = threading.Event()
        self._left = before
        self._lock = threading.Lock()
        self.server = scripted(200, self._body)

    def _body(self, _: bytes) -> bytes:
        with self._lock:
            self._left -= 1
            free = self._left >= 0
        if not free:
            self.open.wait()
        part = {"type": "output_text", "text": "billing", "annotations": []}
        message = {"type": "message", "role": "assistant", "content": [part]}
        return json.dumps(
            {"id": "r", "object": "response", "status": "completed", "model": "gpt-5.4-mini", "output": [message],
             "usage": {"input_tokens": 20, "output_tokens": 2}}
        ).encode()  # fmt: skip


def start(folder: Path, rows: Path, url: str) -> subprocess.Popen[bytes]:
    """A comparison as a process of its own."""
    command = [sys.executable, "-m", "trivet", "compare", str(TASK), str(rows), "--variants", "verbose,concise",
               "--control", "0", "--base-url", url, "--no-calibrate", "--concurrency", "2", "--every-row",
               "--json"]  # fmt: skip
    variables = {**os.environ, "OPENAI_API_KEY": "any"}
    return subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


async def records_come(root: Path, count: int) -> None:
    """Until so many records are on disk; the tests' own limit of time is the end of it."""
    while sum(records_of(root)) < count:
        await asyncio.sleep(0.02)


async def test_a_killed_comparison_is_taken_up(scripted: Any, tmp_path: Path) -> None:
    """Killed in the middle, by a signal that nobody can catch, it goes on where it was: no row is asked twice."""
    rows = write_rows(tmp_path / "rows.jsonl", 60)
    gate = Gate(scripted, 25)
    killed = start(tmp_path, rows, gate.server.url)
    try:
        async with asyncio.timeout(120):
            await records_come(tmp_path / "runs", 25)
    finally:
        killed.kill()
        killed.communicate()
        gate.open.set()
    before = len(gate.server.requests)
    assert before <= 27
    out, err = start(tmp_path, rows, gate.server.url).communicate(timeout=120)
    assert json.loads(out)["rows"] == 60, err
    assert len(gate.server.requests) - before <= 120 - 25 + 2
    assert records_of(tmp_path / "runs") == [60, 60]


async def test_ctrl_c_ends_in_order(scripted: Any, tmp_path: Path) -> None:
    """The first one lets calls in flight finish, says what there is, and ends with 130."""
    rows = write_rows(tmp_path / "rows.jsonl", 60)
    gate = Gate(scripted, 25)
    going = start(tmp_path, rows, gate.server.url)
    try:
        async with asyncio.timeout(120):
            await records_come(tmp_path / "runs", 25)
        going.send_signal(signal.SIGINT)
        assert going.stderr is not None
        assert b"stopping" in going.stderr.readline()
        gate.open.set()
        out, _ = going.communicate(timeout=120)
    finally:
        gate.open.set()
        going.kill()
    assert going.returncode == 130
    found = json.loads(out)
    assert found["interrupted"]
    assert 10 <= found["rows"] < 60
    assert sum(records_of(tmp_path / "runs")) == 27


def test_other_rows_are_another_comparison(trivet: Any, simulator: sim.Simulator, tmp_path: Path) -> None:
    """A changed row, prompt or scorer is not the comparison that was stopped."""
    rows = write_rows(tmp_path / "rows.jsonl", 40)
    command = ("compare", TASK, rows, "--variants", "verbose,concise", "--truth", "category", "--control", "0",
               "--base-url", simulator.url, "--no-calibrate", "--budget", "0.004", "--concurrency", "2")  # fmt: skip
    assert trivet(*command).code == 3
    assert trivet(*command, "--scorer", "normalised").code == 3
    assert len(list((tmp_path / "runs").iterdir())) == 2
    write_rows(rows, 39)
    assert trivet(*command).code == 3
    assert len(list((tmp_path / "runs").iterdir())) == 3
