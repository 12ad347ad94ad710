"""What a comparison found, in words: a table, and a verdict for each candidate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from trivet.comparison.result import Bounds, Comparison, Reach, Variant, VariantLatency
from trivet.markup import tag
from trivet.stats.noninferiority import rows_needed_if_all_agree
from trivet.wording import SIMULATED, dollars, one_line, seconds

NAMES = {"accuracy": "right", "agreement": "as the baseline", "score": "score"}


def whole(comparison: Comparison) -> str:
    """The table, what is to be known about it, and the verdicts."""
    return "\n".join([*table(comparison), "", *verdicts(comparison), *notes(comparison)])


def table(comparison: Comparison) -> list[str]:
    """A line a figure, a column a variant."""
    rows = _rows(comparison)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [_line(row, widths) for row in rows]


def _rows(comparison: Comparison) -> list[list[str]]:
    variants = list(comparison.variants.values())
    rows = [["", *comparison.variants]]
    rows.append([NAMES[comparison.quality], *(_quality(v, comparison.rows) for v in variants)])
    for label, show in _LINES:
        cells = [show(variant) for variant in variants]
        if any(cell != "-" for cell in cells):
            rows.append([label, *cells])
    return rows


def html(comparison: Comparison) -> str:
    """The same as HTML, for notebooks."""
    head, *lines = _rows(comparison)
    said = [tag("li", one_line(text, 600)) for text in (*verdicts(comparison), *notes(comparison))]
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
    return [f"{name}: {sentence}" for name, sentence in sentences(comparison)]


def sentences(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Each candidate with what is to be said of it."""
    for name, variant in comparison.variants.items():
        if name != comparison.baseline:
            yield name, _sentence(variant, comparison)


def notes(comparison: Comparison) -> list[str]:
    """What else has to be known to read the figures rightly."""
    found = [_noise(comparison), _early(comparison), _spent(comparison), _winner(comparison), _bias(comparison)]
    return [text for text in found if text]


def _sentence(variant: Variant, comparison: Comparison) -> str:
    base = comparison.variants[comparison.baseline]
    for name, failed in (("it", variant.failed), (f"the baseline {comparison.baseline}", base.failed)):
        if comparison.rows and failed >= comparison.rows:
            return f"nothing to compare: every row of {name} failed."
    margin = points(comparison.margin)
    answers = _answers(variant, comparison)
    if variant.verdict == "not_worse":
        return f"proven not worse (margin {margin}), {_joined(variant)}; {answers}."
    if variant.verdict == "worse":
        return f"proven worse by more than {margin}; {_cost(variant)}; {answers}."
    return f"{_cost(variant)} on these rows; {answers}, {_not_proven(variant, comparison, margin)}."


def points(share: float) -> str:
    """A share of the rows as points."""
    return "1 point" if abs(share - 0.01) < 1e-12 else f"{share * 100:.3g} points"


def _answers(variant: Variant, comparison: Comparison) -> str:
    same = f"same answer on {variant.agree} of {comparison.rows}"
    base = comparison.variants[comparison.baseline]
    if comparison.quality == "accuracy":
        return f"{same} (right on {variant.right}, {comparison.baseline} on {base.right})"
    if comparison.quality == "score" and variant.quality is not None and base.quality is not None:
        return f"{same} (score {variant.quality:.3f}, {comparison.baseline} {base.quality:.3f})"
    return same


def _not_proven(variant: Variant, comparison: Comparison, margin: str) -> str:
    if not comparison.rows:
        return "not proven: there is no row to judge by"
    least = rows_needed_if_all_agree(comparison.margin, variant.level or comparison.alpha)
    if variant.agree == comparison.rows:
        return f"which proves little: at a margin of {margin} at least {least} rows are needed even if all agree"
    if variant.rows_needed is None:
        return f"not proven: it lost the margin of {margin} or more here, though too few rows to be sure"
    return f"not proven: at a margin of {margin} about {variant.rows_needed:,} more rows would do"


def _joined(variant: Variant) -> str:
    ratio, bounds = variant.cost_ratio, variant.cost_ratio_interval
    shown = ratio is not None and bounds is not None and (bounds[1] < 1 or bounds[0] > 1)
    if not shown or ratio is None:
        return f"but the cost is not shown to differ: {_cost(variant)}" if ratio is not None else "cost not known"
    return f"and {_cost(variant)}" if ratio < 1 else f"but {_cost(variant)}"


def _cost(variant: Variant) -> str:
    """How the cost compares, with its interval."""
    if variant.cost_ratio is None:
        return "cost not known"
    bounds = variant.cost_ratio_interval
    change = round((variant.cost_ratio - 1) * 100)
    if change == 0:
        around = "" if bounds is None else f" [{_percent(bounds[0])}, {_percent(bounds[1])} %]"
        return f"as expensive{around}"
    return change_in_words(variant.cost_ratio, bounds, "cheaper", "dearer")


def change_in_words(ratio: float, bounds: Bounds | None, less: str, more: str) -> str:
    """`cheaper by 38 % [33, 42]`, for a ratio of 0.62 between 0.58 and 0.67."""
    fewer = ratio < 1
    ends = () if bounds is None else sorted(round((1 - b if fewer else b - 1) * 100) for b in bounds)
    around = f" [{ends[0]}, {ends[1]}]" if ends else ""
    return f"{less if fewer else more} by {abs(round((ratio - 1) * 100))} %{around}"


