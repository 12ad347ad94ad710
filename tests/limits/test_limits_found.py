"""A rate that nobody tells, found against servers that refuse without a word of explanation."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from trivet.limits.found import LEAST, LONGEST_S, STEEP, Found

Server = Callable[[float], bool]


def bucket(rate: float, most: float) -> Server:
    """Comes back continuously."""
    left, last = most, 0.0

    def admits(now: float) -> bool:
        nonlocal left, last
        left, last = min(most, left + (now - last) * rate), now
        if left < 1:
            return False
        left -= 1
        return True

    return admits


def window(each: int, seconds: float) -> Server:
    """Counts from the first request of each window on; what it refuses counts too."""
    began, seen = -math.inf, 0

    def admits(now: float) -> bool:
        nonlocal began, seen
        if now - began >= seconds:
            began, seen = now, 0
        seen += 1
        return seen <= each

    return admits


def drive(server: Server, seconds: float, fastest: float = 200.0) -> tuple[float, float]:
    """Requests passed a second, and the part refused, in the second half of the time."""
    found, now, open_at = Found(), 0.0, 0.0
    passed = refused = 0
    while now < seconds:
        now = max(open_at, now + 1 / min(fastest, found.rate(now)))
        found.sent(now)
        ok = server(now)
        if not ok:
            open_at = now + found.refused(now, now)
        if now > seconds / 2:
            passed += ok
            refused += not ok
    return passed / (seconds / 2), refused / (passed + refused)


@pytest.mark.parametrize(
    ("server", "limit"),
    [
        (bucket(50, 50), 50),
        (bucket(50, 3), 50),
        (bucket(50, 3000), 50),
        (bucket(3, 10), 3),
        (bucket(1 / 3, 20), 1 / 3),
        (window(20, 60.0), 1 / 3),
        (window(50, 1.0), 50),
        (window(500, 10.0), 50),
        (bucket(150, 10), 150),
    ],
    ids=[
        "bucket",
        "shallow bucket",
        "deep bucket",
        "slow bucket",
        "20 a minute",
        "20 a minute by the clock",
        "1 s window",
        "10 s window",
        "fast bucket",
    ],
)
def test_most_of_a_limit_is_used_and_little_refused(server: Server, limit: float) -> None:
    passed, refused = drive(server, 600)
    assert 0.8 * limit <= passed <= 1.03 * limit
    assert refused < 0.01


def test_without_a_refusal_there_is_no_rate() -> None:
    found = Found()
    for n in range(1000):
        found.sent(n / 100)
    assert found.rate(10.0) == math.inf


def test_refusals_of_requests_that_went_before_a_cut_tell_nothing_new() -> None:
    found = Found()
    for n in range(100):
        found.sent(n / 50)
    assert found.refused(1.98, 2.0) > 0
    rate = found.rate(2.0)
    assert found.refused(1.9, 2.0) == 0
    assert found.rate(2.0) == rate


def test_a_closed_door_is_tried_ever_less_often_and_cuts_once() -> None:
    found = Found()
    for n in range(100):
        found.sent(n / 50)
    pauses, now = [found.refused(1.98, 2.0)], 2.0
    rate = found.rate(2.0)
    for _ in range(8):
        now += pauses[-1]
        found.sent(now)
        pauses.append(found.refused(now, now))
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_S
    assert found.rate(2.0) == rate


def test_where_nothing_passes_there_is_no_guess() -> None:
    """A key that somebody else has used up refuses all; what it will allow later is not known from that."""
    found = Found()
    for n in range(20):
        found.sent(float(n))
        found.refused(float(n), float(n))
    assert found.rate(30.0) == math.inf


def test_a_rate_is_found_again_after_somebody_else_took_most_of_it_for_a_while() -> None:
    found, now = Found(), 0.0
    server = bucket(2, 2)
    for _ in range(2000):
        now += 1 / min(200.0, found.rate(now))
        found.sent(now)
        if not server(now):
            found.refused(now, now)
    assert STEEP * LEAST <= found.rate(now) < 4
    assert found.rate(now + 900) > 40


@pytest.mark.parametrize("part", [0.02, 0.06, 0.2])
def test_refusals_that_come_whatever_the_rate_do_not_bring_it_down(part: float) -> None:
    chance = random.Random(7)
    passed, _ = drive(lambda _: chance.random() >= part, 300, fastest=200)
    assert passed >= 0.5 * 200 * (1 - part)


def test_a_limit_below_what_is_refused_anyway_is_found() -> None:
    chance = random.Random(7)
    server = bucket(40, 40)
    passed, refused = drive(lambda now: chance.random() >= 0.05 and server(now), 600, fastest=200)
    assert passed >= 0.4 * 40
    assert refused < 0.5  # and not nine in ten
