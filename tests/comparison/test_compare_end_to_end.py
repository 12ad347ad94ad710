"""A comparison against a simulated provider, in Python and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import trivet
from trivet import sim
from trivet.errors import DataError, TaskError
from trivet.jobs.ledger import read_records

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "triage"
TASK, TICKETS = EXAMPLES / "triage.toml", EXAMPLES / "tickets.jsonl"


def test_comparing_in_python(simulator: sim.Simulator, tmp_path: Path) -> None:
    """`trivet.compare` asks every variant every row, never from the cache, and keeps every record."""
    short = trivet.Task.load(TASK)
    long = trivet.Task.load(TASK, "verbose")
    before = simulator.books()["requests"]
    with trivet.Client(base_url=simulator.url, simulated=simulator.identity, tags={"team": "a"}) as client:
        both = {"verbose": long, "concise": short}
        found = trivet.compare(both, TICKETS, truth="category", client=client, folder=tmp_path, control=0)
        again = trivet.compare(both, TICKETS, client=client, folder=None, control=0, calibrate=False)
    assert simulator.books()["requests"] - before == 80  # type: ignore[operator]
    assert (found.rows, found.quality, again.quality) == (20, "accuracy", "agreement")
    assert found.simulated
    assert found.variants["concise"].tokens.input < found.variants["verbose"].tokens.input
    assert found.variants["concise"].cost_ratio is not None
    assert found.variants["concise"].cost_ratio < 1
    kept = [list(read_records(place.parent)) for place in tmp_path.glob("*/*/ledger.jsonl")]
    assert [len(records) for records in kept] == [20, 20]
    assert all(record.tags == {"team": "a"} for records in kept for record in records)
    assert "concise" in str(found)


def test_comparing_on_the_command_line(trivet, simulator: sim.Simulator) -> None:
    """The document has the promised fields, and a pass alone gives a total time."""
    arguments = ("compare", TASK, TICKETS, "--variants", "verbose,concise", "--truth", "category")
    ended = trivet(*arguments, "--base-url", simulator.url, "--time-alone", "--json")
    assert ended.code == 0, ended.err
    found = ended.document
    assert found["baseline"] == "verbose"
    assert set(found["variants"]) == {"verbose", "concise"}
    mine = found["variants"]["concise"]
    assert mine["verdict"] in ("not_worse", "worse", "not_proven")
    assert mine["wall_s"] > 0
    assert mine["cost_ratio"] < 1
    assert found["spent_usd"] > 0
    people = trivet(*arguments, "--base-url", simulator.url)
    assert people.out.strip().splitlines()[-1].startswith("concise: ")
    assert "cost per 1,000 rows" in people.out


def test_the_budget_covers_a_comparison(trivet, simulator: sim.Simulator) -> None:
    """A comparison that could exceed the budget stops with exit 3."""
    ended = trivet("compare", TASK, TICKETS, "--base-url", simulator.url, "--budget", "0.0004")
    assert ended.code == 3, ended.err


def test_what_can_not_be_compared_is_said_before_any_spend(simulator: sim.Simulator) -> None:
    """One variant, no rows, or a truth that is not there: refused."""
    task = trivet.Task.load(TASK)
    with trivet.Client(base_url=simulator.url, simulated=simulator.identity, tags={"team": "a"}) as client:
        before = simulator.books()["requests"]
        with pytest.raises(TaskError):
            trivet.compare({"a": task}, TICKETS, client=client)
        with pytest.raises(DataError):
            trivet.compare({"a": task, "b": task}, [], client=client)
        with pytest.raises(DataError, match="truth"):
            trivet.compare({"a": task, "b": task}, TICKETS, truth="nope", client=client)
        assert simulator.books()["requests"] == before
