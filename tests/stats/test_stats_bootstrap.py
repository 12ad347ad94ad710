"""The ratio's interval: scipy's BCa, a published interval of a share, and the coverage that is promised."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.stats import bootstrap

from trivet.stats.bootstrap import DRAWN, LEAST, ratio_interval, share_interval


def sample(n: int, seed: int, ratio: float = 0.7, spread: float = 0.8) -> list[tuple[float, float]]:
    """Heavy-tailed pairs whose rows have most of their size in common."""
    rng = random.Random(seed)
    sizes = [rng.lognormvariate(0, spread) for _ in range(n)]
    return [(ratio * size * rng.lognormvariate(0, 0.2), size * rng.lognormvariate(0, 0.2)) for size in sizes]


@pytest.mark.parametrize("n", [30, 200])
def test_it_is_the_bca_interval(n: int) -> None:
    """scipy's paired BCa bootstrap of the same statistic has the same ends, but for what is drawn."""
    pairs = sample(n, 5)
    mine = ratio_interval(pairs, seed=1)
    assert mine is not None
    above, below = np.array(pairs).T
    theirs = bootstrap(
        (above, below), lambda a, b, axis: a.sum(axis) / b.sum(axis), paired=True, vectorized=True, n_resamples=9999,
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    width = theirs.high - theirs.low
    assert mine == pytest.approx((theirs.low, theirs.high), abs=0.12 * width)


def test_large_samples_go_on_where_small_ones_end() -> None:
    """The approximation for many rows agrees with what is drawn at the number of rows where one takes over."""
    pairs = sample(DRAWN, 3)
    drawn, told = ratio_interval(pairs), ratio_interval([*pairs, pairs[0]])
    assert drawn is not None
    assert told is not None
    assert told == pytest.approx(drawn, abs=0.15 * (drawn[1] - drawn[0]))


def test_few_rows_and_nothing_to_divide_by_have_none() -> None:
    """Nine rows bound nothing, nor do totals of 0; rows that are all alike bound exactly."""
    assert ratio_interval(sample(LEAST - 1, 1)) is None
    assert ratio_interval([(1.0, 0.0)] * 20) is None
    assert ratio_interval([(0.0, 1.0)] * 20) is None
    assert ratio_interval([(1.0, 2.0)] * 20) == (0.5, 0.5)
    assert ratio_interval([(0.1, 0.0)] * 19 + [(0.1, 1.0)]) is None


def test_the_same_seed_draws_the_same() -> None:
    """A comparison that is told again tells the same interval."""
    assert ratio_interval(sample(50, 2), seed=4) == ratio_interval(sample(50, 2), seed=4)


@pytest.mark.soak
@pytest.mark.parametrize("n", [40, 150])
def test_the_interval_holds_the_truth_as_often_as_it_says(n: int) -> None:
    """Of 600 heavy-tailed samples, 95 % hold the ratio, but for a little that small samples lack."""
    held = 0
    for seed in range(600):
        found = ratio_interval(sample(n, seed), seed=seed)
        held += found is not None and found[0] <= 0.7 <= found[1]
    assert 0.91 <= held / 600 <= 0.985


def test_wilsons_interval_of_a_share() -> None:
    """Newcombe (1998), Statistics in Medicine 17, 857-872, table I: 81/263, 15/148, 0/20, 1/29, method 3."""
    assert share_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert share_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert share_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert share_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert share_interval(0, 0) is None
