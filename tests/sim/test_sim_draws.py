"""Chance depends on the seed, the body and its attempt number, and on nothing else."""

from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from trivet.sim.draws import Attempts, Draws


@given(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=50), st.integers(0, 10**9), st.text(max_size=9))
def test_a_draw_repeats_and_stays_within_bounds(seed: int, body: bytes, attempt: int, name: str) -> None:
    """The same inputs give the same number in [0, 1)."""
    first, second = Draws(seed, body, attempt), Draws(seed, body, attempt)
    assert first.uniform(name) == second.uniform(name)
    assert 0 <= first.uniform(name) < 1
    assert first.lognormal(name, 2.0, 0.5) > 0


def test_each_input_changes_the_draw() -> None:
    """Seed, body, attempt and name all matter."""
    base = Draws(0, b"a", 0).uniform("x")
    others = [Draws(1, b"a", 0), Draws(0, b"b", 0), Draws(0, b"a", 1)]
    assert len({base, Draws(0, b"a", 0).uniform("y"), *(other.uniform("x") for other in others)}) == 5


def test_draws_have_the_distribution_they_claim() -> None:
    """Uniform numbers are uniform, and the log-normal's median is the one asked for."""
    uniform = [Draws(0, b"%d" % n, 0).uniform("u") for n in range(4000)]
    assert abs(statistics.mean(uniform) - 0.5) < 0.02
    assert abs(statistics.pvariance(uniform) - 1 / 12) < 0.01
    drawn = [Draws(0, b"%d" % n, 0).lognormal("l", 3.0, 0.5) for n in range(4000)]
    assert abs(statistics.median(drawn) - 3.0) < 0.15


def test_attempts_count_each_body_in_bounded_memory() -> None:
    """The n-th sight of a body is n, and the longest unseen is forgotten."""
    attempts = Attempts(3)
    assert [attempts.next(b"a") for _ in range(3)] == [0, 1, 2]
    for other in (b"b", b"c", b"d"):
        attempts.next(other)
    assert attempts.next(b"a") == 0
    assert attempts.next(b"d") == 1
