"""What a request is charged, in tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trivet.limits.charge import Ratio


def test_the_larger_of_the_cap_and_the_characters_is_charged() -> None:
    assert Ratio().charge(4_000, 16) == 1_000
    assert Ratio().charge(4_000, 2_000) == 2_000
    assert Ratio().charge(4_000, None) == 1_000


def test_the_ratio_is_learned_from_what_replies_say() -> None:
    ratio = Ratio()
    for _ in range(200):
        ratio.seen(6_000, 1_000)
    assert 1_000 <= ratio.charge(6_000, None) < 1_050


def test_a_dense_text_is_charged_by_its_characters_all_the_same() -> None:
    ratio = Ratio()
    for _ in range(200):
        ratio.seen(1_000, 900)
    assert ratio.charge(1_000, None) == 250


@given(st.lists(st.tuples(st.integers(-5, 10**7), st.integers(-5, 10**9)), max_size=50))
def test_no_usage_makes_a_charge_that_is_no_number_of_tokens(seen: list[tuple[int, int]]) -> None:
    ratio = Ratio()
    for characters, tokens in seen:
        ratio.seen(characters, tokens)
    assert 1.0 <= ratio.charge(1_000, None) <= 250.0
