"""The token bucket, fed with times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.limits.bucket import Bucket

GAPS = st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 5)), max_size=60)


@given(rate=st.floats(0.1, 100), capacity=st.floats(0.1, 100), takes=GAPS)
def test_what_was_granted_never_exceeds_rate_times_time_plus_burst(
    rate: float, capacity: float, takes: list[tuple[float, float]]
) -> None:
    """The burst: what the bucket holds, and the one amount that may leave a debt."""
    bucket, now, taken = Bucket(rate, capacity, 0.0), 0.0, 0.0
    for gap, amount in takes:
        now += gap
        now += bucket.wait(amount, now)
        bucket.take(amount, now)
        taken += amount
        assert taken <= rate * now + capacity + max(0.0, amount - capacity) + 1e-6 * (taken + 1)


@given(takes=GAPS)
def test_a_taker_waits_no_longer_than_needed(takes: list[tuple[float, float]]) -> None:
    bucket, now = Bucket(2.0, 3.0, 0.0), 0.0
    for gap, amount in takes:
        now += gap
        wait = bucket.wait(amount, now)
        now += wait
        if wait > 0:
            assert bucket.level(now) == pytest.approx(min(amount, 3.0))
        bucket.take(amount, now)


def test_what_is_saved_up_is_bounded_by_the_capacity() -> None:
    bucket = Bucket(1.0, 5.0, 0.0)
    assert bucket.level(10**9) == 5.0
    bucket.take(5.0, 10**9)
    assert bucket.wait(1.0, 10**9) == 1.0


def test_what_is_larger_than_the_capacity_goes_when_it_is_full_and_leaves_a_debt() -> None:
    bucket = Bucket(10.0, 5.0, 0.0)
    bucket.take(5.0, 0.0)
    assert bucket.wait(105.0, 0.0) == 0.5
    bucket.take(105.0, 0.5)
    assert bucket.wait(1.0, 0.5) == 10.1


def test_another_rate_keeps_what_was_there_as_far_as_it_fits() -> None:
    bucket = Bucket(10.0, 10.0, 0.0)
    bucket.take(10.0, 0.0)
    bucket.change(1.0, 4.0, 0.5)
    assert bucket.level(0.5) == 4.0
    assert bucket.wait(5.0, 0.5) == 0.0
    bucket.take(4.0, 0.5)
    assert bucket.wait(2.0, 0.5) == 2.0


def test_what_is_given_back_can_be_taken_again_and_does_not_overflow() -> None:
    bucket = Bucket(1.0, 5.0, 0.0)
    bucket.take(8.0, 0.0)
    bucket.take(-8.0, 1.0)
    assert bucket.level(1.0) == 5.0


def test_a_clock_that_steps_back_grants_nothing() -> None:
    bucket = Bucket(1.0, 5.0, 100.0)
    bucket.take(5.0, 100.0)
    assert bucket.level(50.0) == 0.0
    assert bucket.wait(1.0, 50.0) == 1.0
    bucket.take(1.0, 50.0)
    assert bucket.level(101.0) == 0.0


@pytest.mark.parametrize(("rate", "capacity"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1), (1, float("nan"))])
def test_a_bucket_that_never_fills_is_refused(rate: float, capacity: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Bucket(rate, capacity, 0.0)
