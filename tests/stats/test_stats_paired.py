"""The score test of mean differences: Tango's where scores are 0 or 1, and of the size it promises elsewhere."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from trivet.stats import noninferiority
from trivet.stats.paired import Differences

scores = st.lists(st.sampled_from([-1.0, -0.75, -0.5, -0.2, 0.0, 0.0, 0.1, 0.5, 1.0]), min_size=1, max_size=60)
margins = st.floats(-0.4, 0.6).filter(lambda d: abs(d) > 1e-3)


def general(values: list[float]) -> Differences:
    """The same test without its closed form for whole differences."""
    found = Differences(values)
    found._table = None
    return found


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 300), margins)
def test_of_whole_differences_it_is_tangos_test(b: int, c: int, agree: int, d: float) -> None:
    """The empirical likelihood of -1, 0 and 1 is the multinomial one: the same statistic, to rounding."""
    if b + c + agree == 0:
        return
    values = [-1.0] * b + [1.0] * c + [0.0] * agree
    assert general(values).z(d) == pytest.approx(noninferiority.score_z(b, c, len(values), d), rel=1e-6, abs=1e-6)


def test_tango_1998_crossover_trial() -> None:
    """The paper's trial through the general statistic: 44 patients, margin 0.1, Z 1.709."""
    assert general([-1.0] + [0.0] * 43).z(0.1) == pytest.approx(-1.709, abs=5e-4)


def test_cavo_2012_interval() -> None:
    """The table that Fagerland, Lydersen and Laake (2017, chapter 8) analyse: 0.0054 to 0.1240."""
    values = [-1.0] * 6 + [1.0] * 16 + [0.0] * 139
    assert general(values).interval(0.025, 0.025) == pytest.approx((0.0054, 0.1240), abs=5e-5)


@settings(max_examples=25)
@given(st.lists(st.sampled_from([-0.8, -0.3, 0.0, 0.25, 0.6]), min_size=2, max_size=9), st.sampled_from([0.05, 0.2]))
def test_the_statistic_is_that_of_the_nearest_distribution(values: list[float], d: float) -> None:
    """A general optimiser finds the same nearest distribution on the values seen and both extremes."""
    support = [*sorted(set(values)), -1.0, 1.0]
    counts = [values.count(x) for x in support]

    def unlikely(shares: list[float]) -> float:
        return -sum(k * math.log(max(p, 1e-12)) for k, p in zip(counts, shares, strict=True) if k)

    whole = {"type": "eq", "fun": lambda p: sum(p) - 1}
    mean = {"type": "eq", "fun": lambda p: sum(x * q for x, q in zip(support, p, strict=True)) + d}
    found = minimize(
        unlikely, [1 / len(support)] * len(support), bounds=[(0, 1)] * len(support), constraints=[whole, mean],
        method="SLSQP", options={"ftol": 1e-13, "maxiter": 500},
    )  # fmt: skip
    variance = sum(p * (x + d) ** 2 for x, p in zip(support, found.x, strict=True))
    expected = -(sum(values) + len(values) * d) / math.sqrt(len(values) * variance)
    assert Differences(values).z(d) == pytest.approx(expected, rel=0.01, abs=0.01)


@given(scores, st.floats(0.01, 0.4), st.integers(0, 59))
def test_a_better_row_never_makes_it_look_worse(values: list[float], d: float, place: int) -> None:
    """Raising one difference lowers the statistic, or leaves it: what stops a comparison early rests on that."""
    place %= len(values)
    raised = [*values[:place], 1.0, *values[place + 1 :]]
    assert Differences(raised).z(d) <= Differences(values).z(d) + 1e-6


@given(scores, st.sampled_from([0.02, 0.05, 0.1]), st.sampled_from([0.01, 0.025, 0.05]))
def test_interval_and_verdict_say_the_same(values: list[float], d: float, level: float) -> None:
    """The lower end is above the margin exactly where not worse is proven, the upper below it where worse is."""
    found = Differences(values)
    low, high = found.interval(level, level)
    if abs(low + d) > 1e-6:
        assert (low > -d) == (found.verdict(d, level, level) == "not_worse")
    if abs(high + d) > 1e-6:
        assert (high < -d) == (found.verdict(d, level, level) == "worse")
    assert low - 1e-9 <= found.mean <= high + 1e-9


def test_rows_that_agree_prove_no_more_than_with_labels() -> None:
    """Scores that never differ take 133 rows at two points, as labels do: no two rows prove anything."""
    assert general([0.0] * 132).verdict(0.02, 0.05, 0.05) == "not_proven"
    assert general([0.0] * 133).verdict(0.02, 0.05, 0.05) == "not_worse"


@pytest.mark.parametrize("value", [1.5, -1.01, math.nan, math.inf])
def test_what_is_no_difference_of_scores_is_refused(value: float) -> None:
    """Beyond -1 to 1 there is none."""
    with pytest.raises(ValueError, match="between"):
        Differences([value])
    with pytest.raises(ValueError, match="margin"):
        Differences([]).z(0.02)


SHAPES = {
    "even": lambda rng: rng.uniform(-1, 0.9),
    "rare losses": lambda rng: -0.5 if rng.random() < 0.1 else 0.0,
    "rare large losses": lambda rng: -1.0 if rng.random() < 0.05 else 0.0,
    "skewed": lambda rng: -0.9 if rng.random() < 0.1 else 0.04 / 0.9,
    "constant": lambda rng: -0.05,
}


def proven(shape: str, draws: int, seed: int, n: int = 200) -> int:
    """How often a loss of exactly five points passes as not worse."""
    rng = random.Random(seed)
    make = SHAPES[shape]
    return sum(Differences(make(rng) for _ in range(n)).z(0.05) < -1.6449 for _ in range(draws))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_loss_of_the_margin_seldom_passes(shape: str) -> None:
    """At most 5 % of samples, whatever the scores look like; twice the standard error is allowed for chance."""
    assert proven(shape, 400, 20261123) / 400 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.soak
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [60, 200, 1000])
def test_a_loss_of_the_margin_seldom_passes_in_thousands(shape: str, n: int) -> None:
    """The same over four thousand samples of three sizes; skewed ones of few rows pass a little more often."""
    assert proven(shape, 4000, n, n) / 4000 <= 0.068
