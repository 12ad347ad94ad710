"""A model as judge: what it is asked, what its words come to, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import trivet
from trivet import sim
from trivet.comparison.judge import MARK, PAIR, Asked, mark_score, pair_rows, pair_score
from trivet.records import Failure, Record


def said(n: int, forth: str, back: str) -> dict[int, Record]:
    return {2 * n: Record(n=2 * n, output=forth), 2 * n + 1: Record(n=2 * n + 1, output=back)}


@pytest.mark.parametrize(
    ("forth", "back", "score"),
    [("first", "second", 1.0), ("second", "first", 0.0), ("first", "first", 0.5), ("second", "second", 0.5),
     ("tie", "tie", 0.5), ("first", "tie", 0.5)],
)  # fmt: skip
def test_a_preference_counts_where_both_ways_agree(forth: str, back: str, score: float) -> None:
    """A judge that favours a place comes out as a tie."""
    assert pair_score(said(3, forth, back), 3) == score


def test_what_was_not_judged_has_no_score() -> None:
    """A failed or missing judgement is left out, not made up."""
    failed = Record(n=6, error=Failure(code="empty", message="-"))
    assert pair_score({6: failed, 7: Record(n=7, output="tie")}, 3) is None
    assert pair_score({6: Record(n=6, output="tie")}, 3) is None
    assert mark_score(failed) is None
    assert mark_score(Record(n=6, output="7")) == 0.7


def test_both_orders_are_asked_and_what_is_right_is_shown_where_it_is_known() -> None:
    """The two questions differ in nothing but the order; text in an answer stays text."""
    asked = Asked(row=4, request="Sum up: {{ x }}", answer={"a": 1}, reference=None)
    one, two = pair_rows(asked, "other {% if %}")
    assert (one.n, two.n) == (8, 9)
    assert one.data is not None
    assert two.data is not None
    assert (one.data["first"], one.data["second"]) == (two.data["second"], two.data["first"])
    prompt = PAIR.rendered(one.data)
    assert "Sum up: {{ x }}" in prompt
    assert "other {% if %}" in prompt
    assert "known_to_be_right" not in prompt
    shown = MARK.rendered({**asked.shown(), "reference": "right"})
    assert "<known_to_be_right>\nright" in shown


@pytest.mark.parametrize("scorer", ["judge:gpt-5.4-nano", "judge-score"])
def test_a_judge_is_paid_and_told(simulator: sim.Simulator, tmp_path: Path, scorer: str) -> None:
    """Its cost is shown apart and is part of what was spent; its answers are kept with the comparison."""
    rows = [{"text": f"Ticket {n}: the printer in room {n} does not print, and costs me twice."} for n in range(12)]
    task = trivet.Task("Summarise in one sentence.\n\n{{ text }}", output=trivet.Text(sentences=1))
    long = task.with_(prompt="Summarise in three sentences.\n\n{{ text }}", output=trivet.Text(sentences=3))
    with trivet.Client(base_url=simulator.url, simulated=simulator.identity, cache="memory://") as client:
        found = trivet.compare(
            {"short": task, "long": long}, rows, client=client, scorer=scorer, folder=tmp_path, control=3,
            calibrate=False,
        )  # fmt: skip
    assert found.quality == "score"
    assert found.judge_usd is not None
    assert found.spent_usd is not None
    assert 0 < found.judge_usd < found.spent_usd
    mine = found.variants["long"]
    assert mine.quality is not None
    assert 0 <= mine.quality <= 1
    assert mine.verdict in ("not_worse", "worse", "not_proven")
    assert any(path.parent.name.startswith("judge-") for path in tmp_path.glob("*/*/ledger.jsonl"))
    saved = json.loads(next(tmp_path.glob("*/comparison.json")).read_text())
    assert list(saved["folders"]) == ["short", "long"]
    assert "for the judge" in str(found)
    assert found.control_rows == 3
    assert found.noise_floor is not None
