"""The simulated provider without a socket: an HTTP transport that answers from the core in this process.

It has the shape of the package's transports. Every wait is an `asyncio.sleep` of the running loop, and the
time that limits and caches see is the loop's, so that a virtual-time loop makes an hour pass at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from trivet.errors import TransportError, TransportKind
from trivet.sim.constants import MAX_BODY
from trivet.sim.core import Core
from trivet.sim.exchange import Exchange
from trivet.sim.scenario import Scenario
from trivet.types import HttpCall, HttpReply, HttpStream, Timeouts

EPOCH = 1_790_000_000.0
"""Unix time at the loop's second 0, a multiple of no window in particular."""


class Statistics(Struct, frozen=True, kw_only=True):
    """Exchanges begun, connections opened (one each), exchanges open now."""

    exchanges: int
    connections: int
    open: int


class InProcess:
    """A transport whose server is a core of its own; `core.books` is the provider's account."""

    def __init__(self, scenario: Scenario) -> None:
        self.core = Core(scenario)
        self._begun = 0
        self._open = 0
        self._closed = False

    async def fetch(self, call: HttpCall) -> HttpReply:
        """The whole reply; TransportError where the scenario breaks the connection or time runs out."""
        async with self.stream(call) as reply:
            body = b"".join([chunk async for chunk in reply.chunks])
            return HttpReply(status=reply.status, headers=reply.headers, body=body)

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        """The reply once its head has come, its chunks at their times."""
        return self._stream(call)

    async def close(self) -> None:
        """Refuse further exchanges."""
        self._closed = True

    def statistics(self) -> Any:
        """Counts so far, as `Statistics`."""
        return Statistics(exchanges=self._begun, connections=self._begun, open=self._open)

    @asynccontextmanager
    async def _stream(self, call: HttpCall) -> AsyncIterator[HttpStream]:
        if self._closed:
            raise TransportError("the transport is closed", kind="closed", sent=False)
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        exchange = self._ask(call, EPOCH + arrived)
        self._begun += 1
        self._open += 1
        player = _Player(exchange, arrived, call.timeouts, loop)
        try:
            first = await player.step()
            if first is None:
                raise TransportError("the connection ended without a reply", kind="reset", sent=True)
            headers = dict(exchange.headers)
            if exchange.length is not None:
                headers["content-length"] = str(exchange.length)
            yield HttpStream(status=exchange.status, headers=headers, chunks=player.rest(first))
        finally:
            self._open -= 1
            if exchange.generation:
                self.core.left(delivered=player.over)

    def _ask(self, call: HttpCall, now: float) -> Exchange:
        if len(call.body) > MAX_BODY.value:
            return self.core.too_big()
        return self.core.handle(call.method, urlsplit(call.url).path, call.headers, call.body, now)


class _Player:
    """Hands out an exchange's chunks at their times, within the call's timeouts."""

    def __init__(self, exchange: Exchange, arrived: float, timeouts: Timeouts, loop: asyncio.AbstractEventLoop) -> None:
        self._exchange = exchange
        self._chunks = iter(exchange.chunks)
        self._arrived = arrived
        self._timeouts = timeouts
        self._loop = loop
        self.over = False

    async def step(self) -> bytes | None:
        """The next chunk; None at a proper end."""
        exchange = self._exchange
        for offset, data in self._chunks:
            await self._until(self._arrived + offset)
            return data
        if exchange.end == "hang":
            await self._until(float("inf"))
        self.over = True
        if exchange.end != "done":
            await self._until(max(self._loop.time(), self._arrived + exchange.after))
            kind: TransportKind = "reset" if exchange.end == "reset" else "closed"
            raise TransportError("the connection ended before the whole reply had come", kind=kind, sent=True)
        return None

    async def rest(self, first: bytes) -> AsyncIterator[bytes]:
        """All chunks, the first one given."""
        chunk: bytes | None = first
        while chunk is not None:
            if chunk:
                yield chunk
            chunk = await self.step()

    async def _until(self, when: float) -> None:
        now = self._loop.time()
        read = now + self._timeouts.read
        total = self._arrived + self._timeouts.total
        limit = min(read, total)
        if when > limit:
            await asyncio.sleep(limit - now)
            what = "the whole reply" if total <= read else "the next bytes"
            raise TransportError(f"{what} did not come in time", kind="timeout", sent=True)
        if when > now:
            await asyncio.sleep(when - now)
