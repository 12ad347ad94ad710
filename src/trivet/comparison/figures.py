"""What a comparison found, as plain figures, and how they are computed from the records. Pure.

Per row and paired: both variants answered the same rows, and a row counts only where both have a record.
`quality` is *accuracy* where the truth of each row is given, else *agreement* with the baseline's answer; a
failed row is never right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct

from trivet.comparison.result import Comparison, Variant, VariantLatency, VariantTokens
from trivet.records import Record
from trivet.stats.noninferiority import interval, rows_needed_at, verdict
from trivet.stats.percentiles import percentile


class Answers(Struct, frozen=True, kw_only=True):
    """A variant's records by row number, and the seconds of its pass alone."""

    records: Mapping[int, Record]
    wall_s: float | None = None


def compare_figures(
    answers: Mapping[str, Answers],
    *,
    truth: Mapping[int, Any] | None,
    margin: float,
    alpha: float,
    folder: str | None,
    spent: Decimal | None,
) -> Comparison:
    """The figures of a comparison; the first variant is the baseline."""
    names = list(answers)
    base = answers[names[0]]
    variants = {
        name: _variant(mine, None if name == names[0] else base, truth, margin, alpha) for name, mine in answers.items()
    }
    shared = set(base.records).intersection(*(mine.records for mine in answers.values()))
    return Comparison(
        baseline=names[0],
        rows=len(shared),
        quality="agreement" if truth is None else "accuracy",
        margin=margin,
        alpha=alpha,
        noise_floor=None,
        spent_usd=spent,
        most_cost_efficient=_most_cost_efficient(variants, priced_by_correct=truth is not None),
        simulated=any(record.simulated for mine in answers.values() for record in mine.records.values()),
        folder=folder,
        variants=variants,
    )


def _variant(
    mine: Answers, base: Answers | None, truth: Mapping[int, Any] | None, margin: float, alpha: float
) -> Variant:
    records = list(mine.records.values())
    baseline = base or mine
    shared = [n for n in mine.records if n in baseline.records]
    right = [n for n in shared if _right(mine.records[n], baseline.records[n], truth)]
    base_right = [n for n in shared if _right(baseline.records[n], baseline.records[n], truth)]
    rows = len(shared)
    cost = total_cost(records)
    latencies = sorted(r.latency for r in records if r.latency is not None and r.error is None)
    figures: dict[str, Any] = {
        "quality": len(right) / rows if rows else None,
        "right": len(right),
        "failed": sum(r.error is not None for r in records),
        "cost_per_1000": _per(cost, len(records)),
        "cost_per_1000_correct": _per(cost, len(right)) if truth is not None else None,
        "latency_s": VariantLatency(
            mean=_mean(latencies), p50=percentile(latencies, 0.5), p95=percentile(latencies, 0.95)
        ),
        "wall_s": mine.wall_s,
        "tokens": _tokens(records),
        "input_chars_mean": _mean([r.input_chars for r in records]),
        "output_chars_mean": _mean([r.output_chars for r in records if r.error is None]),
        "cost_ratio_interval": None,
        "latency_ratio_interval": None,
    }
    if base is None:
        return Variant(**figures, **_NOT_COMPARED)
    gained = len(set(right) - set(base_right))
    lost = len(set(base_right) - set(right))
    base_cost = total_cost(base.records.values())
    base_latency = _mean([r.latency for r in base.records.values() if r.latency is not None and r.error is None])
    latency = figures["latency_s"].mean
    proven = verdict(lost, gained, rows, margin, alpha) if rows else None
    return Variant(
        **figures,
        agree=sum(_same(mine.records[n], base.records[n]) for n in shared),
        quality_diff=(gained - lost) / rows if rows else None,
        quality_interval=interval(lost, gained, rows, 1 - 2 * alpha) if rows else None,
        verdict=proven,
        rows_needed=_further_rows(lost, gained, rows, margin, alpha) if proven == "not_proven" else None,
        cost_ratio=float(cost / base_cost) if cost is not None and base_cost else None,
        latency_ratio=latency / base_latency if latency is not None and base_latency else None,
    )


_NOT_COMPARED: dict[str, Any] = dict.fromkeys(
    ("agree", "quality_diff", "quality_interval", "verdict", "rows_needed", "cost_ratio", "latency_ratio")
)


def _further_rows(lost: int, gained: int, rows: int, margin: float, alpha: float) -> int | None:
    """Rows beyond these that would prove "not worse" if the rates seen are the true ones."""
    needed = rows_needed_at(lost, gained, rows, margin, alpha)
    return None if needed is None else max(1, needed - rows)


def total_cost(records: Sequence[Record] | Any) -> Decimal | None:
    """US dollars of all records together; None when one of them has no known cost."""
    total = Decimal(0)
    for record in records:
        billed = record.billed()
        if billed is None:
            return None
        total += billed
    return total


def _right(record: Record, base: Record, truth: Mapping[int, Any] | None) -> bool:
    if record.error is not None:
        return False
    if truth is not None:
        return bool(record.output == truth.get(record.n, UNSET))
    return _same(record, base)


def _same(record: Record, base: Record) -> bool:
    return record.error is None and base.error is None and record.output == base.output


def _tokens(records: Sequence[Record]) -> VariantTokens:
    usages = [attempt.usage for record in records for attempt in record.attempts if attempt.usage is not None]
    return VariantTokens(input=sum(u.input for u in usages), output=sum(u.output for u in usages))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _per(cost: Decimal | None, rows: int) -> Decimal | None:
    return None if cost is None or not rows else cost / rows * 1000


def _most_cost_efficient(variants: Mapping[str, Variant], *, priced_by_correct: bool) -> str | None:
    """The variant with the lowest cost per 1,000 correct rows, or per 1,000 rows without a truth."""
    costs = {name: v.cost_per_1000_correct if priced_by_correct else v.cost_per_1000 for name, v in variants.items()}
    known = {name: cost for name, cost in costs.items() if cost is not None}
    return min(known, key=lambda name: known[name]) if len(known) == len(costs) else None
