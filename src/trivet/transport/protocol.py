"""What the engine asks of an HTTP library; `trivet.testing.transport` says what doing it rightly means."""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from msgspec import Struct

from trivet.types import HttpCall, HttpReply, HttpStream

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a reply's body, after its content encoding is undone, beyond which it is refused."""


class TransportStatistics(Struct, frozen=True, kw_only=True):
    """Counts since the start: exchanges begun, connections opened, exchanges open now."""

    exchanges: int
    connections: int
    open: int


class Transport(Protocol):
    """Makes HTTP exchanges. Every failure is a `TransportError` with its `kind` and `sent`."""

    def fetch(self, call: HttpCall) -> Coroutine[Any, Any, HttpReply]:
        """Send, and return the whole reply, whatever its status."""
        ...

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        """Send, and return the reply once its head has come; the body's chunks as they arrive."""
        ...

    async def close(self) -> None:
        """Close every connection; exchanges under way fail."""
        ...

    def statistics(self) -> TransportStatistics:
        """Counts so far."""
        ...
