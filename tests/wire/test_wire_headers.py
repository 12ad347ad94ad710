"""Durations, limits and waits, and their garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.types import RateLimits
from trivet.wire.headers import go_duration, rate_limits, retry_after, wait_in


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("174ms", 0.174),
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("7.66s", 7.66),
        ("2m59.56s", 179.56),
        (" 20s ", 20.0),
        ("0s", 0.0),
        ("0", 0.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("350µs", 350e-6),
        ("350μs", 350e-6),
        ("15us", 15e-6),
        ("9ns", 9e-9),
        ("100h", 360000.0),
    ],
)
def test_go_durations(text: str, seconds: float) -> None:
    """Durations are read as Go writes them."""
    assert go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "-1s",
        "1",
        "12.5",
        "s",
        "ms",
        "1x",
        "1s garbage",
        "1..5s",
        "٣s",
        "1e3s",
        "nan",
        "inf",
        "9" * 99 + "s",
    ],
)
def test_other_text_is_no_duration(text: str) -> None:
    """What is not a duration is None, not a guess."""
    assert go_duration(text) is None


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_durations_add_up(hours: int, minutes: int, seconds: int, ms: int) -> None:
    """Every combination of units means their sum."""
    expected = hours * 3600 + minutes * 60 + seconds + ms / 1000
    assert go_duration(f"{hours}h{minutes}m{seconds}s{ms}ms") == pytest.approx(expected)
    assert go_duration(f"{hours}h{minutes}m{seconds}.{ms:03}s") == pytest.approx(expected)


def test_all_limits() -> None:
    """The documented headers are read whole."""
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert rate_limits(headers) == RateLimits(
        limit_requests=60,
        limit_tokens=150000,
        remaining_requests=59,
        remaining_tokens=149984,
        reset_requests=1.0,
        reset_tokens=360.0,
    )


def test_project_limits_bind_too() -> None:
    """Of two token limits the scarcer counts, of two resets the later."""
    headers = {
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "100",
        "x-ratelimit-reset-tokens": "6m0s",
        "x-ratelimit-limit-project-tokens": "5000",
        "x-ratelimit-remaining-project-tokens": "4000",
        "x-ratelimit-reset-project-tokens": "1s",
    }
    found = rate_limits(headers)
    assert found == RateLimits(limit_tokens=5000, remaining_tokens=100, reset_tokens=360.0)
    assert rate_limits({"x-ratelimit-limit-project-tokens": "7"}) == RateLimits(limit_tokens=7)


@pytest.mark.parametrize("value", ["", "-1", "many", "1.5", "٣", "9" * 400, "1_000", "0x10"])
def test_garbage_is_no_limit(value: str) -> None:
    """A limit that can't be read is as good as absent; without any there is no record."""
    assert rate_limits({"x-ratelimit-limit-tokens": value, "x-ratelimit-reset-tokens": value}) is None
    assert rate_limits({}) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "1"}, 1.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after-ms": "1500.5"}, 1.5005),
        ({"retry-after-ms": "no", "retry-after": "3"}, 3.0),
        ({"retry-after-ms": "0", "retry-after": "3"}, 3.0),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 59.0),
        ({"retry-after": "Friday, 31-Dec-99 23:59:59 GMT"}, 59.0),
        ({"retry-after": "Fri, 31 Dec 1999 23:58:00 GMT"}, None),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT", "date": "Fri, 31 Dec 1999 23:59:50 GMT"}, 9.0),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT", "date": "garbage"}, 59.0),
    ],
)
def test_retry_after_forms(headers: dict[str, str], seconds: float | None) -> None:
    """All forms of the header are read; a date is measured from the server's own clock where it is known."""
    now = 946684740.0  # 23:59:00 of that day
    assert retry_after(headers, now) == (None if seconds is None else pytest.approx(seconds))


def test_a_date_needs_a_clock() -> None:
    """Without any clock a date says nothing."""
    assert retry_after({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}) is None


@pytest.mark.parametrize("value", ["", "-5", "0", "nan", "inf", "1e9", "soon", "9" * 400, "Fri, 99 Foo 1999", "٣"])
def test_garbage_is_no_wait(value: str) -> None:
    """What can't be read, and what asks for no wait, is None."""
    assert retry_after({"retry-after": value, "retry-after-ms": value}, 0.0) is None


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please try again in 174ms. Visit x", 0.174),
        ("Please try again in 6m0s.", 360.0),
        ("please TRY AGAIN IN 1h2m3.5s", 3723.5),
        ("Please retry after 20 seconds.", 20.0),
        ("try again in 1.5 sec", 1.5),
        ("Please try again in a while", None),
        ("Please try again in 0s", None),
        ("", None),
    ],
)
def test_wait_in_a_message(message: str, seconds: float | None) -> None:
    """The wait that a message names is found."""
    assert wait_in(message) == (None if seconds is None else pytest.approx(seconds))


@given(st.text())
def test_nothing_breaks_it(text: str) -> None:
    """Any text in any of the headers is read without an error, and no wait is negative."""
    names = ("limit", "remaining", "reset")
    rate_limits({f"x-ratelimit-{name}-{kind}": text for name in names for kind in ("tokens", "requests")})
    found = retry_after({"retry-after": text, "retry-after-ms": text, "date": text}, 0.0)
    assert found is None or found > 0
    assert wait_in(f"try again in {text}") is None or wait_in(f"try again in {text}") != 0
