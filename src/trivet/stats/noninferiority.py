"""Is a candidate not worse than the baseline, by a margin, on the same rows? Tango's score test.

Of n rows that both answered, the baseline alone got b right and the candidate alone c; the rest agree. The
loss is P(baseline alone) - P(candidate alone), estimated by (b - c) / n. Under a loss of d, the maximum
likelihood estimate of P(candidate alone) is

    A = 2n    B = -b - c + (2n - b + c) d    C = -c d (1 - d)    q = (sqrt(B^2 - 4AC) - B) / 2A

and the score statistic, standard normal for a loss of exactly d, is

    z = (b - c - n d) / sqrt(n (2q + d (1 - d)))

Source: T. Tango, "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design", Statistics in Medicine 17 (1998) 891-908. Not the Wald test on b - c: it has no
variance, so it proves anything, where all rows agree.
"""

from __future__ import annotations

from math import ceil, exp, lgamma, log, sqrt
from statistics import NormalDist
from typing import Literal

Verdict = Literal["not_worse", "worse", "not_proven"]

_NORMAL = NormalDist()


def score_z(b: int, c: int, n: int, margin: float) -> float:
    """The score statistic against a loss of exactly `margin`: low where it is smaller, high where larger.

    `b`: rows that the baseline alone has right, `c`: that the candidate alone has right, of `n` rows;
    -1 < margin < 1. ValueError for counts that don't fit together.
    """
    _check(b, c, n)
    if not -1 < margin < 1:
        raise ValueError(f"a margin is a share of the rows between -1 and 1, not {margin}")
    if margin < 0:
        return -_score_z(c, b, n, -margin)
    return _score_z(b, c, n, margin)


def not_worse(b: int, c: int, n: int, margin: float, alpha: float = 0.05) -> bool:
    """Whether a loss of `margin` or more is rejected at the one-sided level `alpha`: z < -z(1 - alpha)."""
    return score_z(b, c, n, margin) < -_quantile(alpha)


def worse(b: int, c: int, n: int, margin: float, alpha: float = 0.05) -> bool:
    """Whether a loss of `margin` or less is rejected at the one-sided level `alpha`: z > z(1 - alpha).

    The same statistic in the other tail, so the two can't both hold: what is proven is a loss *greater
    than the margin*, not merely greater than none.
    """
    return score_z(b, c, n, margin) > _quantile(alpha)


def verdict(b: int, c: int, n: int, margin: float, alpha: float = 0.05) -> Verdict:
    """What the rows prove about the candidate, each claim at the one-sided level `alpha`."""
    z, bound = score_z(b, c, n, margin), _quantile(alpha)
    if z < -bound:
        return "not_worse"
    return "worse" if z > bound else "not_proven"


def interval(b: int, c: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of the quality difference, candidate minus baseline: those the test doesn't reject.

    Its lower end lies above -margin exactly where `not_worse` holds at alpha = (1 - confidence) / 2.
    """
    _check(b, c, n)
    bound = _quantile((1 - confidence) / 2)
    estimate = (c - b) / n
    low = -_loss_at(b, c, n, -bound, inside=-estimate, outside=1.0)
    high = -_loss_at(b, c, n, bound, inside=-estimate, outside=-1.0)
    return low, high


def rows_needed(discordance: float, margin: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Rows to prove "not worse" of an equally good candidate that differs on a share `discordance` of rows.

    n = (z(1 - alpha) + z(power))^2 discordance / margin^2, the normal approximation; where fewer would do
    because hardly a row differs, the number for no discordance at all.
    """
    if not 0 <= discordance <= 1:
        raise ValueError(f"a discordance is a share of the rows, not {discordance}")
    _check_margin(margin)
    bound = _quantile(alpha) + _NORMAL.inv_cdf(power)
    return max(ceil(bound**2 * discordance / margin**2), rows_needed_if_all_agree(margin, alpha))


def rows_needed_if_all_agree(margin: float, alpha: float = 0.05) -> int:
    """The fewest rows that prove "not worse" when the two never differ: z is then -sqrt(n d / (1 - d))."""
    _check_margin(margin)
    n = max(1, ceil(_quantile(alpha) ** 2 * (1 - margin) / margin))
    return n if not_worse(0, 0, n, margin, alpha) else n + 1


def rows_needed_at(b: int, c: int, n: int, margin: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Rows to prove "not worse" if the rates seen so far are the true ones; None where no number would do.

    With V0 the variance a row has under a loss of `margin` and V1 the one seen, the number is
    ((z(1 - alpha) sqrt(V0) + z(power) sqrt(V1)) / (margin - loss))^2.
    """
    _check(b, c, n)
    _check_margin(margin)
    loss = (b - c) / n
    if loss >= margin:
        return None
    under_margin = _variance(b, c, n, margin)
    seen = (b + c) / n - loss**2
    spread = _quantile(alpha) * sqrt(under_margin) + _NORMAL.inv_cdf(power) * sqrt(max(seen, 0.0))
    return max(1, ceil((spread / (margin - loss)) ** 2))


def mcnemar_p(b: int, c: int) -> float:
    """McNemar's exact two-sided p-value of "equally often right".

    It is min(1, 2 P(X <= min(b, c))) for X the heads of b + c fair coins.
    """
    if b < 0 or c < 0:
        raise ValueError(f"counts of rows can't be negative: {b}, {c}")
    low, total = min(b, c), b + c
    if b == c:
        return 1.0
    term = exp(lgamma(total + 1) - lgamma(low + 1) - lgamma(total - low + 1) - total * log(2))
    tail = 0.0
    while term > tail * 1e-17:
        tail += term
        term *= low / (total - low + 1)
        low -= 1
    return min(1.0, 2 * tail)


def _check(b: int, c: int, n: int) -> None:
    if n < 1 or b < 0 or c < 0 or b + c > n:
        raise ValueError(f"counts that don't fit together: {b} + {c} rows that differ, of {n}")


def _check_margin(margin: float) -> None:
    if not 0 < margin < 1:
        raise ValueError(f"a margin to prove is a share of the rows between 0 and 1, not {margin}")


def _quantile(alpha: float) -> float:
    if not 0 < alpha < 0.5:
        raise ValueError(f"a level is between 0 and 0.5, not {alpha}")
    return -_NORMAL.inv_cdf(alpha)


def _score_z(b: int, c: int, n: int, d: float) -> float:
    gap, variance = b - c - n * d, _variance(b, c, n, d)
    # Without any spread (no margin, no row that differs) the data say nothing against the margin.
    return gap / sqrt(n * variance) if variance > 0 else 0.0


def _variance(b: int, c: int, n: int, d: float) -> float:
    """Variance a row has under a loss of `d` >= 0: 2q + d (1 - d)."""
    half = (-b - c + (2 * n - b + c) * d) / 2
    product = 2 * n * c * d * (1 - d)
    root = sqrt(half * half + product)
    # The textbook root loses all its digits for B > 0; this is the same one written without a difference.
    q = (root - half) / (2 * n) if half <= 0 else c * d * (1 - d) / (root + half)
    return 2 * q + d * (1 - d)


def _loss_at(b: int, c: int, n: int, z: float, *, inside: float, outside: float) -> float:
    """The loss whose statistic is `z`, by bisection from the estimate, where it is 0, towards `outside`."""
    for _ in range(60):
        middle = (inside + outside) / 2
        if not -1 < middle < 1:
            break
        if abs(score_z(b, c, n, middle)) < abs(z):
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2 if abs(outside) < 1 else outside
