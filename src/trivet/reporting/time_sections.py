"""The sections of one run that are about time: how long replies took, and what happened when."""

from __future__ import annotations

from collections.abc import Sequence

from trivet.markup import Markup, join, tag
from trivet.reporting import axes, parts
from trivet.reporting.axes import Scale, up_to
from trivet.reporting.charts import Chart
from trivet.reporting.figures import Distribution, Limit, RunFigures, TimeLine
from trivet.reporting.sample import WIDE
from trivet.wording import seconds


def latency(run: RunFigures, name: str) -> Markup | None:
    """How long the replies took."""
    if run.latency is None:
        return None
    whole = run.latency
    left_out = "" if len(whole.percentiles) >= 4 else " Percentiles that so few replies can't support are left out."
    lead = (
        f"From the moment a call was due to its last byte, retries included, waiting for a permit apart: "
        f"{whole.count:,} replies of the provider; answers from the cache are not among them.{left_out}"
    )
    charts = [histogram(whole, f"{name}-latency-bars", "Latency of replies")]
    samples = [("latency", whole)]
    for title, sample in (("time to first token", run.ttft), ("waiting for a permit", run.queued)):
        if sample is not None:
            samples.append((title, sample))
    if run.ttft is not None:
        charts.append(tag("h4", "Time to first token"))
        charts.append(histogram(run.ttft, f"{name}-ttft-bars", "Time to first token"))
    return parts.section(
        f"{name}-latency", "How long replies took", charts, percentiles(samples, name), level=3, lead=lead
    )


def histogram(sample: Distribution, name: str, title: str) -> Markup:
    """Bars of a sample, with its percentiles marked."""
    known = sample.percentiles[:4]
    by_ratio = sample.least > 0 and sample.most / sample.least > WIDE
    told = f"{sample.count:,} values from {seconds(sample.least)} to {seconds(sample.most)}; " + ", ".join(
        f"{p.name} {seconds(p.seconds)}" for p in known
    )
    chart = Chart(
        name=name,
        title=title,
        told=told,
        x=Scale(sample.least, sample.most, by_ratio),
        y=up_to(max(count for _, _, count in sample.bars)),
        over=24 + 14 * len(known),
    )
    chart.grid(axes.amount)
    titles = [f"{axes.duration(low)} to {axes.duration(high)}: {n:,}" for low, high, n in sample.bars]
    chart.bars(sample.bars, "k1", titles)
    for row, p in enumerate(known):
        chart.upright(p.seconds, "cut", f"{p.name} {seconds(p.seconds)}", row)
    chart.below(axes.duration)
    rows = [(seconds(low), seconds(high), f"{n:,}") for low, high, n in sample.bars if n]
    heads = ("From", "To", "Replies")
    scale = "Replies by duration; each bar is as many times longer than the one before." if by_ratio else ""
    return parts.drawn(
        chart.draw(),
        scale or "Replies by duration.",
        parts.folded("The same as a table", parts.table(title, heads, rows, name=f"{name}-table", words=())),
    )


def percentiles(samples: Sequence[tuple[str, Distribution]], name: str) -> Markup:
    """The percentiles of several samples, each with its bounds."""
    heads: list[object] = ["Seconds of", "mean"]
    names = [p.name for p in max((sample for _, sample in samples), key=lambda s: len(s.percentiles)).percentiles]
    heads += [*names, "max"]
    rows = []
    for title, sample in samples:
        known = {p.name: p for p in sample.percentiles}
        row: list[object] = [title, parts.duration(sample.mean, f"{title}.mean")]
        for each in names:
            p = known.get(each)
            if p is None:
                row.append(None)
                continue
            low = "–" if p.low is None else seconds(p.low)
            high = "–" if p.high is None else seconds(p.high)
            bounds = tag("span", f"{low} to {high}", class_="bounds")
            row.append(join(parts.duration(p.seconds, f"{title}.{each}"), bounds))
        rows.append([*row, parts.duration(sample.most, f"{title}.max")])
    caption = "Percentiles; beneath each, the bounds that hold it with 95 % confidence"
    return parts.table(caption, heads, rows, name=f"{name}-percentiles")


def timeline(run: RunFigures, name: str) -> Markup | None:
    """What happened when."""
    line = run.timeline
    if line is None or len(line.in_flight) < 2:
        return None
    step = axes.duration(line.step)
    refused, failed = sum(line.refused), sum(line.failed)
    met = []
    if refused:
        met.append(f"{refused:,} refused for pace")
    if failed:
        met.append(f"{failed:,} failed otherwise")
    lead = f"Steps of {step}. Attempts: {run.summary.calls.attempts:,}" + (f", {', '.join(met)}." if met else ".")
    if line.cuts:
        lead += f" {len(line.cuts)} pause{'s' if len(line.cuts) > 1 else ''} cut out."
    return parts.section(
        f"{name}-time",
        "What happened when",
        parts.drawn(_in_flight(line, f"{name}-flight"), "Attempts in flight, the mean of each step."),
        parts.drawn(*_rate(line, f"{name}-rate")),
        parts.drawn(*_marks(line, f"{name}-marks")) if met else None,
        parts.folded("The same as a table", _steps(line, f"{name}-steps")),
        level=3,
        lead=lead,
    )


