from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.tasks.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One.", (1, 1)),
        ("No stop at the end", (1, 1)),
        ("One. Two! Three?", (3, 3)),
        ("What?! Really.", (2, 2)),
        ('He said "Stop." Then he left.', (2, 2)),
        ("It costs 4.50 at example.com, v1.2.3.", (1, 1)),
        ("Dr. Smith met Mrs. Jones.", (1, 1)),
        ("Use tape, e.g. duct tape. Then go.", (2, 2)),
        ("approx. five of them", (1, 1)),
        ("Title\n\nText without a stop", (2, 2)),
        ("One line\nthat wraps.", (1, 1)),
        ("第一句。第二句！", (2, 2)),
        ("مرحبا. كيف حالك؟", (2, 2)),
        ("यह एक है। यह दो है।", (2, 2)),
        ("Thank you. 🎉", (1, 1)),
        ("", (0, 0)),
        ("...\n\n---", (0, 0)),
    ],
)
def test_sentences_are_counted_as_a_reader_would(text: str, expected: tuple[int, int]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "He left at 5 p.m. She stayed.",
        "The U.S. Army came.",
        "Wait... What?",
        "J. Smith called.",
        "Made by Acme Inc. Everyone knows.",
        "Back in 1999. Those were days.",
        "Yahoo! is down.",
    ],
)
def test_a_stop_that_nobody_can_tell_counts_either_way(text: str) -> None:
    assert sentences(text) == (1, 2)


@given(st.lists(st.sampled_from(["The card failed.", "Why did it fail?", "Call us!"]), min_size=1, max_size=20))
def test_joined_sentences_are_counted_exactly(parts: list[str]) -> None:
    assert sentences(" ".join(parts)) == (len(parts), len(parts))


@given(st.text())
def test_any_text_has_a_range(text: str) -> None:
    fewest, most = sentences(text)
    assert 0 <= fewest <= most
    assert (fewest > 0) == any(map(str.isalnum, text))


@pytest.mark.parametrize("text", ["." * 500_000 + "x", ".))" * 100_000 + "x", "\n " * 300_000 + "x", "a" * 1_000_000])
def test_a_huge_text_is_counted_in_linear_time(text: str) -> None:
    start = time.perf_counter()
    sentences(text)
    assert time.perf_counter() - start < 5
