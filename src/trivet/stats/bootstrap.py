"""The ratio of two totals over the same rows, with its interval: the paired BCa bootstrap.

Spend and latency are heavy-tailed, so the ratio is that of the totals, never the mean of the ratios, and rows are
drawn again with both their values. With r the ratio, r* those of the samples drawn, and r(i) the ratio without row i:

    z0 = z(share of r* below r)        a = sum (m - r(i))^3 / (6 (sum (m - r(i))^2)^1.5),  m the mean of r(i)
    ends: the Phi(z0 + (z0 + z) / (1 - a (z0 + z))) quantiles of r*, z the normal quantiles of the level

Source: B. Efron, "Better bootstrap confidence intervals", Journal of the American Statistical Association 82 (1987)
171-185. Beyond `DRAWN` rows the same is had without drawing, from the normal approximation to the logarithm of the
ratio, with the variance of r(i). Below `LEAST` rows there is no interval: samples drawn from so few are too alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, sqrt
from random import Random
from statistics import NormalDist

LEAST = 10
DRAWN = 2000
_SAMPLES = 2000
_NORMAL = NormalDist()


def ratio_interval(
    pairs: Sequence[tuple[float, float]], confidence: float = 0.95, *, seed: int = 0
) -> tuple[float, float] | None:
    """The interval of sum(above) / sum(below) over `(above, below)`; None where the rows can't support one."""
    above, below = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    if len(pairs) < LEAST or below <= 0 or above <= 0:
        return None
    ratio = above / below
    without = [(above - a) / (below - b) for a, b in pairs if below - b > 0]
    if len(without) < len(pairs):
        return None
    middle = sum(without) / len(without)
    gaps = [middle - each for each in without]
    square = sum(gap * gap for gap in gaps)
    if sqrt(square) <= 1e-12 * ratio:
        return ratio, ratio
    if len(pairs) > DRAWN:
        spread = sqrt(square * (len(pairs) - 1) / len(pairs)) / ratio * _NORMAL.inv_cdf((1 + confidence) / 2)
        return ratio * exp(-spread), ratio * exp(spread)
    acceleration = sum(gap**3 for gap in gaps) / (6 * square**1.5)
    return _drawn(pairs, ratio, acceleration, confidence, seed)


def _drawn(
    pairs: Sequence[tuple[float, float]], ratio: float, acceleration: float, confidence: float, seed: int
) -> tuple[float, float] | None:
    both = [complex(a, b) for a, b in pairs]  # a sum of these is both sums, at the speed of one
    chance = Random(seed)
    drawn = []
    for _ in range(_SAMPLES):
        total = sum(chance.choices(both, k=len(both)))
        if total.imag > 0:
            drawn.append(total.real / total.imag)
    drawn.sort()
    if len(drawn) < _SAMPLES * 0.99:
        return None
    under = (sum(each < ratio for each in drawn) + 0.5 * sum(each == ratio for each in drawn)) / len(drawn)
    if not 0 < under < 1:
        return None
    shift = _NORMAL.inv_cdf(under)
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        moved = shift + _NORMAL.inv_cdf(tail)
        share = _NORMAL.cdf(shift + moved / (1 - acceleration * moved))
        ends.append(drawn[min(len(drawn) - 1, max(0, round(share * (len(drawn) - 1))))])
    return ends[0], ends[1]


def share_interval(right: int, rows: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """Wilson's interval of a share; None of no rows. Source: E. B. Wilson, JASA 22 (1927) 209-212."""
    if rows < 1:
        return None
    z = _NORMAL.inv_cdf((1 + confidence) / 2)
    share, whole = right / rows, 1 + z * z / rows
    middle = (share + z * z / (2 * rows)) / whole
    spread = z * sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / whole
    return max(0.0, middle - spread), min(1.0, middle + spread)
