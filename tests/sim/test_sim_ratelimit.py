"""Limits admit what is documented, refuse in the documented words, and come back in both ways."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.sim import models
from trivet.sim.provider_errors import Refusal, duration
from trivet.sim.ratelimit import RateLimiter, charge_of
from trivet.sim.scenario import Scenario

MINI = models.MODELS["gpt-5.4-mini"]
NANO = models.MODELS["gpt-5.4-nano"]


def admitted(limiter: RateLimiter, charge: int, now: float) -> bool:
    try:
        limiter.admit(MINI, charge, now)
    except Refusal:
        return False
    return True


def refusal(limiter: RateLimiter, charge: int, now: float) -> Refusal:
    with pytest.raises(Refusal) as caught:
        limiter.admit(MINI, charge, now)
    return caught.value


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.174, "174ms"), (1, "1s"), (360, "6m0s"), (0, "0s"), (61.5, "1m1.5s"), (3661, "1h1m1s"), (-4, "0s")],
)
def test_durations_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    """As in the provider's headers."""
    assert duration(seconds) == text


@given(
    st.integers(60, 6000),
    st.sampled_from(["continuous", "window"]),
    st.sampled_from([1.0, 60.0]),
    st.lists(st.floats(0, 3), min_size=1, max_size=400),
)
def test_no_more_than_the_limit_is_admitted(rpm: int, refill: Any, burst: float, gaps: list[float]) -> None:
    """Over any stretch of time, admissions stay within a burst plus the rate."""
    limiter = RateLimiter(Scenario(rpm=rpm, refill=refill, burst_s=burst))
    now, count = 1000.0, 0
    for gap in gaps:
        now += gap
        count += admitted(limiter, 1, now)
    windows = (now - 1000.0) / burst + 2 if refill == "window" else (now - 1000.0) / burst + 1
    assert count <= max(rpm / 60 * burst, 1) * windows + 1


def test_a_steady_client_gets_the_whole_limit() -> None:
    """At exactly the rate nothing is refused, whichever way the limit comes back."""
    for refill in ("continuous", "window"):
        limiter = RateLimiter(Scenario(rpm=600, refill=refill, burst_s=1))  # type: ignore[arg-type]
        assert all(admitted(limiter, 1, 1000 + n / 10 + 1e-6) for n in range(600))


def test_a_full_bucket_is_a_burst_of_a_minute_or_a_second() -> None:
    """At once: the limit of a minute, or its sixtieth."""
    for burst, expected in ((60.0, 500), (1.0, 9)):
        limiter = RateLimiter(Scenario(rpm=500, burst_s=burst))
        count = 0
        while admitted(limiter, 1, 1000.0):
            count += 1
        assert count in (expected, expected - 1)


def test_a_window_comes_back_all_at_once() -> None:
    """Nothing until the window's end, everything after."""
    limiter = RateLimiter(Scenario(rpm=100, refill="window", refused_count=False))
    assert sum(admitted(limiter, 1, 1200.0) for _ in range(150)) == 100
    assert not admitted(limiter, 1, 1259.9)
    assert sum(admitted(limiter, 1, 1260.0) for _ in range(150)) == 100


def test_a_request_refusal_has_the_documented_body_and_headers() -> None:
    """Type, code, words, Retry-After in whole seconds, limits in the headers."""
    limiter = RateLimiter(Scenario(rpm=60, burst_s=1, retry_after_ms=True))
    limiter.admit(MINI, 1, 1000.0)
    refused = refusal(limiter, 1, 1000.2)
    assert (refused.status, refused.type, refused.code, refused.param) == (
        429,
        "requests",
        "rate_limit_exceeded",
        None,
    )
    assert re.search(r"on requests per min \(RPM\): Limit 60, Used \d+, Requested 1\.", refused.message)
    assert "Please try again in 800ms." in refused.message
    assert refused.headers["retry-after"] == "1"
    assert int(refused.headers["retry-after-ms"]) == 800
    assert refused.headers["x-ratelimit-limit-requests"] == "60"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


