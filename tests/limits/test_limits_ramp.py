"""The rule of growth, fed with tokens and minutes."""

from __future__ import annotations

import math

import pytest

from trivet.limits.ramp import FROM, GROWTH, Ramp


def use(ramp: Ramp, now: float, minutes: int, tokens: float) -> float:
    for _ in range(minutes * 60):
        ramp.used(tokens / 60, now)
        now += 1.0
    return now


def test_without_a_large_limit_nothing_is_held_back() -> None:
    assert Ramp().ceiling(0.0) == math.inf


def test_traffic_grows_by_half_in_fifteen_minutes_and_no_faster() -> None:
    ramp, now = Ramp(), 0.0
    ramp.begin(now)
    seen = []
    for _ in range(45):
        now = use(ramp, now, 1, ramp.ceiling(now))
        seen.append(ramp.ceiling(now))
    assert seen[13] == FROM
    assert seen[15] == pytest.approx(GROWTH * FROM, rel=0.02)
    assert all(later <= 1.5 * earlier * 1.001 for earlier, later in zip(seen, seen[15:], strict=False))
    assert seen[-1] > 2.9 * FROM


def test_what_is_not_used_does_not_count_as_growth() -> None:
    ramp = Ramp()
    ramp.begin(0.0)
    now = use(ramp, 0.0, 60, 100_000)
    assert ramp.ceiling(now) == FROM


def test_a_slow_down_goes_back_to_the_earlier_level_for_fifteen_minutes() -> None:
    ramp, earlier = Ramp(), 600_000 / GROWTH
    assert ramp.slow_down(600_000, sent=0.0, now=1.0)
    assert ramp.ceiling(1.0) == earlier
    assert not ramp.slow_down(600_000, sent=0.5, now=1.5)
    now = use(ramp, 1.0, 14, earlier)
    assert ramp.ceiling(now) == earlier
    now = use(ramp, now, 2, earlier)
    assert ramp.ceiling(now) == pytest.approx(600_000, rel=0.03)
