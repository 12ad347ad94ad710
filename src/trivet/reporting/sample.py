"""A sample of durations as the page shows it: percentiles with their bounds, bars, and the curve of shares."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from math import ceil, exp, log, sqrt

from trivet.reporting.figures import Distribution, Percentile
from trivet.stats.percentiles import Percentiles

SHARES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
BARS = 40
POINTS = 120
WIDE = 6.0
"""A sample whose largest value is so many times its smallest is cut into bars of one ratio, not of one width."""


def distribution(seconds: Iterable[float]) -> Distribution | None:
    """The figures of a sample of durations; None where there is none."""
    sample = Percentiles(seconds)
    values = sample.values
    if not values:
        return None
    return Distribution(
        count=len(values),
        mean=sum(values) / len(values),
        least=values[0],
        most=values[-1],
        percentiles=tuple(_percentiles(sample)),
        bars=bars(values),
        curve=_curve(values),
    )


def _percentiles(sample: Percentiles) -> Iterable[Percentile]:
    for name, share in SHARES.items():
        value = sample.at(share)
        if value is not None:
            low, high = sample.bounds(share)
            yield Percentile(name=name, seconds=value, low=low, high=high)


def bars(values: Sequence[float]) -> tuple[tuple[float, float, int], ...]:
    """Sorted values counted between bounds: of one width, or of one ratio where they are far apart."""
    low, high = values[0], values[-1]
    if high <= low:
        return ((low, high, len(values)),)
    many = min(BARS, max(6, ceil(2 * sqrt(len(values)))))
    if low > 0 and high / low > WIDE:
        start, width = log(low), (log(high) - log(low)) / many
        bounds = [exp(start + k * width) for k in range(many + 1)]
    else:
        bounds = [low + (high - low) * k / many for k in range(many + 1)]
    places = [0, *(bisect_left(values, bound) for bound in bounds[1:-1]), len(values)]
    return tuple((bounds[k], bounds[k + 1], places[k + 1] - places[k]) for k in range(many))


def _curve(values: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """The share of values at or below some of them, spread evenly over the shares."""
    n = len(values)
    ranks = sorted({max(1, round(n * k / POINTS)) for k in range(1, POINTS + 1)} | {1, n})
    return tuple((values[rank - 1], rank / n) for rank in ranks)