def _percent(ratio: float) -> str:
    return f"{round((ratio - 1) * 100):+d}"


def _noise(comparison: Comparison) -> str:
    floor = comparison.noise_floor
    if floor is None:
        return ""
    text = f"noise: asked a second time, {comparison.baseline} came out otherwise by {points(floor)}"
    text += f" on {comparison.control_rows} rows"
    if comparison.margin < floor:
        return f"{text}; the margin of {points(comparison.margin)} is below that, so no sample makes it meaningful"
    return text


def _early(comparison: Comparison) -> str:
    if comparison.interrupted:
        return f"interrupted after {comparison.rows:,} of {comparison.planned:,} rows"
    if comparison.rows >= comparison.planned:
        return ""
    return f"stopped after {comparison.rows:,} of {comparison.planned:,} rows: no other row could change a verdict"


def _spent(comparison: Comparison) -> str:
    if comparison.spent_usd is None:
        return "spent: not known, as some prices are not"
    parts = [
        f"{dollars(amount)} for {what}"
        for what, amount in (("the second asking", comparison.control_usd), ("the judge", comparison.judge_usd))
        if amount
    ]
    return f"spent: {dollars(comparison.spent_usd)}{', of it ' if parts else ''}{' and '.join(parts)}"


def _winner(comparison: Comparison) -> str:
    name = comparison.most_cost_efficient
    kind = "per correct row" if comparison.quality == "accuracy" else "per row"
    return "" if name is None else f"most cost-efficient on these rows, {kind}: {name}"


def _bias(comparison: Comparison) -> str:
    bias = comparison.client_bias
    if bias is None:
        return ""
    highest = f"{bias.highest_rate:,.0f} calls/s at {bias.concurrency} at once"
    if not bias.trusted:
        return (
            f"latency is not told: at {bias.rate:,.0f} calls/s this client, which reaches {highest}, would measure "
            "itself; use --concurrency or --rate to ask more slowly"
        )
    return (
        f"of each latency, up to {seconds(bias.p50)} (p95 {seconds(bias.p95)}) is this client's; it reaches {highest}"
    )


def _quality(variant: Variant, rows: int) -> str:
    if variant.right is not None:
        return f"{variant.right}/{rows}"
    return "-" if variant.quality is None else f"{variant.quality:.3f}"


def _dollars(value: Decimal | None) -> str:
    return "-" if value is None else f"${value:.4f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _within(value: float | None, reach: Reach | None) -> str:
    if value is None:
        return "-"
    low, high = reach or (None, None)
    if low is None and high is None:
        return seconds(value)
    return f"{seconds(value)} [{seconds(low)}, {seconds(high)}]"


def _times(ratio: float | None, bounds: Bounds | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:.2f}x" + ("" if bounds is None else f" [{bounds[0]:.2f}, {bounds[1]:.2f}]")


def _correct(variant: Variant) -> str:
    bounds = variant.cost_per_1000_correct_interval
    around = "" if bounds is None else f" [{bounds[0]:.4f}, {bounds[1]:.4f}]"
    return _dollars(variant.cost_per_1000_correct) + around if variant.cost_per_1000_correct is not None else "-"


def _goodput(variant: Variant) -> str:
    found = variant.goodput
    if found is None:
        return "-"
    rate = "" if found.rows_per_s is None else f", {found.rows_per_s:.1f}/s"
    return f"{found.share * 100:.0f} % [{found.share_interval[0] * 100:.0f}, {found.share_interval[1] * 100:.0f}]{rate}"


def _lines_of(name: str, of: Callable[[Variant], VariantLatency | None]) -> list[tuple[str, Callable[[Variant], str]]]:
    def shown(percentile: str) -> Callable[[Variant], str]:
        def show(variant: Variant) -> str:
            found = of(variant)
            return "-" if found is None else _within(
                getattr(found, percentile), getattr(found, f"{percentile}_interval")
            )  # fmt: skip

        return show

    def mean(variant: Variant) -> str:
        found = of(variant)
        return "-" if found is None else seconds(found.mean)

    return [(f"{name}, mean", mean), *((f"{name}, {p}", shown(p)) for p in ("p50", "p90", "p95", "p99"))]


_LINES: list[tuple[str, Callable[[Variant], str]]] = [
    ("failed rows", lambda v: str(v.failed)),
    ("not judged", lambda v: str(v.unjudged) if v.unjudged else "-"),
    ("total time, alone", lambda v: seconds(v.wall_s)),
    *_lines_of("latency", lambda v: v.latency_s),
    ("latency, against it", lambda v: _times(v.latency_ratio, v.latency_ratio_interval)),
    ("waiting, mean", lambda v: seconds(v.latency_s.waited_mean)),
    *_lines_of("first token", lambda v: v.ttft_s),
    ("right within objective", _goodput),
    ("input, characters", lambda v: _number(v.input_chars_mean)),
    ("output, characters", lambda v: _number(v.output_chars_mean)),
    ("input tokens", lambda v: f"{v.tokens.input:,}"),
    ("output tokens", lambda v: f"{v.tokens.output:,}"),
    ("cost per 1,000 rows", lambda v: _dollars(v.cost_per_1000)),
    ("cost per 1,000 correct", _correct),
    ("cost, against it", lambda v: _times(v.cost_ratio, v.cost_ratio_interval)),
]
