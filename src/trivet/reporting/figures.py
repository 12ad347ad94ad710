"""What the page shows, as plain figures: what `trivet report --json` prints.

Durations are seconds, money is US dollars, `at` is Unix time. A figure that is not known is None.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from trivet.summary import Summary

State = Literal["finished", "interrupted", "unfinished"]


class Kind(Struct, frozen=True, kw_only=True):
    """A part of the bill: what was paid for, and for how many tokens where it goes by tokens."""

    name: str
    tokens: int | None
    usd: Decimal


class Saving(Struct, frozen=True, kw_only=True):
    """What was not paid, and why: `count` says of what there were so many."""

    name: str
    count: int
    unit: str
    usd: Decimal | None


class Costs(Struct, frozen=True, kw_only=True):
    """The bill by kind. `usd`: all of it, where all prices are known; the kinds add up to it.

    `unpriced`: calls whose cost is not known. `without_result`: what of it was paid for rows that failed.
    """

    usd: Decimal | None
    kinds: tuple[Kind, ...]
    unpriced: int
    without_result: Decimal
    savings: tuple[Saving, ...]
    tiers: dict[str, int]
    prices_as_of: str


class Percentile(Struct, frozen=True, kw_only=True):
    """A percentile with the bounds that hold it with 95 % confidence; None where the sample is too small for them."""

    name: str
    seconds: float
    low: float | None
    high: float | None


class Distribution(Struct, frozen=True, kw_only=True):
    """A sample of durations. `bars`: lower bound, upper bound, count; `curve`: seconds and the share at or below."""

    count: int
    mean: float
    least: float
    most: float
    percentiles: tuple[Percentile, ...]
    bars: tuple[tuple[float, float, int], ...]
    curve: tuple[tuple[float, float], ...]


class Limit(Struct, frozen=True, kw_only=True):
    """The limits a minute that the provider named from `second` of the time line on."""

    second: float
    requests: int | None
    tokens: int | None


class TimeLine(Struct, frozen=True, kw_only=True):
    """A run over time, in steps of `step` seconds from `at` on; pauses of over ten minutes are cut out.

    `in_flight`: attempts under way, the mean of each step; `requests` and `tokens` a minute, `refused` (for pace) and
    `failed` attempts in each step. `cuts`: where a pause was cut out, and how long it was.
    """

    at: float
    step: float
    in_flight: tuple[float, ...]
    requests: tuple[float, ...]
    tokens: tuple[float, ...]
    refused: tuple[int, ...]
    failed: tuple[int, ...]
    limits: tuple[Limit, ...]
    cuts: tuple[tuple[float, float], ...]


class Call(Struct, frozen=True, kw_only=True):
    """One row's call. `output` and `message` only where text may be shown, labels apart; `id` never holds text."""

    n: int
    id: int | str
    error: str | None
    output: str | None
    message: str | None
    text: str | None
    source: str | None
    latency: float | None
    queued: float
    attempts: int
    refused: int
    input_tokens: int | None
    output_tokens: int | None
    usd: Decimal | None
    second: float | None


class Failed(Struct, frozen=True, kw_only=True):
    """The rows that failed for one reason: how many, why in words, and the first few."""

    code: str
    count: int
    reason: str
    usd: Decimal | None
    rows: tuple[Call, ...]


class RunFigures(Struct, frozen=True, kw_only=True):
    """One run. `summary` is what the run itself printed, or of a run without an end, what its records come to.

    `damaged`: lines of the ledger that can't be read. `labels`: rows by output where the outputs are labels, or
    where text may be shown and they are few.
    """

    name: str
    folder: str
    task: str
    data: str
    model: str
    provider: str
    simulated: bool
    version: str
    state: State
    at: float
    finished_at: float | None
    summary: Summary
    damaged: int
    costs: Costs
    latency: Distribution | None
    ttft: Distribution | None
    queued: Distribution | None
    timeline: TimeLine | None
    slowest: tuple[Call, ...]
    dearest: tuple[Call, ...]
    failed: tuple[Failed, ...]
    labels: dict[str, int]


class Paired(Struct, frozen=True, kw_only=True):
    """A candidate against the baseline, row by row. `bars`: of the ratio candidate / baseline, as in `Distribution`.

    `less`, `more`: rows on which the candidate took less, or more; `ratio`: of the totals.
    """

    figure: str
    rows: int
    less: int
    more: int
    ratio: float | None
    bars: tuple[tuple[float, float, int], ...]


class VariantFigures(Struct, frozen=True, kw_only=True):
    """One variant of a comparison; those of the comparison with the baseline are None for the baseline."""

    name: str
    baseline: bool
    verdict: str | None
    sentence: str
    figures: dict[str, Any]
    run: RunFigures | None
    paired: tuple[Paired, ...]


class ComparisonFigures(Struct, frozen=True, kw_only=True):
    """One comparison. `figures` is what `trivet compare --json` prints, without the variants; empty without an end."""

    name: str
    folder: str | None
    task: str
    data: str
    state: State
    simulated: bool
    at: float | None
    figures: dict[str, Any]
    variants: tuple[VariantFigures, ...]


class Step(Struct, frozen=True, kw_only=True):
    """One step of improving a task: a change, measured against the best so far."""

    change: str
    verdict: str | None
    kept: bool
    quality: float | None
    cost_per_1000: float | None
    at: float | None


class Staircase(Struct, frozen=True, kw_only=True):
    """The steps written to one `experiments.jsonl`, oldest first."""

    name: str
    steps: tuple[Step, ...]
    damaged: int


class Figures(Struct, frozen=True, kw_only=True):
    """All that one page shows. `page`: where it was written."""

    version: str
    written_at: float
    with_text: bool
    page: str | None
    runs: tuple[RunFigures, ...]
    comparisons: tuple[ComparisonFigures, ...]
    staircases: tuple[Staircase, ...]

    @property
    def simulated(self) -> bool:
        """Whether anything on the page was made up by the simulator."""
        return any(run.simulated for run in self.runs) or any(each.simulated for each in self.comparisons)
