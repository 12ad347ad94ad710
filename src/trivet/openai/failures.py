"""How what the layers raise reaches the user: as the SDK's own classes, made from what came back."""

from __future__ import annotations

import json
import ssl

import anyio
import httpx2
import openai

from trivet import errors
from trivet.errors import PauseError, RequestError, TransportError, TransportKind

REACHED_NOTHING = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
EXCHANGE = (httpx2.RequestError, ssl.SSLError, anyio.EndOfStream)
"""What the SDK takes for a failure of the exchange."""


class BudgetError(openai.APIError, errors.BudgetError):  # type: ignore[misc]  # `code` is a class's there
    """Sending this could exceed the budget, so it was not sent. Both an `openai.APIError` and one of trivet's."""

    def __init__(self, message: str, request: httpx2.Request) -> None:
        super().__init__(message, request, body={"message": message, "type": "budget", "code": "budget", "param": None})


def transport_error(error: Exception, request: httpx2.Request) -> TransportError:
    """The layers' word for a failed exchange; the failure itself is its `raw`."""
    if isinstance(error, httpx2.RequestError):
        error.request = request
    kind: TransportKind = "reset"
    if isinstance(error, httpx2.TimeoutException):
        kind = "timeout"
    elif isinstance(error, httpx2.ConnectError | httpx2.ProxyError | httpx2.UnsupportedProtocol):
        kind = "connect"
    found = TransportError(f"{type(error).__name__}: {error}", kind=kind, sent=not isinstance(error, REACHED_NOTHING))
    found.retryable = not isinstance(error, httpx2.UnsupportedProtocol)
    found.raw = error
    return found


def raised(error: RequestError, request: httpx2.Request) -> Exception:
    """The SDK's exception for a request that has no HTTP reply to show, with what broke as its cause."""
    cause = error.raw if isinstance(error.raw, Exception) else None
    if isinstance(error, errors.BudgetError):
        return BudgetError(str(error), request)
    made: Exception
    if isinstance(error, TransportError) and isinstance(cause, httpx2.TimeoutException):
        made = openai.APITimeoutError(request=request)
    elif cause is not None and isinstance(error, TransportError):
        made = openai.APIConnectionError(request=request)
    else:
        made = openai.APIConnectionError(message=str(error), request=request)
        cause = error
    made.__cause__ = cause
    return made


def paused(error: PauseError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """The reply that says so, where the provider's own refusal went to another call: a 429 that nobody sent."""
    wait = error.retry_after or 0.0
    body = {"error": {"message": str(error), "type": "rate_limit_error", "code": "paused", "param": None}}
    headers = [
        (b"content-type", b"application/json"),
        (b"retry-after", b"%d" % max(1, round(wait))),
        (b"x-trivet-source", b"pause"),
    ]
    return 429, headers, json.dumps(body).encode()
