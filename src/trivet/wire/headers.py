"""What the headers of a reply say about limits and waiting. Header names are lower-case.

A header that can't be read is as good as absent: these are hints, and garbage in a hint is no error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from trivet.types import RateLimits

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_STEP = r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(f"(?:{_STEP})+", re.ASCII)
_STEPS = re.compile(r"([\d.]+)([a-zµμ]+)", re.ASCII)
_TRY_AGAIN = re.compile(rf"(?:again|retry) (?:in|after) (?:((?:{_STEP})+)|(\d+(?:\.\d+)?) sec)", re.I | re.A)
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_LONGEST = 64  # characters; no honest value is longer


@lru_cache(maxsize=1024)
def go_duration(text: str) -> float | None:
    """Seconds of a duration as Go writes it (`174ms`, `6m0s`, `1h2m3.5s`, `0`), or None.

    Source: the documentation of Go's `time.ParseDuration`; the provider writes its `x-ratelimit-reset-*`
    headers in it. Negative durations are None.
    """
    text = text.strip()
    if text == "0":
        return 0.0
    if len(text) > _LONGEST or not _DURATION.fullmatch(text):
        return None
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _STEPS.findall(text))
    return seconds if math.isfinite(seconds) else None


def rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """The `x-ratelimit-*` headers, or None where there are none.

    Where a project has a token limit of its own beside the organisation's, both hold, so the smaller
    limit, the smaller remainder and the longer reset are given.
    """
    get = headers.get
    limits = (
        _count(get("x-ratelimit-limit-requests")),
        _least(_count(get("x-ratelimit-limit-tokens")), _count(get("x-ratelimit-limit-project-tokens"))),
        _count(get("x-ratelimit-remaining-requests")),
        _least(_count(get("x-ratelimit-remaining-tokens")), _count(get("x-ratelimit-remaining-project-tokens"))),
        go_duration(get("x-ratelimit-reset-requests", "")),
        _longest(get("x-ratelimit-reset-tokens", ""), get("x-ratelimit-reset-project-tokens", "")),
    )
    if limits == (None, None, None, None, None, None):
        return None
    return RateLimits(
        limit_requests=limits[0],
        limit_tokens=limits[1],
        remaining_requests=limits[2],
        remaining_tokens=limits[3],
        reset_requests=limits[4],
        reset_tokens=limits[5],
    )


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds the server asks to wait, or None: `retry-after-ms`, then `retry-after` in seconds or as a date.

    A date is measured from the reply's own `date` header, which knows no skew between the clocks, or else
    from `now` (Unix time). Zero and dates gone by ask for nothing: None. Source: RFC 9110, section 10.2.3.
    """
    milliseconds = _positive(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    seconds = _positive(value)
    if seconds is not None:
        return seconds
    until = _unix_time(value)
    since = _unix_time(headers.get("date"))
    if since is None:
        since = now
    if until is None or since is None or until <= since:
        return None
    return until - since


def wait_in(message: str) -> float | None:
    """Seconds of a "Please try again in 6m0s" inside an error's message, or None."""
    found = _TRY_AGAIN.search(message)
    if found is None:
        return None
    seconds = go_duration(found[1]) if found[1] else _positive(found[2])
    return seconds or None


def _count(text: str | None) -> int | None:
    if text is None or len(text) > _LONGEST:
        return None
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _longest(one: str, other: str) -> float | None:
    known = [seconds for seconds in (go_duration(one), go_duration(other)) if seconds is not None]
    return max(known) if known else None


def _positive(text: str | None) -> float | None:
    if text is None or len(text) > _LONGEST or not _NUMBER.fullmatch(text.strip()):
        return None
    return float(text) or None


def _unix_time(text: str | None) -> float | None:
    if text is None or len(text) > _LONGEST:
        return None
    # Imported here: it is needed once in a blue moon and is slow to load.
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
