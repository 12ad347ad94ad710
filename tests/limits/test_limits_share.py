"""The share of a limit that is ours, fed with refusals and times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.limits.share import GENTLE, LEAST, K, Share


def test_without_refusals_all_of_the_limit_is_used() -> None:
    assert Share().share(10**6) == 1.0


def test_a_refusal_cuts_and_the_share_comes_back_to_where_it_was_refused() -> None:
    share = Share()
    assert share.refused(sent=100.0, now=100.1)
    assert share.share(100.1) == pytest.approx(GENTLE)
    assert share.share(100.1 + K / 2) > 0.98
    assert share.share(100.1 + K) == pytest.approx(1.0)


def test_after_a_while_it_looks_for_more_than_was_refused() -> None:
    share = Share()
    for n in range(6):
        share.refused(sent=n, now=n + 0.5)
    low = share.share(6.0)
    assert low < 0.5
    assert share.share(6.0 + 10 * K) == 1.0


def test_what_was_sent_before_a_cut_cuts_no_more() -> None:
    share = Share()
    share.refused(sent=10.0, now=10.5)
    once = share.share(11.0)
    assert not share.refused(sent=10.4, now=10.9)
    assert share.share(11.0) == once


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 2)), max_size=60))
def test_the_share_is_always_usable(events: list[tuple[float, float]]) -> None:
    share, now = Share(), 0.0
    for gap, flight in events:
        now += gap
        before = share.share(now)
        assert LEAST <= before <= 1.0
        if share.refused(sent=now - flight, now=now):
            assert LEAST <= share.share(now) <= before
