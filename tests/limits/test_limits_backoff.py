"""The rule of retries, fed with every kind of error."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import (
    BudgetError,
    DeadlineError,
    ProtocolError,
    ProviderError,
    RequestError,
    SettingsError,
    TransportError,
    TransportKind,
)
from trivet.limits.backoff import Backoff, is_refusal
from trivet.wire.provider_errors import provider_error


def delay(error: RequestError, rule: Backoff | None = None, **changes: Any) -> float | None:
    state = {"failures": 1, "refusals": 1, "reached": True, "draw": 0.0} | changes
    return (rule or Backoff()).delay(error, **state)


def provider(status: int, code: str = "x", type_: str = "x", message: str = "no", **headers: str) -> ProviderError:
    body = b'{"error":{"message":"%b","type":"%b","param":null,"code":"%b"}}' % (
        message.encode(),
        type_.encode(),
        code.encode(),
    )
    return provider_error(status, headers, body)


TABLE = [
    (provider(400), None),
    (provider(400, "context_length_exceeded"), None),
    (provider(400, "invalid_json_schema"), None),
    (provider(401, "invalid_api_key"), None),
    (provider(402), None),
    (provider(403), None),
    (provider(404), None),
    (provider(408), 0.5),
    (provider(409), 0.5),
    (provider(413), None),
    (provider(422), None),
    (provider(429, "rate_limit_exceeded"), 0.5),
    (provider(429, "slow_down"), 0.5),
    (provider(429, "insufficient_quota", "insufficient_quota"), None),
    (provider(429, "credit_balance_exhausted", "insufficient_quota"), None),
    (provider(429, "organization_spend_limit_exceeded", "insufficient_quota"), None),
    (provider(429, "rate_limit_exceeded", "tokens", "Request too large for m: Limit 3, Requested 4"), None),
    (provider(429, "x", "x", "Resource Unavailable"), 0.5),
    (provider(500), 0.5),
    (provider(502), 0.5),
    (provider(503, "server_is_overloaded"), 0.5),
    (provider(504), 0.5),
    (provider(529), 0.5),
    (ProtocolError("cut"), 0.5),
    (ProtocolError("html", retryable=False), None),
    (DeadlineError("late"), None),
    (BudgetError("spent"), None),
    (TransportError("x", kind="connect", sent=False), 0.5),
    (TransportError("x", kind="timeout", sent=True), 0.5),
    (TransportError("x", kind="reset", sent=True), 0.5),
    (TransportError("x", kind="closed", sent=True), 0.5),
    (TransportError("x", kind="tls", sent=False), None),
    (TransportError("x", kind="too_large", sent=True), None),
    (TransportError("x", kind="encoding", sent=True), None),
]


@pytest.mark.parametrize(("error", "expected"), TABLE, ids=lambda value: str(value)[:60])
def test_only_what_another_attempt_may_mend_is_tried_again(error: RequestError, expected: float | None) -> None:
    assert delay(error) == expected


def test_the_table_has_every_kind_of_transport_error() -> None:
    kinds = {error.kind for error, _ in TABLE if isinstance(error, TransportError)}
    assert kinds == set(get_args(TransportKind))


@given(
    nth=st.integers(1, 5),
    draw=st.floats(0, 1, exclude_max=True),
    jitter=st.floats(0, 1),
)
def test_the_formula_of_the_docstring_holds(nth: int, draw: float, jitter: float) -> None:
    rule = Backoff(jitter=jitter, cap=3.0)
    waited = delay(provider(500), rule, failures=nth, draw=draw)
    assert waited == pytest.approx(min(3.0, 0.5 * 2 ** (nth - 1)) * (1 - jitter * draw))


@given(asked=st.floats(0.001, 10**6), draw=st.floats(0, 1, exclude_max=True), nth=st.integers(1, 60))
def test_a_named_wait_is_never_undercut_and_stretched_by_a_tenth_at_most(asked: float, draw: float, nth: int) -> None:
    error = provider(429, "rate_limit_exceeded", retry_after="1")
    error.retry_after = asked
    waited = delay(error, refusals=nth, draw=draw)
    assert waited is not None
    assert asked <= waited <= asked + max(0.1, asked / 10)


def test_a_wait_named_by_a_failing_server_is_kept_too() -> None:
    error = provider_error(503, {"retry-after": "7"}, b"")
    assert delay(error) == 7.0


def test_failures_and_refusals_have_allowances_of_their_own() -> None:
    assert delay(provider(500), failures=5, refusals=60) is not None
    assert delay(provider(500), failures=6, refusals=0) is None
    assert delay(provider(429, "slow_down"), failures=6, refusals=60) is not None
    assert delay(provider(429, "slow_down"), failures=0, refusals=61) is None


def test_no_retries_are_none_of_either() -> None:
    rule = Backoff(retries=0)
    assert delay(provider(500), rule) is None
    assert delay(provider(429, "slow_down"), rule) is None


@pytest.mark.parametrize("kind", ["connect", "timeout"])
def test_a_server_that_never_answered_is_given_up_after_two_tries_more(kind: TransportKind) -> None:
    error = TransportError("x", kind=kind, sent=False)
    assert delay(error, failures=2, reached=False) is not None
    assert delay(error, failures=3, reached=False) is None
    assert delay(error, failures=3, reached=True) is not None
    sent = TransportError("x", kind="timeout", sent=True)
    assert delay(sent, failures=3, reached=False) is not None
    assert delay(error, Backoff(retries=1), failures=2, reached=False) is None


def test_waits_do_not_overflow_however_many_there_were() -> None:
    assert delay(provider(429, "slow_down"), Backoff(refusals=10**6), refusals=10**6) == 16.0


def test_a_refusal_is_a_429_that_may_be_tried_again() -> None:
    assert is_refusal(provider(429, "slow_down"))
    assert not is_refusal(provider(429, "insufficient_quota", "insufficient_quota"))
    assert not is_refusal(provider(503))
    assert not is_refusal(TransportError("x", kind="reset", sent=True))


def test_retries_below_nought_are_refused() -> None:
    with pytest.raises(SettingsError, match="retries"):
        Backoff(retries=-1)
