"""`kill -9` at any moment: no row lost, none doubled, calls repeated only for what was in flight, all of it counted."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trivet import sim
from trivet.jobs.record_lines import decoded
from trivet.prices.book import standard_book

TASK = Path(__file__).parent.parent.parent / "examples" / "triage" / "triage.toml"
AT_ONCE = 8


def write_rows(folder: Path, rows: int) -> None:
    lines = [json.dumps({"ticket": f"please refund payment number {n}"}) for n in range(rows)]
    (folder / "rows.jsonl").write_text("\n".join(lines))


def start(folder: Path, url: str, *more: str) -> subprocess.Popen[bytes]:
    """The run as a process of its own."""
    command = [sys.executable, "-m", "trivet", "run", str(TASK), "rows.jsonl", "--base-url", url, "--cache", "off"]
    return subprocess.Popen(
        [*command, "--concurrency", str(AT_ONCE), "--json", "-o", "out.jsonl", *more],
        cwd=folder,
        env=os.environ | {"OPENAI_API_KEY": "any"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def kill(process: subprocess.Popen[bytes], moment: float) -> None:
    """End it so many seconds from now, however far it has come."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    process.kill()
    process.communicate()


def asking(process: subprocess.Popen[bytes], folder: Path, before: int, least: int = 1) -> None:
    """Return once the process has sent so many calls beyond those of `before`, or has ended."""
    while process.poll() is None and len(marks(folder)) < before + least:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.005)


def killed(folder: Path, url: str, moments: list[float], *more: str) -> tuple[dict[str, Any], str]:
    """Kill the run so many seconds after it was started, or after it has begun to ask, in turn; then let it end."""
    for place, moment in enumerate(moments):
        before = len(marks(folder))
        process = start(folder, url, *more)
        if place % 2:
            asking(process, folder, before)
        kill(process, moment)
    last = start(folder, url, *more)
    out, err = last.communicate(timeout=600)
    assert last.returncode == 0, (out, err)
    return json.loads(out), err.decode()


def marks(folder: Path) -> list[dict[str, Any]]:
    """What the run wrote down before it sent."""
    lines = [line for path in folder.glob("runs/*/sent.jsonl") for line in path.read_bytes().split(b"\n")[:-1]]
    return [json.loads(line) for line in lines]


def check(folder: Path, rows: int, summary: dict[str, Any], server: sim.Simulator) -> None:
    """The results, the ledger, the marks, the summary and the provider's own books agree."""
    results = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [result["id"] for result in results] == list(range(rows))
    assert all("output" in result for result in results)
    assert len(list(folder.glob("runs/*"))) == 1
    ledger = next(folder.glob("runs/*/ledger.jsonl")).read_text().splitlines()
    assert Counter(json.loads(line)["n"] for line in ledger) == Counter(range(rows))

    lost = summary["possibly_billed"]
    sent = Counter(mark["n"] for mark in marks(folder) if mark["mark"] == "sent")
    assert sorted(sent) == list(range(rows))
    assert sum(sent.values()) == rows + lost
    requests = int(server.books()["requests"])
    assert summary["calls"]["attempts"] == rows
    assert rows <= requests <= rows + lost


def random_moments(kills: int, longest: float, seed: int) -> list[float]:
    draw = random.Random(seed)
    return [draw.uniform(0.0, longest) for _ in range(kills)]


def test_kill_9_at_random_moments_loses_no_row_and_doubles_none(tmp_path: Path) -> None:
    """Six kills, half of them before the first call: the run ends whole and says what it may have paid twice."""
    write_rows(tmp_path, 300)
    with sim.start(sim.Scenario(time_scale=0.3)) as server:
        summary, said = killed(tmp_path, server.url, random_moments(6, 0.8, seed=4))
        check(tmp_path, 300, summary, server)
    assert 0 < summary["possibly_billed"] <= 6 * AT_ONCE
    assert f"{summary['possibly_billed']} calls were in flight when this run was cut off" in said


@pytest.mark.soak
def test_a_hundred_kills_of_a_run_of_five_thousand_rows(tmp_path: Path) -> None:
    """The same, a hundred times at random moments of one run."""
    write_rows(tmp_path, 5000)
    with sim.start(sim.Scenario(time_scale=0.3)) as server:
        summary, _ = killed(tmp_path, server.url, random_moments(100, 1.0, seed=1))
        check(tmp_path, 5000, summary, server)
        print(f"5,000 rows, {server.books()['requests']} requests, {summary['possibly_billed']} possibly billed")
    assert 50 < summary["possibly_billed"] <= 100 * AT_ONCE


def test_what_was_lost_counts_against_the_budget_of_the_run_that_goes_on(tmp_path: Path) -> None:
    """A budget below the worst case of the lost calls sends nothing; one above it spends the rest and no more."""
    write_rows(tmp_path, 200)
    with sim.start(sim.Scenario(time_scale=0.5)) as server:
        process = start(tmp_path, server.url)
        asking(process, tmp_path, 0, least=40)
        kill(process, 0.0)
        records = [decoded(line) for line in next(tmp_path.glob("runs/*/ledger.jsonl")).read_bytes().splitlines()]
        known = sum(record.cost or Decimal(0) for record in records)
        done = {record.n for record in records}
        each = [worst_case(mark) for mark in marks(tmp_path) if mark["n"] not in done]
        lost = sum(each)
        assert lost > 0
        before = server.books()["requests"]
        process = start(tmp_path, server.url, "--budget", f"{known + lost:.6f}")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 3, (out, err)
        assert server.books()["requests"] == before
        rest = each[0] * Decimal("1.2")
        process = start(tmp_path, server.url, "--budget", f"{known + lost + rest:.6f}")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 3, (out, err)
        spent = Decimal(str(json.loads(out)["cost_usd"])) - known
        assert 0 < spent <= rest


def worst_case(mark: dict[str, Any]) -> Decimal:
    """The most that a marked call can cost."""
    worst = standard_book().worst_case(mark["size"], mark["cap"], "gpt-5.4-mini", None, date(2026, 11, 23))
    assert worst is not None
    return worst


def test_a_durable_run_is_the_same_run(tmp_path: Path) -> None:
    """With --durable a run is killed, taken up and ended like any other."""
    write_rows(tmp_path, 120)
    with sim.start(sim.Scenario(time_scale=0.3)) as server:
        summary, _ = killed(tmp_path, server.url, [0.3, 0.3], "--durable")
        check(tmp_path, 120, summary, server)
