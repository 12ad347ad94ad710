"""What a comparison found: plain figures, and the same in words - a table, and a verdict for each candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from trivet.markup import tag
from trivet.reporting.saved import SavedComparison, encode
from trivet.stats.noninferiority import rows_needed_if_all_agree
from trivet.wording import SIMULATED, one_line, seconds

NAMES = {"accuracy": "right", "agreement": "as the baseline"}


class VariantLatency(Struct, frozen=True, kw_only=True):
    """Seconds a reply; None where the sample can't support it."""

    mean: float | None
    p50: float | None
    p95: float | None


class VariantTokens(Struct, frozen=True, kw_only=True):
    """Tokens billed over all rows of the variant."""

    input: int
    output: int


class Variant(Struct, frozen=True, kw_only=True):
    """One variant's figures; those of the comparison are None for the baseline itself.

    `agree`: rows with the baseline's answer. `verdict`: not_worse | worse | not_proven. `rows_needed`: further
    rows that would settle it at the observed rates. Costs in US dollars, `wall_s` only when timed alone.
    """

    quality: float | None
    right: int
    agree: int | None
    quality_diff: float | None
    quality_interval: tuple[float, float] | None
    verdict: str | None
    rows_needed: int | None
    failed: int
    cost_per_1000: Decimal | None
    cost_per_1000_correct: Decimal | None
    cost_ratio: float | None
    cost_ratio_interval: tuple[float, float] | None
    latency_s: VariantLatency
    latency_ratio: float | None
    latency_ratio_interval: tuple[float, float] | None
    wall_s: float | None
    tokens: VariantTokens
    input_chars_mean: float | None
    output_chars_mean: float | None


class Comparison(Struct, frozen=True, kw_only=True):
    """A whole comparison. `margin`: the loss of quality that would still be accepted, as a share of the rows."""

    baseline: str
    rows: int
    quality: str
    margin: float
    alpha: float
    noise_floor: float | None
    spent_usd: Decimal | None
    most_cost_efficient: str | None
    simulated: bool
    folder: str | None
    variants: dict[str, Variant]

    def __str__(self) -> str:
        return "\n".join([*table(self), "", *verdicts(self)])

    def saved(self) -> bytes:
        """The comparison as `trivet.report` draws it where its records were not kept."""
        return encode(SavedComparison(name="comparison", **drawable(self)))

    def _repr_html_(self) -> str:
        return html(self)


def table(comparison: Comparison) -> list[str]:
    """A line a figure, a column a variant."""
    rows = _rows(comparison)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [_line(row, widths) for row in rows]


def _rows(comparison: Comparison) -> list[list[str]]:
    names = list(comparison.variants)
    variants = list(comparison.variants.values())
    rows = [["", *names]]
    for label, show in _LINES:
        cells = [show(variant) for variant in variants]
        if any(cell != "-" for cell in cells):
            rows.append([label, *cells])
    rows.insert(1, [NAMES[comparison.quality], *(_share(v.right, comparison.rows) for v in variants)])
    return rows


def drawable(comparison: Comparison) -> dict[str, Any]:
    """What is drawn of it beside its records: its figures, and a sentence for each candidate."""
    return {
        "figures": msgspec.json.decode(_json(comparison)),
        "verdicts": {
            name: _sentence(variant, comparison)
            for name, variant in comparison.variants.items()
            if name != comparison.baseline
        },
    }


_json = msgspec.json.Encoder(decimal_format="number").encode


def html(comparison: Comparison) -> str:
    """The same as HTML, for notebooks."""
    head, *lines = _rows(comparison)
    said = [tag("li", one_line(text, 600)) for text in verdicts(comparison)]
    simulated = tag("p", tag("strong", SIMULATED)) if comparison.simulated else None
    top = tag("thead", tag("tr", [tag("th", one_line(cell, 60), scope="col") for cell in head]))
    body = [
        tag("tr", tag("th", label, scope="row"), [tag("td", one_line(cell, 60)) for cell in cells])
        for label, *cells in lines
    ]
    return tag("div", simulated, tag("table", top, tag("tbody", body)), tag("ul", said))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    return "  ".join([first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))])


def verdicts(comparison: Comparison) -> list[str]:
    """One sentence for each variant but the baseline."""
    return [
        f"{name}: {_sentence(variant, comparison)}"
        for name, variant in comparison.variants.items()
        if name != comparison.baseline
    ]


def _sentence(variant: Variant, comparison: Comparison) -> str:
    base = comparison.variants[comparison.baseline]
    for name, failed in (("it", variant.failed), (f"the baseline {comparison.baseline}", base.failed)):
        if comparison.rows and failed >= comparison.rows:
            return f"nothing to compare: every row of {name} failed."
    points = f"{comparison.margin * 100:g} points" if comparison.margin != 0.01 else "1 point"
    answers = _answers(variant, comparison)
    if variant.verdict == "not_worse":
        return f"proven not worse (margin {points}), and {_cost(variant)}; {answers}."
    if variant.verdict == "worse":
        return f"proven worse by more than {points}; {_cost(variant)}; {answers}."
    return f"{_cost(variant)} on these rows; {answers}, {_not_proven(variant, comparison, points)}."


def _answers(variant: Variant, comparison: Comparison) -> str:
    same = f"same answer on {variant.agree} of {comparison.rows}"
    if comparison.quality == "agreement":
        return same
    base = comparison.variants[comparison.baseline]
    return f"{same} (right on {variant.right}, {comparison.baseline} on {base.right})"


def _not_proven(variant: Variant, comparison: Comparison, points: str) -> str:
    least = rows_needed_if_all_agree(comparison.margin, comparison.alpha)
    if variant.agree == comparison.rows:
        return f"which proves little: at a margin of {points} at least {least} rows are needed even if all agree"
    if variant.rows_needed is None:
        return f"not proven: it lost more than the margin of {points} here, though too few rows to be sure"
    return f"not proven: at a margin of {points} about {variant.rows_needed:,} more rows would do"


def _cost(variant: Variant) -> str:
    if variant.cost_ratio is None:
        return "cost not known"
    change = round((variant.cost_ratio - 1) * 100)
    if change == 0:
        return "as expensive"
    return f"{-change} % cheaper" if change < 0 else f"{change} % dearer"


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole}"


def _dollars(value: Decimal | None) -> str:
    return "-" if value is None else f"${value:.4f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


_LINES: list[tuple[str, Callable[[Variant], str]]] = [
    ("failed rows", lambda v: str(v.failed)),
    ("total time, alone", lambda v: seconds(v.wall_s)),
    ("latency, mean", lambda v: seconds(v.latency_s.mean)),
    ("latency, p50", lambda v: seconds(v.latency_s.p50)),
    ("latency, p95", lambda v: seconds(v.latency_s.p95)),
    ("input, characters", lambda v: _number(v.input_chars_mean)),
    ("output, characters", lambda v: _number(v.output_chars_mean)),
    ("input tokens", lambda v: f"{v.tokens.input:,}"),
    ("output tokens", lambda v: f"{v.tokens.output:,}"),
    ("cost per 1,000 rows", lambda v: _dollars(v.cost_per_1000)),
    ("cost per 1,000 correct", lambda v: _dollars(v.cost_per_1000_correct)),
]
