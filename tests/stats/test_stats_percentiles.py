"""Percentiles by nearest rank, and none where the sample is too small."""

from __future__ import annotations

import math
from fractions import Fraction
from math import comb

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.stats.percentiles import Percentiles, percentile

samples = st.lists(st.floats(allow_nan=False), max_size=300)
shares = st.integers(1, 99)


@given(samples, shares)
def test_is_the_smallest_value_with_its_share_at_or_below(values: list[float], hundredths: int) -> None:
    """At least p of the sample is at or below the percentile, and less than p strictly below it."""
    p = Fraction(hundredths, 100)
    found = percentile(values, hundredths / 100)
    if len(values) * min(p, 1 - p) < 1:
        assert found is None
        return
    assert found is not None and found in values
    assert Fraction(sum(v <= found for v in values), len(values)) >= p
    assert Fraction(sum(v < found for v in values), len(values)) < p


@pytest.mark.parametrize(("p", "least"), [(0.5, 2), (0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1000)])
def test_the_least_sample(p: float, least: int) -> None:
    """p50 needs 2 values, p90 10, p95 20, p99 100: one fewer gives none."""
    assert percentile(range(least - 1), p) is None
    assert percentile(range(least), p) is not None


def test_nearest_rank_by_hand() -> None:
    """Of 1 to 100 the p-th percentile is p itself, with no rounding trouble at 0.07 or 0.29."""
    sample = Percentiles(range(100, 0, -1))
    assert [sample.at(k / 100) for k in range(1, 100)] == [float(k) for k in range(1, 100)]


def test_an_empty_sample_has_none() -> None:
    """No values, no percentile."""
    assert percentile([], 0.5) is None
    assert len(Percentiles([])) == 0


def test_infinities_have_their_place_and_nan_has_none() -> None:
    """Infinite values sort at the ends; a NaN is a ValueError."""
    assert percentile([math.inf, -math.inf, 1.0], 0.5) == 1.0
    with pytest.raises(ValueError, match="NaN"):
        Percentiles([1.0, math.nan, 2.0])
    with pytest.raises(ValueError, match="NaN"):
        Percentiles([math.inf, math.nan, -math.inf])


@pytest.mark.parametrize("p", [0.0, 1.0, 50, -0.1, math.nan])
def test_a_share_is_between_nought_and_one(p: float) -> None:
    """A percentile written as 50 in place of 0.5 is refused, not answered."""
    with pytest.raises(ValueError, match="share"):
        percentile([1.0, 2.0], p)


def test_a_million_values_are_sorted_once() -> None:
    """A million floats give any percentile, and the input may be an iterator."""
    sample = Percentiles(float(i * 7919 % 1_000_000) for i in range(1_000_000))
    assert (sample.at(0.5), sample.at(0.99)) == (499_999.0, 989_999.0)


@pytest.mark.parametrize(("n", "p", "low", "high"), [(10, 0.5, 2, 9), (20, 0.5, 6, 15), (100, 0.5, 40, 61)])
def test_the_bounds_of_a_median_are_the_tabulated_ones(n: int, p: float, low: int, high: int) -> None:
    """The ranks of the exact 95 % interval, as tables of order statistics give them."""
    assert Percentiles(range(1, n + 1)).bounds(p) == (low, high)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 400), st.floats(0.01, 0.99), st.sampled_from([0.8, 0.95, 0.99]))
def test_bounds_hold_what_they_promise_and_no_rank_more(n: int, p: float, confidence: float) -> None:
    """Each tail has the chance it is allowed at most, and the next rank inwards would have more."""
    low, high = Percentiles(range(1, n + 1)).bounds(p, confidence)
    tail = (1 - confidence) / 2

    def below(rank: float, share: float) -> float:
        return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(int(rank)))

    for rank, share in ((low or 0, p), (n + 1 - high if high else 0, 1 - p)):
        assert below(rank, share) <= tail * (1 + 1e-6)
        assert rank == n or below(rank + 1, share) > tail * (1 - 1e-6)


def test_bounds_of_a_large_sample_are_found_at_once() -> None:
    """And close to those of the normal approximation."""
    low, high = Percentiles(range(1, 1_000_001)).bounds(0.99)
    assert low is not None
    assert high is not None
    assert low == pytest.approx(990_000 - 1.96 * 99.5, abs=2)
    assert high == pytest.approx(990_001 + 1.96 * 99.5, abs=2)
