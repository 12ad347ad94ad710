"""Percentiles of a sample, by nearest rank, and none that the sample can't support.

The p-th percentile is the smallest value with at least a share p of the sample at or below it: the
ceil(p n)-th of the n sorted values. It is always a value that was seen. Linear interpolation would invent
a latency between two that were measured, and differs by less than their distance.

A sample supports p when at least one value is expected on each side: n min(p, 1 - p) >= 1. So the median
needs 2 values, p90 10, p95 20, p99 100.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from math import ceil, isnan

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

    def at(self, p: float) -> float | None:
        """The percentile of the share `p`, 0 < p < 1; None where the sample can't support it."""
        if not 0 < p < 1:
            raise ValueError(f"a percentile is asked for as a share between 0 and 1, not {p}")
        n = len(self._sorted)
        if n * min(p, 1 - p) < 1 - _ROUNDING:
            return None
        return self._sorted[ceil(p * n - _ROUNDING) - 1]


def percentile(values: Iterable[float], p: float) -> float | None:
    """The percentile of the share `p` (0.95) of unsorted values; None where they can't support it."""
    return Percentiles(values).at(p)
