"""What one attempt came to: the same for both ways of making it."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from trivet.engine.attempts import Interrupted
from trivet.errors import ProviderError, RequestError, TransportError
from trivet.types import Attempt, Reply


def answered(reply: Reply, status: int, latency: float, ttft: float | None) -> Reply:
    """The reply with its attempt."""
    attempt = Attempt(latency=latency, status=status, ttft=ttft, request_id=reply.request_id, usage=reply.usage)
    return replace(reply, attempts=(attempt,), ttft=ttft)


def failed(error: RequestError, latency: float) -> RequestError:
    """The error with its attempt."""
    provider = error if isinstance(error, ProviderError) else None
    error.attempts = (
        Attempt(
            latency=latency,
            status=provider.status if provider else None,
            error=error.code,
            request_id=provider.request_id if provider else None,
            usage=error.usage,
            cost=None if error.possibly_billed else Decimal(0),
            possibly_billed=error.possibly_billed,
        ),
    )
    return error


def cut(latency: float, *args: object) -> Interrupted:
    """The cancellation that ended an attempt."""
    attempt = Attempt(latency=latency, error="cancelled", cost=None, possibly_billed=True)
    return Interrupted(*args, attempts=(attempt,))


def deserted() -> TransportError:
    """The error of a stream that everybody stopped reading."""
    error = TransportError("nobody reads this stream any more", kind="closed", sent=True)
    error.code, error.retryable = "cancelled", False
    return error
