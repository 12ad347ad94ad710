"""Simulated comparisons with a known truth: how often the promise is broken, and how often it can be made."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.comparison.quality import claims, differences, settled
from trivet.stats.noninferiority import rows_needed
from trivet.stats.paired import Differences

MARGIN, ALPHA = 0.05, 0.05


def draw(rng: random.Random, loss: float, discordance: float) -> float:
    """One row's difference: the baseline alone is right, the candidate alone, or neither."""
    u = rng.random()
    if u < (discordance + loss) / 2:
        return -1.0
    return 1.0 if u < discordance else 0.0


def compared(rng: random.Random, truths: list[tuple[float, float]], rows: int, *, early: bool) -> list[str]:
    """The verdicts on candidates of these losses and discordances, as a comparison that may stop early gives them."""
    values: list[list[float]] = [[] for _ in truths]
    for n in range(rows):
        for made, (loss, discordance) in zip(values, truths, strict=True):
            made.append(draw(rng, loss, discordance))
        if early and n % 40 == 39:
            found = {str(k): Differences(made) for k, made in enumerate(values)}
            if settled(found, rows - n - 1, MARGIN, ALPHA):
                break
    found = claims({str(k): Differences(made) for k, made in enumerate(values)}, MARGIN, ALPHA)
    return [found[str(k)].verdict for k in range(len(truths))]


def broken(simulations: int, truths: list[tuple[float, float]], rows: int, seed: int) -> int:
    """How many comparisons call a candidate not worse that is worse by the margin."""
    rng = random.Random(seed)
    return sum("not_worse" in compared(rng, truths, rows, early=True) for _ in range(simulations))


WORSE = [[(0.05, 0.10)], [(0.05, 0.30)], [(0.05, 0.10), (0.05, 0.20), (0.06, 0.15)]]


@pytest.mark.parametrize("truths", WORSE, ids=["one", "one that differs much", "three"])
def test_the_promise_is_seldom_broken(truths: list[tuple[float, float]]) -> None:
    """Where the truth is worse by the margin, few comparisons say otherwise; chance is allowed two standard errors."""
    assert broken(200, truths, 240, 11) / 200 <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / 200)


@pytest.mark.soak
@pytest.mark.parametrize("truths", WORSE, ids=["one", "one that differs much", "three"])
@pytest.mark.parametrize("rows", [150, 400])
def test_the_promise_is_broken_in_one_of_twenty_at_most(truths: list[tuple[float, float]], rows: int) -> None:
    """The same over four thousand comparisons, with half a point for chance."""
    assert broken(4000, truths, rows, rows) / 4000 <= ALPHA + 0.007


def power(simulations: int, discordance: float, seed: int) -> float:
    """How often an equally good candidate is proven, with the rows that the formula asks for."""
    rng = random.Random(seed)
    rows = rows_needed(discordance, MARGIN, ALPHA)
    verdicts = [compared(rng, [(0.0, discordance)], rows, early=False)[0] for _ in range(simulations)]
    return verdicts.count("not_worse") / simulations


def test_power_is_that_of_the_formula() -> None:
    """With the rows that it asks for, four of five are proven, within five points and what chance does."""
    assert power(400, 0.10, 3) == pytest.approx(0.8, abs=0.05 + 0.02)


@pytest.mark.soak
@pytest.mark.parametrize("discordance", [0.10, 0.25])
def test_power_is_within_five_points_of_the_formula(discordance: float) -> None:
    """Over four thousand comparisons."""
    assert power(4000, discordance, 5) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("margin", [0.05, 0.2])
def test_settled_means_that_no_end_of_it_says_otherwise(margin: float) -> None:
    """Every way in which the remaining rows can come out, by brute force: the verdict stays."""
    met = 0
    for n, remaining in itertools.product((12, 30, 60), (1, 4, 9)):
        for b in range(0, n + 1, 3):
            for c in range(0, n - b + 1, 4):
                now = Differences([-1.0] * b + [1.0] * c + [0.0] * (n - b - c))
                if not settled({"a": now}, remaining, margin, ALPHA):
                    continue
                met += 1
                verdict = claims({"a": now}, margin, ALPHA)["a"].verdict
                for lost in range(remaining + 1):
                    for won in range(remaining - lost + 1):
                        then = now.followed_by(-1.0, lost).followed_by(1.0, won)
                        then = then.followed_by(0.0, remaining - lost - won)
                        assert claims({"a": then}, margin, ALPHA)["a"].verdict == verdict
    assert met > 20


@given(
    st.lists(st.sampled_from([-1.0, -0.4, 0.0, 0.3, 1.0]), min_size=20, max_size=60),
    st.lists(st.sampled_from([-1.0, -0.7, 0.0, 0.2, 1.0]), max_size=8),
)
def test_settled_holds_for_scores(values: list[float], later: list[float]) -> None:
    """For scores between 0 and 1 too: whatever comes, the verdict stays."""
    now = Differences(values)
    if settled({"a": now}, len(later), 0.1, ALPHA):
        verdict = claims({"a": now}, 0.1, ALPHA)["a"].verdict
        assert claims({"a": Differences([*values, *later])}, 0.1, ALPHA)["a"].verdict == verdict


def test_only_rows_that_both_have_are_differences() -> None:
    """A row that one of them lacks is no pair."""
    found = differences({0: 1.0, 1: 0.0, 2: 1.0}, {1: 1.0, 2: 1.0})
    assert (found.n, found.mean) == (2, -0.5)
