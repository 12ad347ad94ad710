"""A comparison's figures from its records and scores. Pure.

Paired by row: a figure that compares two variants counts a row only where both have it. A failed row is never right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from trivet.comparison.bias import Bias
from trivet.comparison.quality import Claim, Scores, claims, differences
from trivet.comparison.result import Comparison, Goodput, Reach, Variant, VariantLatency, VariantTokens
from trivet.records import Record
from trivet.stats.bootstrap import ratio_interval, share_interval
from trivet.stats.percentiles import Percentiles


class Answers(Struct, frozen=True, kw_only=True):
    """A variant's records by row number, the seconds of its pass alone, its scores and the baseline's beside them.

    `base`: what this candidate's scores are held against; the baseline's own, unless a judge compares pair by pair.
    """

    records: Mapping[int, Record]
    scores: Scores
    base: Scores
    wall_s: float | None = None


class Around(Struct, frozen=True, kw_only=True):
    """What else a comparison tells of itself; see `result.Comparison`. `objective`: seconds.

    `rate_each`: calls a second of each variant, of a schedule.
    """

    kind: str
    scorer: str
    margin: float
    alpha: float
    planned: int
    control: Mapping[int, Record] = {}
    control_scores: Scores = {}
    judge_usd: Decimal | None = None
    spent_usd: Decimal | None = None
    bias: Bias | None = None
    rate: float | None = None
    rate_each: float | None = None
    objective: float | None = None
    interrupted: bool = False
    folder: str | None = None
    seed: int = 0


def compare_figures(answers: Mapping[str, Answers], around: Around) -> Comparison:
    """The figures of a comparison; the first variant is the baseline."""
    names = list(answers)
    base = answers[names[0]]
    shared = set(base.records).intersection(*(mine.records for mine in answers.values()))
    answers = {name: _only(mine, shared) for name, mine in answers.items()}
    base = answers[names[0]]
    claimed = claims(
        {name: differences(mine.scores, mine.base) for name, mine in answers.items() if name != names[0]},
        around.margin,
        around.alpha,
    )
    variants = {
        name: _variant(mine, None if name == names[0] else base, claimed.get(name), around)
        for name, mine in answers.items()
    }
    return Comparison(
        baseline=names[0],
        rows=len(shared),
        planned=around.planned,
        quality=around.kind,
        scorer=around.scorer,
        margin=around.margin,
        alpha=around.alpha,
        noise_floor=noise_floor(base.scores, around.control_scores),
        control_rows=len(around.control_scores),
        spent_usd=around.spent_usd,
        control_usd=total_cost(around.control.values()),
        judge_usd=around.judge_usd,
        most_cost_efficient=_most_cost_efficient(variants, priced_by_correct=around.kind == "accuracy"),
        client_bias=around.bias,
        rate=around.rate,
        interrupted=around.interrupted,
        simulated=any(record.simulated for mine in answers.values() for record in mine.records.values()),
        folder=around.folder,
        variants=variants,
    )


def _only(mine: Answers, rows: set[int]) -> Answers:
    return Answers(
        records={n: mine.records[n] for n in sorted(rows)},
        scores={n: score for n, score in mine.scores.items() if n in rows},
        base={n: score for n, score in mine.base.items() if n in rows},
        wall_s=mine.wall_s,
    )


def noise_floor(first: Scores, second: Scores) -> float | None:
    """How far apart the same rows come out when the same is asked twice: the mean distance of the scores."""
    both = [abs(second[n] - first[n]) for n in second if n in first]
    return sum(both) / len(both) if both else None


def _variant(mine: Answers, base: Answers | None, claim: Claim | None, around: Around) -> Variant:
    records = list(mine.records.values())
    rows = len(records)
    cost = total_cost(records)
    whole = around.kind in ("accuracy", "agreement")
    right = sum(score == 1 for score in mine.scores.values()) if whole else None
    correct = right if around.kind == "accuracy" else None
    trusted = around.bias is None or around.bias.trusted
    latency = _latency([elapsed(r, around.rate) for r in records if r.error is None], around, records, trusted)
    ttfts = [r.ttft for r in records if r.error is None and r.ttft is not None]
    return Variant(
        quality=sum(mine.scores.values()) / len(mine.scores) if mine.scores else None,
        right=right,
        agree=None if base is None else sum(_same(mine.records[n], base.records[n]) for n in mine.records),
        quality_diff=None if claim is None else claim.difference,
        quality_interval=None if claim is None else claim.interval,
        verdict=None if claim is None else claim.verdict,
        p_value=None if claim is None else claim.p_value,
        level=None if claim is None else claim.level,
        rows_needed=None if claim is None else claim.rows_needed,
        failed=sum(r.error is not None for r in records),
        unjudged=rows - len(mine.scores),
        cost_per_1000=_per(cost, rows),
        cost_per_1000_correct=_per(cost, correct or 0),
        cost_per_1000_correct_interval=_correct_interval(mine, around) if correct and cost else None,
        **_ratios(mine, base, around, trusted),
        latency_s=latency,
        ttft_s=_latency(ttfts, None, (), trusted) if ttfts else None,
        goodput=_goodput(mine, around),
        wall_s=mine.wall_s,
        tokens=_tokens(records),
        input_chars_mean=_mean([r.input_chars for r in records]),
        output_chars_mean=_mean([r.output_chars for r in records if r.error is None]),
    )


def elapsed(record: Record, rate: float | None) -> float | None:
    """Seconds of a call: from its permit, or with a schedule from its moment in it, to its last byte."""
    if record.latency is None or rate is None:
        return record.latency
    return record.latency + record.queued


def _latency(
    values: Iterable[float | None], around: Around | None, records: Sequence[Record], trusted: bool
) -> VariantLatency:
    known = [value for value in values if value is not None] if trusted else []
    sample = Percentiles(known)
    waited = None
    if around is not None and around.rate is not None and trusted:
        waited = _mean([r.queued for r in records if r.error is None])
    figures: dict[str, Any] = {}
    for p in (50, 90, 95, 99):
        value = sample.at(p / 100)
        figures[f"p{p}"] = value
        figures[f"p{p}_interval"] = None if value is None else _reach(sample, p / 100)
    return VariantLatency(mean=_mean(known), waited_mean=waited, **figures)


def _reach(sample: Percentiles, p: float) -> Reach | None:
    reach = sample.bounds(p)
    return None if reach == (None, None) else reach


def _ratios(mine: Answers, base: Answers | None, around: Around, trusted: bool) -> dict[str, Any]:
    ratios: dict[str, Any] = dict.fromkeys(
        ("cost_ratio", "cost_ratio_interval", "latency_ratio", "latency_ratio_interval")
    )
    if base is None:
        return ratios
    costs = [(mine.records[n].billed(), base.records[n].billed()) for n in mine.records]
    priced = [(float(a), float(b)) for a, b in costs if a is not None and b is not None]
    if len(priced) == len(costs):
        ratios |= _ratio("cost", priced, around)
    took = [
        (elapsed(mine.records[n], around.rate), elapsed(base.records[n], around.rate))
        for n in mine.records
        if mine.records[n].error is None and base.records[n].error is None
    ]
    timed = [(a, b) for a, b in took if a is not None and b is not None]
    return ratios | (_ratio("latency", timed, around) if trusted else {})


def _ratio(name: str, pairs: Sequence[tuple[float, float]], around: Around) -> dict[str, Any]:
    below = sum(b for _, b in pairs)
    return {
        f"{name}_ratio": sum(a for a, _ in pairs) / below if below > 0 else None,
        f"{name}_ratio_interval": ratio_interval(pairs, 0.95, seed=around.seed),
    }


def _correct_interval(mine: Answers, around: Around) -> tuple[float, float] | None:
    pairs = [(float(r.billed() or 0), mine.scores.get(n, 0.0)) for n, r in mine.records.items()]
    found = ratio_interval(pairs, 0.95, seed=around.seed)
    return None if found is None else (found[0] * 1000, found[1] * 1000)


def _goodput(mine: Answers, around: Around) -> Goodput | None:
    objective, rows = around.objective, len(mine.records)
    if objective is None or not rows:
        return None
    whole = around.kind in ("accuracy", "agreement")
    good = 0
    for n, record in mine.records.items():
        took = elapsed(record, around.rate)
        right = mine.scores.get(n) == 1 if whole else record.error is None
        good += right and took is not None and took <= objective
    bounds = share_interval(good, rows)
    rate = None if around.rate_each is None else around.rate_each * good / rows
    if mine.wall_s:
        rate = good / mine.wall_s
    return Goodput(objective_s=objective, share=good / rows, share_interval=bounds or (0.0, 1.0), rows_per_s=rate)


def total_cost(records: Iterable[Record]) -> Decimal | None:
    """US dollars of all records together; None when one of them has no known cost."""
    total = Decimal(0)
    for record in records:
        billed = record.billed()
        if billed is None:
            return None
        total += billed
    return total


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
    """The lowest cost per 1,000 correct rows; without a truth, per 1,000 rows of those not proven worse."""
    able = {name: v for name, v in variants.items() if priced_by_correct or v.verdict != "worse"}
    costs = {name: v.cost_per_1000_correct if priced_by_correct else v.cost_per_1000 for name, v in able.items()}
    known = {name: cost for name, cost in costs.items() if cost is not None}
    return min(known, key=lambda name: known[name]) if len(known) == len(costs) else None
