"""Scores to claims: paired differences, Holm over the candidates, and when no row could change a verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from trivet.stats import holm
from trivet.stats.paired import Differences

Scores = Mapping[int, float]
"""Scores between 0 and 1 by row number."""


class Claim(Struct, frozen=True, kw_only=True):
    """What is proven of one candidate. `level`: what its claim *not worse* was held against; see `result.Variant`."""

    difference: float
    interval: tuple[float, float]
    verdict: str
    p_value: float
    level: float
    rows_needed: int | None


def differences(mine: Scores, base: Scores) -> Differences:
    """The candidate's score minus the baseline's, on the rows that both have."""
    return Differences(score - base[n] for n, score in mine.items() if n in base)


def claims(found: Mapping[str, Differences], margin: float, alpha: float) -> dict[str, Claim]:
    """The claims about all candidates: Holm's procedure over *not worse*, and another over *worse*."""
    known = {name: each for name, each in found.items() if each.n}
    p_values = {name: each.p_not_worse(margin) for name, each in known.items()}
    not_worse = holm.levels(p_values, alpha)
    worse = holm.levels({name: each.p_worse(margin) for name, each in known.items()}, alpha)
    return {name: _claim(each, margin, p_values[name], not_worse[name], worse[name]) for name, each in known.items()}


def _claim(found: Differences, margin: float, p_value: float, not_worse: float, worse: float) -> Claim:
    verdict = found.verdict(margin, not_worse, worse)
    needed = found.rows_needed(margin, not_worse) if verdict == "not_proven" else None
    return Claim(
        difference=found.mean,
        interval=found.interval(not_worse, worse),
        verdict=verdict,
        p_value=p_value,
        level=not_worse,
        rows_needed=None if needed is None else max(1, needed - found.n),
    )


def settled(found: Mapping[str, Differences], remaining: int, margin: float, alpha: float) -> bool:
    """Whether the verdicts are what they will be, whatever the remaining rows say.

    The worst that can come is that the candidate loses every one of them by the whole score, the best that it wins
    them all; between these the statistic moves in one direction. A verdict that is the same now and at both ends, at
    the strictest level that Holm's procedure may hold it against and at the mildest, stands.
    """
    if not found or any(each.n < 1 for each in found.values()):
        return False
    levels = (alpha, alpha / len(found))
    for each in found.values():
        now = {each.verdict(margin, level, level) for level in levels}
        if len(now) > 1:
            return False
        for extreme in (-1.0, 1.0):
            then = each.followed_by(extreme, remaining)
            if any(then.verdict(margin, level, level) not in now for level in levels):
                return False
    return True
