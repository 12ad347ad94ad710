"""What a comparison found, as plain figures; in words it is in `words`."""

from __future__ import annotations

import importlib
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from trivet.comparison.bias import Bias
from trivet.reporting.saved import SavedComparison, encode

Bounds = tuple[float, float]
Reach = tuple[float | None, float | None]
"""Bounds of a percentile, None where the sample does not reach so far."""


class VariantLatency(Struct, frozen=True, kw_only=True):
    """Seconds a reply; None where the sample can't support it. Bounds hold the true percentile with 95 % confidence.

    `waited_mean`: of a schedule, seconds of it that a call waited for its turn (they are in the latency).
    """

    mean: float | None
    p50: float | None
    p50_interval: Reach | None = None
    p90: float | None = None
    p90_interval: Reach | None = None
    p95: float | None = None
    p95_interval: Reach | None = None
    p99: float | None = None
    p99_interval: Reach | None = None
    waited_mean: float | None = None


class VariantTokens(Struct, frozen=True, kw_only=True):
    """Tokens billed over all rows of the variant."""

    input: int
    output: int


class Goodput(Struct, frozen=True, kw_only=True):
    """Rows that were answered rightly within the objective: their share, and how many a second.

    `rows_per_s`: of the pass alone, or at the rate of the schedule; None where there is neither.
    """

    objective_s: float
    share: float
    share_interval: Bounds
    rows_per_s: float | None


class Variant(Struct, frozen=True, kw_only=True):
    """One variant's figures; those of the comparison are None for the baseline itself.

    `agree`: rows with the baseline's answer. `verdict`: not_worse | worse | not_proven. `p_value`: one-sided, of a loss
    of the margin or more; `level`: what Holm's procedure holds it against. `rows_needed`: further rows that would
    settle it at the observed rates. Costs in US dollars, `wall_s` only when timed alone. `unjudged`: rows that a judge
    gave no verdict on, and that are left out of the quality.
    """

    quality: float | None
    right: int | None
    agree: int | None
    quality_diff: float | None
    quality_interval: Bounds | None
    verdict: str | None
    p_value: float | None
    level: float | None
    rows_needed: int | None
    failed: int
    unjudged: int
    cost_per_1000: Decimal | None
    cost_per_1000_correct: Decimal | None
    cost_per_1000_correct_interval: Bounds | None
    cost_ratio: float | None
    cost_ratio_interval: Bounds | None
    latency_s: VariantLatency
    latency_ratio: float | None
    latency_ratio_interval: Bounds | None
    ttft_s: VariantLatency | None
    goodput: Goodput | None
    wall_s: float | None
    tokens: VariantTokens
    input_chars_mean: float | None
    output_chars_mean: float | None


class Comparison(Struct, frozen=True, kw_only=True):
    """A whole comparison. `margin`: the loss of quality that would still be accepted, as a share of the rows.

    `rows`: those that every variant was asked; `planned`: those there are. `noise_floor`: the share of `control_rows`
    on which the baseline, asked a second time, came out otherwise. `spent_usd`: everything, `control_usd` and
    `judge_usd` included. `client_bias`: what the client adds to each latency. `rate`: calls a second of the schedule.
    `interrupted`: it was stopped, and is taken up by the same command.
    """

    baseline: str
    rows: int
    planned: int
    quality: str
    scorer: str
    margin: float
    alpha: float
    noise_floor: float | None
    control_rows: int
    spent_usd: Decimal | None
    control_usd: Decimal | None
    judge_usd: Decimal | None
    most_cost_efficient: str | None
    client_bias: Bias | None
    rate: float | None
    interrupted: bool
    simulated: bool
    folder: str | None
    variants: dict[str, Variant]

    def __str__(self) -> str:
        return str(_words().whole(self))

    def saved(self) -> bytes:
        """The comparison as `trivet.report` draws it where its records were not kept."""
        return encode(SavedComparison(name="comparison", **drawable(self)))

    def _repr_html_(self) -> str:
        return str(_words().html(self))


def drawable(comparison: Comparison) -> dict[str, Any]:
    """What is drawn of it beside its records: its figures, and a sentence for each candidate."""
    return {
        "figures": msgspec.json.decode(_json(comparison)),
        "verdicts": dict(_words().sentences(comparison)),
    }


_json = msgspec.json.Encoder(decimal_format="number").encode


def _words() -> Any:
    # By name, as the words are built on the figures.
    return importlib.import_module("trivet.comparison.words")
