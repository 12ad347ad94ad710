"""A limit that the headers do not tell, beside one that they do."""

from __future__ import annotations

import random
from collections.abc import Callable

from trivet.errors import ProviderError
from trivet.limits.governor import Governor
from trivet.types import RateLimits

TOLD = RateLimits(limit_requests=300_000, remaining_requests=299_999, reset_requests=0.001)
REFUSED = ProviderError("no", status=429, code="rate_limit_exceeded", type=None)
REFUSED.limits = TOLD


def bucket(rate: float, most: float) -> Callable[[float], bool]:
    left, last = most, 0.0

    def admits(now: float) -> bool:
        nonlocal left, last
        left, last = min(most, left + (now - last) * rate), now
        if left < 1:
            return False
        left -= 1
        return True

    return admits


def drive(admits: Callable[[float], bool], seconds: float, fastest: float = 400.0) -> tuple[float, float]:
    """Requests passed a second, and the part refused, from the tenth second on."""
    governor, now = Governor(), 0.0
    passed = refused = 0
    while now < seconds:
        now += 1 / fastest
        while (wait := governor.wait(30.0, now)) > 0:
            now += max(wait, 1e-4)
        permit = governor.take(30.0, now)
        ok = admits(now)
        governor.told_by(permit, TOLD)
        if not ok:
            governor.refused(permit, REFUSED, now, 0.5)
        if now > 10:
            passed += ok
            refused += not ok
    return passed / (seconds - 10), refused / (passed + refused)


def test_a_limit_far_below_the_one_that_is_told_is_found() -> None:
    """Headers that promise a hundred times as much do not keep the run knocking at a closed door."""
    passed, refused = drive(bucket(50, 20), 120)
    assert 0.85 * 50 <= passed <= 1.03 * 50
    assert refused < 0.01


def test_refusals_now_and_then_change_no_rate_while_the_headers_tell_of_plenty() -> None:
    """A server that refuses three in ten at random is asked no more slowly for it."""
    draw = random.Random(1)
    passed, refused = drive(lambda now: draw.random() > 0.3, 120)
    assert passed > 0.6 * 400
    assert 0.25 < refused < 0.35
