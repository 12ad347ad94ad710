"""Is a candidate's mean score not worse than the baseline's, by a margin, on the same rows? A score test.

Scores lie between 0 and 1, so a row's difference x (candidate minus baseline) lies between -1 and 1. Under a mean
difference of exactly -d, the distribution G nearest to what was seen (the maximum of its empirical likelihood, where
the worst and the best difference, -1 and 1, may have a share although they were not seen) gives a row with the
difference x, of n rows, the share

    w(x) = 1 / (n (1 + l (x + d)))

with l such that the mean is -d, between -1 / (1 + d) and 1 / (1 - d); where l reaches an end, what is missing to a
whole lies at that extreme. The statistic is

    z = -(sum x + n d) / sqrt(n V)        V the variance of G

standard normal for a loss of exactly d. Where all differences are -1, 0 or 1 this is Tango's statistic, to the digit;
`noninferiority` has the closed form. Sources: A. Owen, "Empirical likelihood ratio confidence intervals for a single
functional", Biometrika 75 (1988) 237-249; the share at the extremes as in J. Honda and A. Takemura, "An asymptotically
optimal bandit algorithm for bounded support models", COLT 2010. Not the paired t test: where all rows agree it has no
variance, and proves anything from two rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil, isfinite, sqrt
from statistics import NormalDist

from trivet.stats import noninferiority
from trivet.stats.noninferiority import Verdict

_NORMAL = NormalDist()
_DIGITS = 6


class Differences:
    """Paired differences of scores, candidate minus baseline, each between -1 and 1; ValueError for others."""

    __slots__ = ("_counts", "_table", "n", "total")

    def __init__(self, values: Iterable[float]) -> None:
        self._counts = Counter(round(float(value), _DIGITS) for value in values)
        for value in self._counts:
            if not isfinite(value) or not -1 <= value <= 1:
                raise ValueError(f"a difference of scores lies between -1 and 1, not {value}")
        self._tally()

    def _tally(self) -> None:
        self.n = self._counts.total()
        self.total = sum(value * count for value, count in self._counts.items())
        whole = all(value in (-1.0, 0.0, 1.0) for value in self._counts)
        self._table = (self._counts[-1.0], self._counts[1.0]) if whole else None

    def __repr__(self) -> str:
        return f"Differences(n={self.n}, mean={self.mean:.4g})"

    @property
    def mean(self) -> float:
        """The mean difference; 0 where there is none."""
        return self.total / self.n if self.n else 0.0

    @property
    def agreeing(self) -> int:
        """Rows without a difference."""
        return self._counts[0.0]

    def followed_by(self, value: float, count: int) -> Differences:
        """These, and so many more of one value."""
        more = Differences(())
        more._counts = self._counts + Counter({value: count})
        more._tally()
        return more

    def z(self, margin: float) -> float:
        """The statistic against a loss of exactly `margin`: low where it is smaller, high where larger."""
        if self.n < 1 or not -1 < margin < 1:
            raise ValueError(f"a margin is a share between -1 and 1, not {margin}, of one row at least, not {self.n}")
        if self._table is not None:
            return noninferiority.score_z(*self._table, self.n, margin)
        gap = self.total + self.n * margin
        variance = _variance([(value + margin, count) for value, count in self._counts.items()], self.n, margin)
        return -gap / sqrt(self.n * variance) if variance > 0 else 0.0

    def p_not_worse(self, margin: float) -> float:
        """One-sided p-value of a loss of `margin` or more."""
        return _NORMAL.cdf(self.z(margin))

    def p_worse(self, margin: float) -> float:
        """One-sided p-value of a loss of `margin` or less."""
        return _NORMAL.cdf(-self.z(margin))

    def verdict(self, margin: float, not_worse_level: float, worse_level: float) -> Verdict:
        """What is proven, each claim at its own one-sided level."""
        z = self.z(margin)
        if z < _NORMAL.inv_cdf(not_worse_level):
            return "not_worse"
        return "worse" if z > -_NORMAL.inv_cdf(worse_level) else "not_proven"

    def interval(self, not_worse_level: float, worse_level: float) -> tuple[float, float]:
        """The mean differences that the test does not reject, each end at its own one-sided level.

        The lower end lies above -margin exactly where *not worse* is proven at its level, the upper end below it
        exactly where *worse* is.
        """
        low = -self._loss_at(_NORMAL.inv_cdf(not_worse_level), 1.0)
        high = -self._loss_at(-_NORMAL.inv_cdf(worse_level), -1.0)
        return low, high

    def _loss_at(self, z: float, outside: float) -> float:
        inside = -self.mean
        for _ in range(36):
            middle = (inside + outside) / 2
            if not -1 < middle < 1:
                break
            inside, outside = (middle, outside) if abs(self.z(middle)) < abs(z) else (inside, middle)
        return outside if abs(outside) == 1 else (inside + outside) / 2

    def rows_needed(self, margin: float, level: float, power: float = 0.8) -> int | None:
        """Rows to prove "not worse" if what was seen is the truth; None where no number would do.

        ((z(1 - level) sqrt(V0) + z(power) sqrt(V1)) / (margin - loss))^2, V0 a row's variance under a loss of `margin`
        and V1 the one seen.
        """
        loss = -self.mean
        if loss >= margin:
            return None
        if self._table is not None:
            return noninferiority.rows_needed_at(*self._table, self.n, margin, level, power)
        shifted = [(value + margin, count) for value, count in self._counts.items()]
        seen = sum(count * value**2 for value, count in self._counts.items()) / self.n - self.mean**2
        spread = -_NORMAL.inv_cdf(level) * sqrt(_variance(shifted, self.n, margin))
        spread += _NORMAL.inv_cdf(power) * sqrt(max(seen, 0.0))
        return max(1, ceil((spread / (margin - loss)) ** 2))


def _variance(shifted: Sequence[tuple[float, int]], n: int, d: float) -> float:
    """The variance of G. `shifted`: differences plus the margin, and how often each was seen."""
    up = sum(y * count for y, count in shifted) > 0
    end = 1 / (1 - d) if up else -1 / (1 + d)
    tilt = _tilt(shifted, end)
    variance = kept = 0.0
    for y, count in shifted:
        below = 1 + tilt * y
        if below > 1e-12:
            kept += count / below / n
            variance += count / below / n * y * y
    extreme = d - 1 if up else d + 1
    return variance + max(0.0, 1 - kept) * extreme**2


def _tilt(shifted: Sequence[tuple[float, int]], end: float) -> float:
    """The root of sum y / (1 + l y) between 0 and `end`, or `end` where there is none: Newton within a bracket."""
    low, high = 0.0, end
    tilt = end * 0.5
    for _ in range(80):
        slope = value = 0.0
        for y, count in shifted:
            below = 1 + tilt * y
            if below <= 0:
                value, slope = (-1.0 if end > 0 else 1.0), 0.0
                break
            value += count * y / below
            slope -= count * (y / below) ** 2
        # The sum falls in l; from 0 towards the end it comes nearer to 0, or past it.
        if (value > 0) == (end > 0):
            low = tilt
        else:
            high = tilt
        if abs(high - low) <= 1e-13 * abs(end):
            break
        step = tilt - value / slope if slope else (low + high) / 2
        tilt = step if min(low, high) < step < max(low, high) else (low + high) / 2
    return high if high == end else tilt