def _over_time(line: TimeLine, values: Sequence[float]) -> list[tuple[float, float]]:
    """A value for each step, drawn level from its beginning to its end."""
    points = [(k * line.step, value) for k, value in enumerate(values)]
    return [*points, (len(values) * line.step, values[-1])]


def _ground(line: TimeLine, name: str, title: str, told: str, most: float, height: int = 130) -> Chart:
    chart = Chart(
        name=name,
        title=title,
        told=told,
        x=Scale(0.0, len(line.in_flight) * line.step),
        y=up_to(most, 3),
        height=height,
    )
    for second, pause in line.cuts:
        chart.upright(second, "cut", f"{axes.duration(pause)} pause")
    return chart


def _in_flight(line: TimeLine, name: str) -> Markup:
    most = max(line.in_flight)
    told = f"At most {most:,.1f} attempts in flight in a step of {axes.duration(line.step)}"
    chart = _ground(line, name, "Attempts in flight over time", told, most)
    chart.grid(axes.amount, 3)
    chart.curve(_over_time(line, line.in_flight), "s1", steps=True, area="a1")
    chart.below(axes.duration)
    return chart.draw()


def _rate(line: TimeLine, name: str) -> tuple[Markup, Markup]:
    """The rate of what binds, requests or tokens, against its limit."""
    unit, values, limits = _binding(line)
    known = [limit for _, limit in limits]
    most = max([*values, *known])
    near = f"; the limit named last is {known[-1]:,}" if known else ""
    told = f"At most {max(values):,.0f} {unit} a minute{near}"
    chart = _ground(line, name, f"{unit.capitalize()} a minute over time", told, most)
    chart.grid(axes.amount, 3)
    chart.curve(_over_time(line, values), "s4", steps=True, area="a4")
    if limits:
        end = len(values) * line.step
        steps = [(second, float(limit)) for second, limit in limits]
        chart.curve([*steps, (end, steps[-1][1])], "limit", steps=True)
        y = chart.down(float(known[-1]))
        words = f"limit {axes.amount(known[-1])}/min"
        chart.add(tag("text", words, x="100%", y=y - 5, text_anchor="end", class_="mark halo"))
    chart.below(axes.duration)
    against = "against the limit that the provider named" if limits else "the provider named no limit"
    return chart.draw(), join(f"{unit.capitalize()} a minute, {against}.")


def _binding(line: TimeLine) -> tuple[str, Sequence[float], list[tuple[float, int]]]:
    """Requests or tokens, whichever came nearer to its limit."""
    used = {"requests": line.requests, "tokens": line.tokens}
    limits = {unit: _named(line.limits, unit) for unit in used}
    nearness = {unit: max(used[unit]) / max(v for _, v in limits[unit]) for unit in used if limits[unit]}
    unit = max(nearness, key=lambda each: nearness[each]) if nearness else "requests"
    return unit, used[unit], limits[unit]


def _named(limits: Sequence[Limit], unit: str) -> list[tuple[float, int]]:
    named = [(limit.second, getattr(limit, unit)) for limit in limits]
    return [(second, value) for second, value in named if value]


def _marks(line: TimeLine, name: str) -> tuple[Markup, Markup]:
    most = max(max(line.refused), max(line.failed))
    told = f"{sum(line.refused):,} refusals for pace and {sum(line.failed):,} other failed attempts"
    chart = Chart(
        name=name,
        title="Refusals and failed attempts over time",
        told=told,
        x=Scale(0.0, len(line.in_flight) * line.step),
        y=up_to(most, 2),
        height=56,
    )
    chart.grid(axes.amount, 2)
    for values, kind, shift in ((line.refused, "warn", 0.0), (line.failed, "bad", 0.5)):
        width = line.step / 2
        bars = [(k * line.step + shift * line.step, k * line.step + shift * line.step + width, float(n))
                for k, n in enumerate(values)]  # fmt: skip
        chart.bars(bars, kind)
    chart.below(axes.duration)
    entries = (
        ("warn", f"{sum(line.refused):,} refused for pace (429)"),
        ("bad", f"{sum(line.failed):,} failed otherwise"),
    )
    return chart.draw(), parts.legend(entries)


def _steps(line: TimeLine, name: str) -> Markup:
    heads = ("Second", "In flight", "Requests a minute", "Tokens a minute", "Refused", "Failed")
    rows = [
        (f"{k * line.step:g}", f"{flying:,.1f}", f"{requests:,.0f}", f"{tokens:,.0f}", refused, failed)
        for k, (flying, requests, tokens, refused, failed) in enumerate(
            zip(line.in_flight, line.requests, line.tokens, line.refused, line.failed, strict=True)
        )
    ]
    return parts.table("Steps of the time line", heads, rows, name=name, words=())
