"""What a comparison says, from records made by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from trivet.comparison.bias import Bias
from trivet.comparison.figures import Answers, Around, compare_figures
from trivet.comparison.marking import Marking
from trivet.comparison.measure import interleaved
from trivet.comparison.result import Comparison
from trivet.comparison.scoring import scorer_of
from trivet.comparison.words import notes, table, verdicts
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


Made = dict[int, Record]


def answers(outputs: list[str | None], cost: str | None = "0.001", latency: float = 1.0) -> Made:
    """A variant that gave these outputs."""
    return {n: record(n, output, cost, latency) for n, output in enumerate(outputs)}


def compared(base: Made, *others: Made, truth: list[str] | None = None, **around: Any) -> Comparison:
    """The comparison of variants called verbose and concise (and concise2, ...)."""
    names = ["verbose", "concise", *(f"concise{k}" for k in range(2, len(others) + 1))]
    made = dict(zip(names, (base, *others), strict=True))
    rows = {n: {} if truth is None else {"right": truth[n]} for n in base}
    marking = Marking(scorer_of(None), None if truth is None else "right", rows, "verbose")
    scores = marking.scores(made)
    return compare_figures(
        {name: Answers(records=made[name], scores=scores[name], base=scores["verbose"]) for name in names},
        Around(**{
            "kind": marking.kind, "scorer": "exact", "margin": 0.02, "alpha": 0.05, "planned": len(base),
            "spent_usd": Decimal(1), **around,
        }),
    )  # fmt: skip


def test_twenty_agreeing_rows_prove_little_and_say_so() -> None:
    """The verdict on a small sample names the saving, the agreement and the rows that it would take."""
    found = compared(answers(["a"] * 20), answers(["a"] * 20, cost="0.00059"))
    assert verdicts(found) == [
        "concise: cheaper by 41 % [41, 41] on these rows; same answer on 20 of 20, which proves little: at a margin "
        "of 2 points at least 133 rows are needed even if all agree."
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
    found = compared(answers([*truth]), answers(["b"] * 100 + ["a"] * 200, cost="0.0001"), truth=truth)
    assert found.variants["concise"].verdict == "worse"
    assert found.variants["concise"].quality_diff == pytest.approx(-1 / 3)
    assert "proven worse" in verdicts(found)[0]


def test_a_failed_row_is_never_right() -> None:
    """Rows without an answer count against the variant, in accuracy and in agreement."""
    found = compared(answers(["a", "a"]), answers(["a", None]), truth=["a", "a"])
    assert (found.variants["concise"].right, found.variants["concise"].failed) == (1, 1)
    both_failed = compared(answers([None]), answers([None]))
    assert both_failed.variants["concise"].agree == 0


def test_figures_of_cost_latency_and_length() -> None:
    """Costs are per 1,000 rows and per 1,000 correct ones; ratios are to the baseline."""
    found = compared(answers(["a"] * 4, latency=2.0), answers(["a", "a", "b", "b"], "0.0005"), truth=["a"] * 4)
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


def test_the_verdict_is_told_in_the_words_that_were_promised() -> None:
    """Proven not worse, and cheaper by so much, with the interval of that; and not worse than what it is held to."""
    truth = ["a"] * 400
    base = {n: record(n, "a", f"{0.001 + n % 5 * 0.0002:.4f}") for n in range(400)}
    mine = {n: record(n, "a", f"{0.0006 + n % 7 * 0.0001:.4f}") for n in range(400)}
    found = compared(base, mine, truth=truth)
    low, high = found.variants["concise"].cost_ratio_interval or (0, 0)
    assert low < (found.variants["concise"].cost_ratio or 0) < high < 1
    said = verdicts(found)[0]
    assert said.startswith("concise: proven not worse (margin 2 points), and cheaper by 36 % [3")


def test_many_variants_share_the_level() -> None:
    """133 agreeing rows prove one candidate; of two, each needs more, and both are proven together once one is."""
    same = answers(["a"] * 133)
    assert compared(same, same, same).variants["concise"].verdict == "not_proven"
    enough = answers(["a"] * 189)
    found = compared(enough, enough, enough)
    assert [found.variants[name].verdict for name in ("concise", "concise2")] == ["not_worse", "not_worse"]
    assert found.variants["concise"].level == 0.025


def test_the_noise_of_the_baseline_is_told_beside_the_margin() -> None:
    """A margin below what the same comes to when it is asked twice is called out."""
    base = answers(["a"] * 20)
    found = compared(base, base, truth=["a"] * 20, control=base, control_scores={n: float(n > 1) for n in range(20)})
    assert found.noise_floor == 0.1
    assert found.control_usd == Decimal("0.020")
    assert any("no sample makes it meaningful" in text for text in notes(found))


def test_goodput_counts_what_is_right_and_in_time() -> None:
    """Late rows, wrong rows and failed rows are all in the denominator."""
    mine = {n: record(n, "a" if n else "b", latency=1.0 if n < 3 else 9.0) for n in range(4)} | {4: record(4, None)}
    found = compared(mine, mine, truth=["a"] * 5, objective=2.0).variants["concise"].goodput
    assert found is not None
    assert found.share == 0.4
    assert found.rows_per_s is None


def test_with_a_schedule_the_wait_is_part_of_the_latency() -> None:
    """A call that was sent late is as late as it was sent; without a schedule a wait for a permit is not latency."""
    waited = {n: replace(record(n, "a"), queued=2.0) for n in range(2)}
    assert compared(waited, waited, rate=10.0).variants["concise"].latency_s.mean == 3.0
    assert compared(waited, waited, rate=10.0).variants["concise"].latency_s.waited_mean == 2.0
    assert compared(waited, waited).variants["concise"].latency_s.mean == 1.0


def test_latencies_at_a_rate_that_the_client_can_not_be_trusted_at_are_not_told() -> None:
    """No figure of latency, and a sentence that says why."""
    base = answers(["a"] * 20)
    bias = Bias(p50=0.1, p95=0.2, calls=9, rate=950.0, concurrency=64, highest_rate=1000.0, trusted=False)
    found = compared(base, base, bias=bias)
    assert found.variants["concise"].latency_s.mean is None
    assert found.variants["concise"].latency_ratio is None
    assert any("latency is not told" in text for text in notes(found))


def test_percentiles_come_with_the_bounds_that_the_sample_supports() -> None:
    """Of 20 rows the median has both bounds, p95 lacks the upper one, and p99 is left out."""
    base = {n: record(n, "a", latency=1 + n / 10) for n in range(20)}
    mine = compared(base, base).variants["concise"].latency_s
    assert (mine.p50, mine.p50_interval) == (1.9, (1.5, 2.4))
    assert mine.p95_interval is not None
    assert mine.p95_interval[1] is None
    assert mine.p99 is None


def test_a_variant_proven_worse_is_not_the_most_cost_efficient() -> None:
    """Without a truth the cheapest per row is named, but not one that is proven worse."""
    found = compared(answers(["a"] * 300), answers(["b"] * 200 + ["a"] * 100, cost="0.0001"))
    assert found.variants["concise"].verdict == "worse"
    assert found.most_cost_efficient == "verbose"
