"""Tango's score test against published examples, a brute-force likelihood, and its own exact size."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, multinomial

from trivet.stats.noninferiority import (
    interval,
    mcnemar_p,
    not_worse,
    rows_needed,
    rows_needed_at,
    rows_needed_if_all_agree,
    score_z,
    verdict,
    worse,
)


@st.composite
def counts(draw: st.DrawFn, largest: int = 2000) -> tuple[int, int, int]:
    n = draw(st.integers(1, largest))
    b = draw(st.integers(0, n))
    return b, draw(st.integers(0, n - b)), n


margins = st.floats(0.001, 0.6)


# --- published examples


def test_tango_1998_crossover_trial() -> None:
    """The paper's trial: of 44 patients one had success with the standard alone; margin 0.1, Z 1.709."""
    z = score_z(1, 0, 44, 0.1)
    assert z == pytest.approx(-1.709, abs=5e-4)
    assert NormalDist().cdf(z) == pytest.approx(0.044, abs=5e-4)


@pytest.mark.parametrize(
    ("b", "c", "n", "estimate", "low", "high"),
    [(6, 16, 161, 0.0621, 0.0054, 0.1240)],
)
def test_published_interval(b: int, c: int, n: int, estimate: float, low: float, high: float) -> None:
    """Response before and after consolidation therapy (Cavo et al. 2012), as analysed in Fagerland, Lydersen
    and Laake, "Statistical Analysis of Contingency Tables" (2017), chapter 8, which counts c - b as here."""
    assert (c - b) / n == pytest.approx(estimate, abs=5e-5)
    assert interval(b, c, n) == pytest.approx((low, high), abs=5e-5)


def test_published_mcnemar() -> None:
    """The exact conditional test of the same table has P = 0.052479."""
    assert mcnemar_p(6, 16) == pytest.approx(0.052479, abs=5e-7)


# --- the statistic


def _likelihood(b: int, c: int, n: int, d: float) -> Callable[[float], float]:
    def negative(q: float) -> float:
        rates = ((b, q + d), (c, q), (n - b - c, 1 - 2 * q - d))
        return -sum(k * math.log(max(p, 1e-300)) for k, p in rates if k)

    return negative


@given(counts(300), margins)
def test_matches_a_brute_force_constrained_likelihood(table: tuple[int, int, int], d: float) -> None:
    """The closed form is the score statistic at the numeric maximum of the likelihood under the margin."""
    b, c, n = table
    best = minimize_scalar(_likelihood(b, c, n, d), bounds=(0, (1 - d) / 2), method="bounded", options={"xatol": 1e-10})
    q = float(best.x)
    spread = math.sqrt(n * (2 * q + d * (1 - d)))
    assert score_z(b, c, n, d) == pytest.approx((b - c - n * d) / spread, rel=2e-3, abs=2e-3)


@given(counts(), st.floats(-0.6, 0.6))
def test_exchanging_the_two_exchanges_the_sign(table: tuple[int, int, int], d: float) -> None:
    """What is a loss of d to the one is a gain of d to the other."""
    b, c, n = table
    assert score_z(b, c, n, d) == -score_z(c, b, n, -d)


@given(counts(), margins, margins)
def test_a_larger_margin_is_easier_to_prove(table: tuple[int, int, int], d: float, e: float) -> None:
    """The statistic falls as the margin grows."""
    low, high = sorted((d, e))
    assert score_z(*table, high) <= score_z(*table, low) + 1e-9


def test_no_margin_is_mcnemar_without_correction() -> None:
    """At a margin of 0 the statistic is (b - c) / sqrt(b + c)."""
    assert score_z(30, 14, 200, 0.0) == pytest.approx(16 / math.sqrt(44))
    assert score_z(0, 0, 200, 0.0) == 0.0


def test_huge_counts_keep_their_digits() -> None:
    """A hundred million rows give the same statistic as the formula in exact arithmetic."""
    b, c, n, d = 3, 5, 100_000_000, 0.02
    q = 5 * 0.02 * 0.98 / (2 * n * 0.02)  # c d (1 - d) / B for a huge n
    expected = (b - c - n * d) / math.sqrt(n * (2 * q + d * (1 - d)))
    assert score_z(b, c, n, d) == pytest.approx(expected, rel=1e-9)


# --- the decisions


@given(counts(), margins, st.sampled_from([0.01, 0.05, 0.1]))
def test_the_verdict_is_the_one_test_that_holds(table: tuple[int, int, int], d: float, alpha: float) -> None:
    """Not worse and worse exclude each other, and the verdict names the one that is proven."""
    good, bad = not_worse(*table, d, alpha), worse(*table, d, alpha)
    assert not (good and bad)
    assert verdict(*table, d, alpha) == ("not_worse" if good else "worse" if bad else "not_proven")


@given(counts(), margins, st.sampled_from([0.01, 0.025, 0.05]))
def test_the_interval_is_what_the_test_does_not_reject(table: tuple[int, int, int], d: float, alpha: float) -> None:
    """An interval at 1 - 2 alpha clears -margin exactly where the test at alpha rejects."""
    b, c, n = table
    low, high = interval(b, c, n, confidence=1 - 2 * alpha)
    assert -1 <= low <= (c - b) / n <= high <= 1
    if abs(low + d) > 1e-9:
        assert (low > -d) == not_worse(b, c, n, d, alpha)
    if abs(high + d) > 1e-9:
        assert (high < -d) == worse(b, c, n, d, alpha)