def test_a_token_refusal_names_tokens_and_says_when() -> None:
    """After the time it names, the same request is admitted."""
    limiter = RateLimiter(Scenario(tpm=60_000))
    limiter.admit(MINI, 50_000, 1000.0)
    refused = refusal(limiter, 20_000, 1000.0)
    assert refused.type == "tokens"
    assert "Limit 60000, Used 50000, Requested 20000. Please try again in 10s." in refused.message
    assert refused.headers["retry-after"] == "10"
    assert admitted(limiter, 20_000, 1010.0)


def test_a_request_over_the_whole_limit_never_succeeds() -> None:
    """Documented as too large, without a time to come back."""
    limiter = RateLimiter(Scenario(tpm=30_000))
    for now in (1000.0, 1e6):
        refused = refusal(limiter, 31_538, now)
        assert refused.message.startswith("Request too large for gpt-5.4-mini")
        assert "Limit 30000, Requested 31538. The input or output tokens must be reduced" in refused.message
        assert "retry-after" not in refused.headers


def test_a_request_over_a_second_s_burst_is_admitted_into_debt() -> None:
    """It passes a full bucket, and those after it wait until the debt is paid."""
    limiter = RateLimiter(Scenario(tpm=60_000, burst_s=1))
    limiter.admit(MINI, 10_000, 1000.0)
    assert not admitted(limiter, 1000, 1005.0)
    assert admitted(limiter, 1000, 1010.1)


def test_a_refused_request_counts_unless_told_otherwise() -> None:
    """Hammering keeps the limit used up, as documented."""
    hammered = {}
    for counts in (True, False):
        limiter = RateLimiter(Scenario(rpm=60, burst_s=1, refused_count=counts))
        hammered[counts] = sum(admitted(limiter, 1, 1000 + n / 100) for n in range(2000))
    assert hammered[True] < 3
    assert hammered[False] in (20, 21)


def test_a_stranger_leaves_its_share_less() -> None:
    """With half used by someone else, half is left, and the headers show the whole limit."""
    for refill in ("continuous", "window"):
        scenario = Scenario(rpm=600, burst_s=1, stranger=0.5, refill=refill, refused_count=False)  # type: ignore[arg-type]
        limiter = RateLimiter(scenario)
        count = sum(admitted(limiter, 1, 1000 + n / 100) for n in range(6000))
        assert 270 <= count <= 345, refill
        assert limiter.headers(MINI, 1060.0)["x-ratelimit-limit-requests"] == "600"


def test_limits_are_kept_by_model_and_taken_from_the_tier() -> None:
    """The published table of tier 1: nano has fewer tokens, and its own bucket."""
    limiter = RateLimiter(Scenario(tier=1))
    limiter.admit(MINI, 400_000, 1000.0)
    headers = limiter.admit(NANO, 1, 1000.0)
    assert headers["x-ratelimit-limit-tokens"] == "200000"
    assert headers["x-ratelimit-remaining-tokens"] == "199999"
    assert limiter.headers(MINI, 1000.0)["x-ratelimit-remaining-tokens"] == "100000"
    assert headers["x-ratelimit-reset-requests"] == "120ms"


def test_without_limits_there_are_no_headers() -> None:
    """And everything is admitted."""
    limiter = RateLimiter(Scenario())
    assert limiter.admit(MINI, 10**9, 1000.0) == {}


def test_growth_beyond_half_in_a_quarter_hour_is_slowed_down() -> None:
    """Above the start of the rule, a minute may have half more than the highest before it."""
    limiter = RateLimiter(Scenario(ramp_from=1000))
    assert admitted(limiter, 1000, 60_000.0)
    refused = refusal(limiter, 1, 60_001.0)
    assert (refused.status, refused.code, refused.type) == (429, "slow_down", "rate_limit_error")
    assert admitted(limiter, 1500, 60_060.0)
    assert not admitted(limiter, 1, 60_061.0)


def test_the_charge_is_the_larger_of_the_cap_and_the_characters() -> None:
    """As documented; never nothing."""
    assert charge_of(400, 16) == 100
    assert charge_of(400, 5000) == 5000
    assert charge_of(0, None) == 1
