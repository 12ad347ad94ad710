"""Holm's procedure, against its textbook example, brute force and its promise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.stats.holm import levels


def rejected(p_values: dict[str, float], alpha: float) -> set[str]:
    found = levels(p_values, alpha)
    return {name for name, p in p_values.items() if p < found[name]}


def test_a_worked_example() -> None:
    """Four p-values at 5 %: 0.005 and 0.01 are rejected (0.0125, 0.0167), 0.03 is not (0.025), so 0.04 is not either.

    The example of the encyclopedic article on the Holm-Bonferroni method."""
    p_values = {"H1": 0.01, "H2": 0.04, "H3": 0.03, "H4": 0.005}
    assert rejected(p_values, 0.05) == {"H1", "H4"}
    assert levels(p_values, 0.05) == pytest.approx({"H4": 0.0125, "H1": 0.05 / 3, "H3": 0.025, "H2": 0.025})


def test_one_claim_has_the_whole_level() -> None:
    """Nothing is paid for a family of one, and an empty one has no level."""
    assert levels({"a": 0.03}, 0.05) == {"a": 0.05}
    assert levels({}, 0.05) == {}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8, unique=True))
def test_it_is_the_closed_procedure_of_bonferroni_tests(values: list[float]) -> None:
    """A claim is proven exactly where every set of claims that it belongs to has one below alpha / size."""
    p_values = {str(k): p for k, p in enumerate(values)}
    found = rejected(p_values, 0.05)
    for name, p in p_values.items():
        closed = all(
            min([p, *sorted((q for other, q in p_values.items() if other != name), reverse=True)[: size - 1]])
            < 0.05 / size
            for size in range(1, len(values) + 1)
        )
        assert (name in found) == closed


def test_of_many_false_claims_one_is_seldom_proven() -> None:
    """With twenty true nulls the chance of any claim stays near 5 %."""
    rng = random.Random(7)
    wrong = sum(bool(rejected({str(k): rng.random() for k in range(20)}, 0.05)) for _ in range(2000))
    assert wrong / 2000 < 0.065
