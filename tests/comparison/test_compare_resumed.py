"""A comparison that was stopped is taken up by the same command, and what was paid is not paid again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
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


async def test_a_killed_comparison_is_taken_up(tmp_path: Path) -> None:
    """Killed in the middle, by a signal that nobody can catch, it goes on where it was; --fresh starts over."""
    rows = write_rows(tmp_path / "rows.jsonl", 80)
    with sim.start(sim.Scenario(time_scale=0.2)) as server:
        command = [sys.executable, "-m", "trivet", "compare", str(TASK), str(rows), "--variants", "verbose,concise",
                   "--control", "0", "--base-url", server.url, "--no-calibrate", "--concurrency", "2", "--every-row",
                   "--json"]  # fmt: skip
        variables = {**os.environ, "OPENAI_API_KEY": "any"}
        killed = subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL)
        ends = time.monotonic() + 50
        while sum(records_of(tmp_path / "runs")) < 20 and killed.poll() is None and time.monotonic() < ends:
            time.sleep(0.02)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        kept = sum(records_of(tmp_path / "runs"))
        before = server.books()["requests"]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["rows"] == 80
        assert 160 - kept <= server.books()["requests"] - before <= 160 - kept + 2  # what was in flight may be late
        assert records_of(tmp_path / "runs") == [80, 80]


async def test_ctrl_c_ends_in_order(tmp_path: Path) -> None:
    """The first one lets calls in flight finish, says what there is, and ends with 130."""
    rows = write_rows(tmp_path / "rows.jsonl", 300)
    with sim.start(sim.Scenario(time_scale=0.2)) as server:
        command = [sys.executable, "-m", "trivet", "compare", str(TASK), str(rows), "--variants", "verbose,concise",
                   "--base-url", server.url, "--concurrency", "2", "--json"]  # fmt: skip
        going = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "OPENAI_API_KEY": "any"}, stdout=subprocess.PIPE
        )
        ends = time.monotonic() + 50
        while sum(records_of(tmp_path / "runs")) < 8 and going.poll() is None and time.monotonic() < ends:
            time.sleep(0.02)
        going.send_signal(signal.SIGINT)
        out, _ = going.communicate(timeout=60)
        assert going.returncode == 130
        found = json.loads(out)
        assert found["interrupted"]
        assert 0 < found["rows"] < 300


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
