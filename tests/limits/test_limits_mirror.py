"""The mirror of the provider's bucket, fed with what headers said."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.limits.mirror import Mirror


def test_nothing_is_known_before_the_first_headers() -> None:
    mirror = Mirror()
    assert mirror.left(5.0) == math.inf
    assert mirror.wait(10**9, 5.0) == 0.0


def test_what_is_left_counts_what_was_sent_since_the_headers_were_written() -> None:
    mirror = Mirror()
    mark = mirror.spend(1)
    for _ in range(4):
        mirror.spend(1)
    mirror.told(limit=60, remaining=10, reset=50.0, mark=mark, at=100.0)
    assert mirror.left(100.0) == 6.0
    assert mirror.left(102.0) == 8.0  # 50 come back in 50 s


def test_it_waits_until_what_is_needed_has_come_back() -> None:
    mirror = Mirror()
    mirror.told(limit=600, remaining=0, reset=60.0, mark=mirror.spend(1), at=0.0)
    assert mirror.wait(5, 0.0) == pytest.approx(0.5)
    assert mirror.wait(5, 0.4) == pytest.approx(0.1)
    assert mirror.wait(5, 0.5) == 0.0


def test_no_wait_is_longer_than_the_reset() -> None:
    mirror = Mirror()
    mirror.told(limit=60, remaining=0, reset=3.0, mark=mirror.spend(1), at=0.0)
    for _ in range(500):
        mirror.spend(1)
    assert mirror.wait(1, 0.0) == 3.0


def test_older_news_do_not_replace_newer() -> None:
    mirror = Mirror()
    older, newer = mirror.spend(1), mirror.spend(1)
    mirror.told(limit=60, remaining=20, reset=40.0, mark=newer, at=1.0)
    mirror.told(limit=60, remaining=59, reset=1.0, mark=older, at=0.9)
    assert mirror.left(1.0) == 20.0


def test_what_was_never_sent_is_given_back() -> None:
    mirror = Mirror()
    mirror.told(limit=60, remaining=20, reset=40.0, mark=mirror.spend(1), at=0.0)
    mirror.spend(15)
    mirror.give_back(15)
    assert mirror.left(0.0) == 20.0


numbers = st.none() | st.integers(0, 10**12)


@given(st.lists(st.tuples(numbers, numbers, st.none() | st.floats(0, 10**6), st.floats(0, 100)), max_size=30))
def test_headers_that_make_no_sense_hold_nobody_for_ever(
    said: list[tuple[int | None, int | None, float | None, float]],
) -> None:
    mirror, now = Mirror(), 0.0
    for limit, remaining, reset, gap in said:
        mark = mirror.spend(1)
        mirror.told(limit=limit, remaining=remaining, reset=reset, mark=mark, at=now)
        now += gap
        wait = mirror.wait(1, now)
        assert 0.0 <= wait < math.inf
        assert mirror.wait(1, now + 60 * (10**6 + 100)) == 0.0 or mirror.limit is None
