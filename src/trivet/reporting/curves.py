"""Several samples of durations in one chart: for each duration, the share of replies that took no longer."""

from __future__ import annotations

from collections.abc import Sequence

from trivet.markup import Markup, tag
from trivet.reporting import axes, parts
from trivet.reporting.axes import Scale
from trivet.reporting.charts import Chart
from trivet.reporting.figures import Distribution
from trivet.wording import one_line, seconds

LINES = ("s1", "s4", "s5", "s2", "s3", "s6")
PATCHES = ("k1", "k4", "k5", "k2", "k3", "k6")


def curves(samples: Sequence[tuple[str, Distribution]], name: str) -> Markup:
    """The curves of up to six samples, with their medians in the legend."""
    drawn = samples[: len(LINES)]
    low, high = min(s.least for _, s in drawn), max(s.most for _, s in drawn)
    by_ratio = low > 0 and high / low > 3
    medians = [(each, sample, _median(sample)) for each, sample in drawn]
    told = "; ".join(f"{each}: median {seconds(median)}, at most {seconds(s.most)}" for each, s, median in medians)
    chart = Chart(
        name=name,
        title="Share of replies by the time they took at most",
        told=told,
        x=Scale(low if by_ratio else 0.0, high, by_ratio),
        y=Scale(0.0, 1.0),
    )
    chart.grid(axes.share, 4)
    for line, (_, sample) in zip(LINES, drawn, strict=False):
        chart.curve([(sample.least, 0.0), *sample.curve], line, steps=True)
    chart.below(axes.duration)
    entries = [
        (patch, (tag("bdi", one_line(each, 60)), f", median {seconds(median)}"))
        for patch, (each, _, median) in zip(PATCHES, medians, strict=False)
    ]
    return parts.drawn(chart.draw(), "The share of replies that took at most so long.", parts.legend(entries))


def _median(sample: Distribution) -> float | None:
    return next((p.seconds for p in sample.percentiles if p.name == "p50"), None)
