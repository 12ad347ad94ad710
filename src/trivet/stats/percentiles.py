"""Percentiles of a sample, by nearest rank, and none that the sample can't support.

The p-th percentile is the smallest value with at least a share p of the sample at or below it: the
ceil(p n)-th of the n sorted values. It is always a value that was seen. Linear interpolation would invent
a latency between two that were measured, and differs by less than their distance.

A sample supports p when at least one value is expected on each side: n min(p, 1 - p) >= 1. So the median
needs 2 values, p90 10, p95 20, p99 100.

The bounds of a percentile are values of the sample, too: the number of values below the true one is binomial,
B(n, p), whatever their distribution, so the l-th value is at or below it but for P(B < l), and the u-th at or above
it but for P(B >= u). Both are exact, and there are none where even the extremes would not do.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import ceil, exp, isnan, lgamma, log, sqrt
from statistics import NormalDist

# Products of shares such as 10 * (1 - 0.9) fall short of a whole number by rounding alone.
_ROUNDING = 1e-9


class Percentiles:
    """A sample sorted once, to be asked for several percentiles; ValueError where it holds a NaN."""

    __slots__ = ("_sorted",)

    def __init__(self, values: Iterable[float]) -> None:
        self._sorted = array("d", sorted(values))
        # A sum is NaN for opposite infinities too, so only then is each value looked at.
        if isnan(sum(self._sorted)) and any(map(isnan, self._sorted)):
            raise ValueError("a NaN has no place in the order of a sample")

    def __len__(self) -> int:
        return len(self._sorted)

    def __repr__(self) -> str:
        return f"Percentiles(n={len(self._sorted)})"

    @property
    def values(self) -> Sequence[float]:
        """The sample, ascending."""
        return self._sorted

    def at(self, p: float) -> float | None:
        """The percentile of the share `p`, 0 < p < 1; None where the sample can't support it."""
        if not 0 < p < 1:
            raise ValueError(f"a percentile is asked for as a share between 0 and 1, not {p}")
        n = len(self._sorted)
        if n * min(p, 1 - p) < 1 - _ROUNDING:
            return None
        return self._sorted[ceil(p * n - _ROUNDING) - 1]

    def bounds(self, p: float, confidence: float = 0.95) -> tuple[float | None, float | None]:
        """Values that hold the true percentile between them with at least this confidence; None beyond the sample."""
        if not 0 < p < 1 or not 0 < confidence < 1:
            raise ValueError(f"a percentile and a confidence are shares between 0 and 1, not {p} and {confidence}")
        n, tail = len(self._sorted), (1 - confidence) / 2
        low, high = _rank(n, p, tail), _rank(n, 1 - p, tail)
        return (self._sorted[low - 1] if low else None, self._sorted[n - high] if high else None)


def _rank(n: int, p: float, tail: float) -> int:
    """The largest l with P(B(n, p) < l) <= tail; 0 where there is none."""
    if n < 1:
        return 0
    guess = n * p + NormalDist().inv_cdf(tail) * sqrt(n * p * (1 - p))
    rank = max(0, min(n, int(guess)))
    below = _below(n, p, rank)
    while rank > 0 and below > tail:
        rank -= 1
        below -= _chance(n, p, rank)
    while rank < n and below + (more := _chance(n, p, rank)) <= tail:
        below += more
        rank += 1
    return rank


def _below(n: int, p: float, rank: int) -> float:
    """P(B(n, p) < rank), summed from the largest term down until nothing is added."""
    total = 0.0
    for k in range(rank - 1, -1, -1):
        term = _chance(n, p, k)
        total += term
        if term < total * 1e-15:
            break
    return total


def _chance(n: int, p: float, k: int) -> float:
    """P(B(n, p) = k)."""
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p))


def percentile(values: Iterable[float], p: float) -> float | None:
    """The percentile of the share `p` (0.95) of unsorted values; None where they can't support it."""
    return Percentiles(values).at(p)
