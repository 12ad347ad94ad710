"""The sections of one comparison: verdicts, quality against its margin, cost against quality, row against row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trivet.markup import Markup, join, tag
from trivet.reporting import axes, parts
from trivet.reporting.axes import Scale, up_to
from trivet.reporting.charts import Chart
from trivet.reporting.curves import curves
from trivet.reporting.figures import ComparisonFigures, Paired, VariantFigures
from trivet.wording import dollars, one_line, seconds

VERDICTS = {
    "not_worse": ("proven not worse", "good"),
    "worse": ("proven worse", "bad"),
    "not_proven": ("not proven", "open"),
}
DOTS = ("k1", "k4", "k5", "k2", "k3", "k6")


def comparison_sections(found: ComparisonFigures, name: str) -> Markup:
    """A whole comparison, as a section of the page with sections of its own. `name`: unique on the page."""
    return parts.section(
        name,
        tag("bdi", one_line(found.name, 100)),
        _about(found),
        None if found.state == "finished" else parts.note(
            "This comparison has no end: it is still running, or was cut off. What its variants' records hold is below."
        ),
        [_verdict(variant) for variant in found.variants if variant.sentence or variant.verdict],
        _figures(found, name),
        _quality(found, name),
        _plane(found, name),
        _paired(found, name),
        _latency(found, name),
    )  # fmt: skip


def _about(found: ComparisonFigures) -> Markup:
    figures = found.figures
    words = [one_line(Path(found.task).name, 100), one_line(Path(found.data).name, 100)]
    shown: list[tuple[str, Callable[[Any], str]]] = [
        ("rows", lambda rows: f"{rows:,} rows"),
        ("margin", lambda margin: f"margin {axes.share(margin)}"),
        ("alpha", lambda alpha: f"level {axes.share(alpha)}"),
        ("noise_floor", lambda floor: f"noise of the baseline {axes.share(floor)}"),
        ("client_bias.p50", lambda bias: f"of each latency {seconds(bias)} are the client's"),
        ("spent_usd", lambda usd: f"spent {dollars(axes.exact(usd))}"),
    ]
    words += [show(value) for name, show in shown if (value := look_up(figures, name)) is not None]
    return tag("p", [tag("span", tag("bdi", each)) for each in words if each], class_="about")


def _verdict(variant: VariantFigures) -> Markup:
    words, kind = VERDICTS.get(variant.verdict or "", ("no verdict", "open"))
    badge = tag("span", words, class_=f"badge {kind}", data_figure=f"{variant.name}.verdict")
    head = tag("p", tag("strong", tag("bdi", one_line(variant.name, 60))), " ", badge)
    return tag("div", head, tag("p", one_line(variant.sentence, 600)), class_=f"verdict {kind}")


Line = tuple[str, str, Callable[[Any], str]]

_LINES: list[Line] = [
    ("Quality", "quality", axes.share),
    ("Difference of quality", "quality_diff", lambda v: _points(v)),
    ("Failed rows", "failed", lambda v: f"{v:,}"),
    ("US dollars per 1,000 rows", "cost_per_1000", lambda v: dollars(axes.exact(v))),
    ("US dollars per 1,000 correct", "cost_per_1000_correct", lambda v: dollars(axes.exact(v))),
    ("Cost, times the baseline's", "cost_ratio", axes.times),
    ("Latency, mean", "latency_s.mean", seconds),
    ("Latency, p50", "latency_s.p50", seconds),
    ("Latency, p95", "latency_s.p95", seconds),
    ("Latency, times the baseline's", "latency_ratio", axes.times),
    ("First token, p50", "ttft_s.p50", seconds),
    ("First token, p95", "ttft_s.p95", seconds),
    ("Right within the objective", "goodput.share", axes.share),
    ("Total time, alone", "wall_s", seconds),
    ("Tokens in", "tokens.input", lambda v: f"{v:,}"),
    ("Tokens out", "tokens.output", lambda v: f"{v:,}"),
    ("Characters in, mean", "input_chars_mean", lambda v: f"{v:,.1f}"),
    ("Characters out, mean", "output_chars_mean", lambda v: f"{v:,.1f}"),
]


def _figures(found: ComparisonFigures, name: str) -> Markup | None:
    heads: list[object] = [""]
    for variant in found.variants:
        lesser = tag("small", " baseline") if variant.baseline else None
        heads.append(join(tag("bdi", one_line(variant.name, 40)), lesser))
    rows = []
    for label, path, show in _LINES:
        cells = [_cell(variant, path, show) for variant in found.variants]
        if any(cell is not None for cell in cells):
            rows.append([label, *cells])
    if not rows:
        return None
    kind = found.figures.get("quality")
    caption = f"Figures by variant; quality is {kind}" if isinstance(kind, str) else "Figures by variant"
    whole = parts.table(caption, heads, rows, name=f"{name}-figures-table", words=(), hidden=True)
    return parts.section(f"{name}-figures", caption, whole, level=3)


def _cell(variant: VariantFigures, path: str, show: Callable[[Any], str]) -> Markup | None:
    value = look_up(variant.figures, path)
    if value is None:
        return None
    bounds: Any = look_up(variant.figures, f"{path.removesuffix('_diff')}_interval") if path != "quality" else None
    around = tag("span", f"{show(bounds[0])} to {show(bounds[1])}", class_="bounds") if _is_pair(bounds) else None
    return join(parts.figure(value, show(value), f"{variant.name}.{path}"), around)


def look_up(figures: Any, path: str) -> Any:
    """A number, or a pair of them where its name says so, at a dotted place; None where there is none."""
    for step in path.split("."):
        figures = figures.get(step) if isinstance(figures, dict) else None
    known = _is_pair(figures) if path.endswith("_interval") else _is_number(figures)
    return figures if known else None


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


_LARGEST = 1e15
"""A figure beyond which something is wrong."""


def _points(value: float) -> str:
    return f"{value * 100:+.2g} points".replace("-", "−") if value else "0 points"


def _quality(found: ComparisonFigures, name: str) -> Markup | None:
    """The difference of quality of each candidate with its interval, against none and against the margin."""
    drawable = [
        (variant, look_up(variant.figures, "quality_diff"), look_up(variant.figures, "quality_interval"))
        for variant in found.variants
        if look_up(variant.figures, "quality_diff") is not None and _is_pair(variant.figures.get("quality_interval"))
    ]
    margin = look_up(found.figures, "margin")
    if not drawable or margin is None:
        return None
    low = min([-margin, *(bounds[0] for _, _, bounds in drawable)])
    high = max([margin, *(bounds[1] for _, _, bounds in drawable)])
    room = (high - low) * 0.08
    told = "; ".join(f"{v.name} {_points(d)}, {_points(b[0])} to {_points(b[1])}" for v, d, b in drawable)
    chart = Chart(
        name=f"{name}-quality-chart",
        title="Difference of quality to the baseline, with its interval",
        told=told,
        x=Scale(low - room, high + room),
        y=Scale(0.0, 1.0),
        over=36,
        height=46 * len(drawable),
    )
    chart.add(tag("line", x1=0, x2="100%", y1=chart.down(0.0), y2=chart.down(0.0), class_="base"))
    chart.upright(0.0, "grid", "no difference", 1)
    chart.upright(-margin, "limit", f"margin {_points(-margin)}", 0)
    for row, (variant, difference, bounds) in enumerate(drawable):
        y = chart.over + 46 * row + 32
        kind = VERDICTS.get(variant.verdict or "", ("", "open"))[1]
        chart.add(
            tag("text", one_line(variant.name, 40), x=0, y=y - 12, class_="name halo"),
            tag("line", x1=chart.across(bounds[0]), x2=chart.across(bounds[1]), y1=y, y2=y, class_=f"span {kind}"),
            tag("circle", cx=chart.across(difference), cy=y, r=6, class_=f"dot {kind}"),
        )
    chart.below(_points, 4)
    level = 1 - 2 * (look_up(found.figures, "alpha") or 0.05)
    lead = (
        f"Paired, row by row, with its {axes.share(level)} interval. A candidate whose whole interval lies right of "
        "the margin is proven not worse; one whose interval lies left of it, worse."
    )
    drawn = parts.drawn(chart.draw(), "Points of quality, candidate minus baseline.")
    return parts.section(f"{name}-quality", "Is it worse?", drawn, level=3, lead=lead)


def _plane(found: ComparisonFigures, name: str) -> Markup | None:
    """Cost against quality, and the variants that no other one beats in both."""
    points = [
        (variant.name, cost, quality)
        for variant in found.variants
        if (cost := look_up(variant.figures, "cost_per_1000")) is not None
        and (quality := look_up(variant.figures, "quality")) is not None
    ]
    if len(points) < 2:
        return None
    best = frontier([(cost, quality) for _, cost, quality in points])
    qualities = [quality for _, _, quality in points]
    low, high = min(qualities), max(qualities)
    room = max(0.01, (high - low) * 0.25)
    told = "; ".join(f"{each}: {axes.money(cost)} per 1,000 rows, quality {axes.share(q)}" for each, cost, q in points)
    chart = Chart(
        name=f"{name}-plane-chart",
        title="Cost and quality of the variants",
        told=told,
        x=up_to(max(cost for _, cost, _ in points) * 1.08, 5),
        y=Scale(max(0.0, low - room), min(1.0 + room / 4, high + room)),
        height=220,
    )
    chart.grid(axes.share, 4)
    chart.curve(best, "frontier", steps=True)
    for k, (each, cost, quality) in enumerate(points):
        chart.dot(cost, quality, f"dot {DOTS[k % len(DOTS)]}", one_line(each, 30), radius=7)
    chart.below(axes.money)
    words = "US dollars per 1,000 rows against quality. The line joins what no other variant beats in both."
    winner = found.figures.get("most_cost_efficient")
    lead = f"Most for the money: {one_line(winner, 60)}." if isinstance(winner, str) else ""
    return parts.section(f"{name}-plane", "Cost and quality", parts.drawn(chart.draw(), words), level=3, lead=lead)


def frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that none other beats: of those as cheap, the best; dearer ones only where they are better."""
    kept: list[tuple[float, float]] = []
    for cost, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or quality > kept[-1][1]:
            kept.append((cost, quality))
    return kept


