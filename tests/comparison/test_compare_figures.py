"""What a comparison says, from records made by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.comparison.figures import Answers, compare_figures
from trivet.comparison.measure import interleaved
from trivet.comparison.result import table, verdicts
from trivet.jobs.rows import Row
from trivet.records import Failure, Record
from trivet.types import Attempt, Usage


def record(n: int, output: str | None, cost: str | None = "0.001", latency: float = 1.0) -> Record:
    """A sent row; None for one without an answer."""
    price = None if cost is None else Decimal(cost)
    usage = Usage(input=100, output=5)
    fields = {"output": output} if output is not None else {"error": Failure(code="empty", message="no answer")}
    return Record(
        n=n,
        id=n,
        **fields,  # type: ignore[arg-type]
        source="provider",
        model="m",
        cost=price,
        latency=latency,
        attempts=(Attempt(latency=latency, usage=usage, cost=price),),
        input_chars=400,
        output_chars=len(output or ""),
    )


def answers(outputs: list[str | None], cost: str | None = "0.001", latency: float = 1.0) -> Answers:
    """A variant that gave these outputs."""
    return Answers(records={n: record(n, output, cost, latency) for n, output in enumerate(outputs)})


def compared(base: Answers, other: Answers, truth: list[str] | None = None, margin: float = 0.02):
    """The comparison of two variants called verbose and concise."""
    return compare_figures(
        {"verbose": base, "concise": other},
        truth=None if truth is None else dict(enumerate(truth)),
        margin=margin,
        alpha=0.05,
        folder=None,
        spent=Decimal(1),
    )


def test_twenty_agreeing_rows_prove_little_and_say_so() -> None:
    """The verdict on a small sample names the saving, the agreement and the rows that it would take."""
    found = compared(answers(["a"] * 20), answers(["a"] * 20, cost="0.00059"))
    assert verdicts(found) == [
        "concise: 41 % cheaper on these rows; same answer on 20 of 20, which proves little: at a margin of "
        "2 points at least 133 rows are needed even if all agree."
    ]
    assert found.variants["concise"].verdict == "not_proven"
    assert found.variants["concise"].rows_needed == 113


def test_enough_agreeing_rows_prove_it() -> None:
    """133 agreeing rows prove "not worse" by 2 points; 132 do not."""
    assert compared(answers(["a"] * 133), answers(["a"] * 133)).variants["concise"].verdict == "not_worse"
    assert compared(answers(["a"] * 132), answers(["a"] * 132)).variants["concise"].verdict == "not_proven"


def test_a_bad_candidate_is_proven_worse() -> None:
    """A candidate that loses a third of the rows is worse, whatever it saves."""
    truth = ["a"] * 300
    found = compared(answers(truth), answers(["b"] * 100 + ["a"] * 200, cost="0.0001"), truth)  # type: ignore[arg-type]
    assert found.variants["concise"].verdict == "worse"
    assert found.variants["concise"].quality_diff == pytest.approx(-1 / 3)
    assert "proven worse" in verdicts(found)[0]


def test_a_failed_row_is_never_right() -> None:
    """Rows without an answer count against the variant, in accuracy and in agreement."""
    found = compared(answers(["a", "a"]), answers(["a", None]), ["a", "a"])
    assert (found.variants["concise"].right, found.variants["concise"].failed) == (1, 1)
    both_failed = compared(answers([None]), answers([None]))
    assert both_failed.variants["concise"].agree == 0


def test_figures_of_cost_latency_and_length() -> None:
    """Costs are per 1,000 rows and per 1,000 correct ones; ratios are to the baseline."""
    found = compared(answers(["a"] * 4, latency=2.0), answers(["a", "a", "b", "b"], "0.0005"), ["a"] * 4)
    mine = found.variants["concise"]
    assert mine.cost_per_1000 == Decimal("0.5")
    assert mine.cost_per_1000_correct == Decimal("1")
    assert mine.cost_ratio == 0.5
    assert mine.latency_ratio == 0.5
    assert (mine.input_chars_mean, mine.output_chars_mean) == (400, 1)
    assert (mine.tokens.input, mine.tokens.output) == (400, 20)


def test_an_unknown_price_is_not_a_saving() -> None:
    """Where a cost is not known, nothing is said to be cheaper."""
    found = compared(answers(["a"] * 5), answers(["a"] * 5, cost=None))
    assert found.variants["concise"].cost_ratio is None
    assert found.most_cost_efficient is None
    assert "cost not known" in verdicts(found)[0]
    assert any("-" in line for line in table(found))


@given(st.lists(st.sampled_from("abcd"), unique=True, min_size=2), st.integers(min_value=0, max_value=30))
def test_every_variant_meets_every_row_and_goes_first_equally_often(names: list[str], count: int) -> None:
    """The order rotates row by row, so that no variant is always first."""
    rows = [Row(n=n, data={}) for n in range(count)]
    pairs = list(interleaved(names, rows))
    assert sorted((name, row.n) for name, row in pairs) == sorted((name, n) for name in names for n in range(count))
    first = [pairs[len(names) * n][0] for n in range(count)]
    assert max((first.count(name) for name in names), default=0) - min(first.count(name) for name in names) <= 1