def _size(n: int, loss: float, q: float, rejects: Callable[[int, int], bool]) -> float:
    """The exact probability that the test rejects under a true loss, summed over every table of n rows."""
    draw = multinomial(n, [q + loss, q, 1 - 2 * q - loss])
    tables = ((b, c) for b in range(n + 1) for c in range(n + 1 - b))
    return float(sum(draw.pmf([[b, c, n - b - c] for b, c in tables if rejects(b, c)])))


@pytest.mark.parametrize("q", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("margin", [0.02, 0.05])
def test_exact_size(margin: float, q: float) -> None:
    """A candidate that loses exactly the margin is let through in no more than 6 % of samples of 100."""
    assert _size(100, margin, q, lambda b, c: not_worse(b, c, 100, margin)) <= 0.06


def test_exact_size_of_worse() -> None:
    """A candidate that loses exactly the margin is called worse in about 5 % of samples, at most 7 %."""
    assert 0.03 < _size(100, 0.05, 0.05, lambda b, c: worse(b, c, 100, 0.05)) < 0.07


def test_planned_rows_give_the_planned_power() -> None:
    """With the rows asked for, an equally good candidate is proven in about 80 % of simulated samples."""
    discordance, margin, draws = 0.1, 0.05, 2000
    n = rows_needed(discordance, margin)
    rng = random.Random(20261123)
    proven = 0
    for _ in range(draws):
        b = c = 0
        for _ in range(n):
            u = rng.random()
            b += u < discordance / 2
            c += discordance / 2 <= u < discordance
        proven += not_worse(b, c, n, margin)
    assert 0.75 < proven / draws < 0.85


# --- how many rows


@pytest.mark.parametrize(("margin", "rows"), [(0.02, 1546), (0.03, 687), (0.05, 248)])
def test_rows_needed_at_a_tenth_discordance(margin: float, rows: int) -> None:
    """(1.645 + 0.842)^2 0.10 / margin^2."""
    assert rows_needed(0.10, margin) == rows


@given(st.floats(0.002, 0.5), st.sampled_from([0.01, 0.05, 0.1]))
def test_rows_needed_if_all_agree_is_the_least(margin: float, alpha: float) -> None:
    """With that many rows and no difference the test rejects, with one less it does not."""
    n = rows_needed_if_all_agree(margin, alpha)
    assert not_worse(0, 0, n, margin, alpha)
    assert n == 1 or not not_worse(0, 0, n - 1, margin, alpha)


def test_two_points_need_133_rows_that_agree() -> None:
    """The example that users meet first; no discordance at all asks for the same."""
    assert rows_needed_if_all_agree(0.02) == 133
    assert rows_needed(0.0, 0.02) == 133
    assert rows_needed_at(0, 0, 50, 0.02) == 133


@given(counts(500), st.floats(0.01, 0.3))
def test_rows_needed_at_would_be_proven_at_the_same_rates(table: tuple[int, int, int], margin: float) -> None:
    """Scaled up to the rows asked for, the same rates are proven; a loss of the margin or more never is."""
    b, c, n = table
    rows = rows_needed_at(b, c, n, margin)
    if rows is None:
        assert (b - c) / n >= margin
        return
    times = max(1, math.ceil(rows / n))
    if not math.isclose(times * n, rows):
        assert not_worse(b * times, c * times, n * times, margin)


@given(counts(500), st.floats(0.01, 0.3))
def test_what_is_not_proven_needs_more_rows(table: tuple[int, int, int], margin: float) -> None:
    """The number of rows it would take is above the number that did not suffice."""
    rows = rows_needed_at(*table, margin)
    if rows is not None and verdict(*table, margin) == "not_proven":
        assert rows >= table[2]


# --- McNemar


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_exact_binomial_test(b: int, c: int) -> None:
    """The p-value is that of scipy's exact binomial test of b among b + c."""
    expected = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar_p(b, c) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_a_million_rows() -> None:
    """A million discordant rows take no longer than a blink and agree with scipy."""
    assert mcnemar_p(499_000, 501_000) == pytest.approx(binomtest(499_000, 1_000_000).pvalue, rel=1e-6)
    assert mcnemar_p(0, 1_000_000) == 0.0


# --- garbage


@pytest.mark.parametrize("table", [(-1, 0, 5), (0, -1, 5), (3, 3, 5), (0, 0, 0)])
def test_counts_that_do_not_fit_are_refused(table: tuple[int, int, int]) -> None:
    """Negative counts, more differences than rows and no rows at all are a ValueError, never a verdict."""
    with pytest.raises(ValueError, match="fit together"):
        verdict(*table, 0.02)
    with pytest.raises(ValueError, match="fit together"):
        interval(*table)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, float("nan")])
def test_margins_that_nothing_can_meet_are_refused(margin: float) -> None:
    """A margin to prove lies strictly between 0 and 1."""
    with pytest.raises(ValueError, match="margin"):
        rows_needed(0.1, margin)
    with pytest.raises(ValueError, match="margin"):
        rows_needed_at(1, 1, 10, margin)


def test_levels_outside_their_range_are_refused() -> None:
    """A level of 0, of a half or of nonsense is a ValueError."""
    for alpha in (0.0, 0.5, 1.0, float("nan")):
        with pytest.raises(ValueError, match="level"):
            verdict(1, 1, 10, 0.02, alpha)