def _paired(found: ComparisonFigures, name: str) -> Markup | None:
    charts = [
        (variant, pair, f"{name}-pair-{k}-{pair.figure}")
        for k, variant in enumerate(found.variants)
        for pair in variant.paired
        if pair.bars[-1][1] > pair.bars[0][0]
    ]
    if not charts:
        return None
    lead = (
        "The same row, asked of both and at about the same time: how many times the baseline's latency or cost the "
        "candidate took. Rows that failed on either side are left out."
    )
    return parts.section(
        f"{name}-pairs",
        "Row against row",
        tag("div", [_pair(*each) for each in charts], class_="pairs"),
        level=3,
        lead=lead,
    )


def _pair(variant: VariantFigures, pair: Paired, name: str) -> Markup:
    low, high = min(pair.bars[0][0], 0.98), max(pair.bars[-1][1], 1.02)
    less = "faster" if pair.figure == "latency" else "cheaper"
    more = "slower" if pair.figure == "latency" else "dearer"
    words = f"{less} on {pair.less:,} of {pair.rows:,} rows, {more} on {pair.more:,}"
    total = "" if pair.ratio is None else f"; in total {axes.times(pair.ratio)}"
    chart = Chart(
        name=name,
        title=f"{variant.name}: {pair.figure} of each row, times the baseline's",
        told=words + total,
        x=Scale(low, high, high / low > 2),
        y=up_to(max(count for _, _, count in pair.bars), 3),
        height=110,
        over=30,
    )
    chart.grid(axes.amount, 3)
    chart.bars(pair.bars, "k1" if pair.figure == "latency" else "k4")
    chart.upright(1.0, "limit", "same")
    chart.below(axes.times, 4)
    caption = join(tag("strong", tag("bdi", one_line(variant.name, 40))), f", {pair.figure}: {words}{total}.")
    return parts.drawn(chart.draw(), caption)


def _latency(found: ComparisonFigures, name: str) -> Markup | None:
    samples = [(v.name, v.run.latency) for v in found.variants if v.run is not None and v.run.latency is not None]
    if len(samples) < 2:
        return None
    return parts.section(f"{name}-curves", "How long replies took", curves(samples, f"{name}-latency"), level=3)
