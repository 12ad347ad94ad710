"""The layers in their order, and why it is that one. The only file that knows it.

Outermost first:

0. *telemetry*, where the program has set up OpenTelemetry: around everything, so that a span is as long as its caller
   waits. Elsewhere it hands the call on, and costs nothing.
1. *meter* sees everything, hits and failures included, so that nothing is missing from a figure.
2. *cache* comes before anything that costs: a hit takes no permit and no money.
3. *coalesce* below it: what is not on the shelf but already on its way is waited for, not asked twice. A
   flight survives whoever started it.
4. *deadline* bounds the whole reply, so it stands outside the retries. Inside coalesce, because the flight is
   shared and its bound must not depend on who asked first.
5. *lease* does for processes that share a Redis what coalesce does within one; there only with such a cache.
   Below coalesce, so that one caller of a process waits for all of it; inside deadline, which bounds that wait, too.
6. *keep* puts the reply on the shelf. Inside coalesce and lease, so that it lies there before anybody is told or
   the lease is given back: there is no moment at which the same would be asked again.
7. *retry* decides per attempt; every attempt below it is reserved, permitted and sent anew.
8. *budget* reserves the worst case of each attempt and settles it: per attempt, because each may be billed.
9. *limit* hands out permits: innermost, so that a wait for a reservation or a back-off holds no permit. Where
   several processes share the limits, it gives out the turns that `Sharing` gets.
10. *send* makes the exchange; `timeout` bounds it from its permit to its last byte.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import date
from threading import Lock
from typing import Any

from msgspec.structs import replace

from trivet.engine.budget import Budget
from trivet.engine.cache import Cache
from trivet.engine.coalesce import Coalesce, Landing
from trivet.engine.deadline import Deadline
from trivet.engine.flights import Flights, landing
from trivet.engine.keep import Keep
from trivet.engine.lease import Lease
from trivet.engine.limit import MOST, Limit, Limits
from trivet.engine.meter import Meter
from trivet.engine.retry import Retry
from trivet.engine.send import Send, SendConfig
from trivet.engine.shared_account import SharedAccount
from trivet.engine.sharing import Sharing
from trivet.engine.shelf import Shelf
from trivet.engine.statistics import StackStatistics
from trivet.engine.telemetry import Telemetry
from trivet.keys import Keys
from trivet.limits.account import Account
from trivet.limits.backoff import Backoff
from trivet.prices.book import Book
from trivet.settings import Endpoint
from trivet.store.protocol import Store
from trivet.store.redis import RedisStore
from trivet.transport.protocol import Transport
from trivet.types import Event, Reply, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """How the layers behave. `deadline`: seconds for a whole reply; `ttl`: seconds an answer lives.

    `most`: requests at once that this machine allows, whatever the limits say.
    """

    endpoint: Endpoint
    limits: Limits = field(default_factory=Limits)
    backoff: Backoff = field(default_factory=Backoff)
    send: SendConfig = field(default_factory=SendConfig)
    deadline: float | None = None
    ttl: float | None = None
    most: int = MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """What time and chance are to the layers: Unix time, today's date, uniform draws in [0, 1)."""

    now: Callable[[], float]
    today: Callable[[], date]
    draw: Callable[[], float]


class Stack:
    """All layers around one transport, for one event loop; without one, each request brings its `exchange`."""

    def __init__(
        self,
        config: StackConfig,
        *,
        transport: Transport | None,
        store: Store | None,
        account: Account | SharedAccount,
        prices: Book,
        clocks: Clocks,
        sharing: Sharing | None = None,
    ) -> None:
        self._sharing = sharing
        self._account = account
        self._flights: Flights[Landing] = Flights()
        self._streams: Flights[Reply] = Flights()
        self._renewing: Flights[None] = Flights()
        self._numbers = itertools.count()
        self._counting = Lock()
        shelf = self._shelf = Shelf(store, config.ttl, clocks.now)
        call: Callable[[Request], Awaitable[Reply]]
        call = _exchange if transport is None else Send(transport, config.endpoint, config.send, clocks.now)
        call = self._limit = Limit(call, config.limits, most=config.most, draw=clocks.draw, sharing=sharing)
        call = Budget(call, account, prices, clocks.today)
        call = self._retry = Retry(call, config.backoff, clocks.draw)
        call = Keep(call, shelf)
        if isinstance(store, RedisStore):
            call = Lease(call, store.leases, shelf, self._renewing, clocks.draw)
        call = Deadline(call, config.deadline)
        call = self._coalesce = Coalesce(call, self._flights)
        call = self._cache = Cache(call, shelf, Keys(config.endpoint))
        self._meter = Meter(call, prices, clocks.today)
        self._call = Telemetry(self._meter, config.endpoint)

    def __call__(self, request: Request) -> Coroutine[Any, Any, Reply]:
        """One request through every layer."""
        return self._call(request)

    def hit(self, request: Request, clock: Callable[[], float]) -> Reply | None:
        """The stored reply, found without a loop in whichever thread asks; None when the request must be made.

        Of the layers, a hit passes only the meter and the cache; the meter counts one hit at a time. None too where
        a call is observed by OpenTelemetry, from the first layer on.
        """
        began = clock()
        reply = None if self._call.observer() else self._cache.look(request)
        if reply is None:
            return None
        with self._counting:
            return self._meter.hit(reply, max(0.0, clock() - began))

    async def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        """One request, its events as they come; the last one carries the whole reply.

        Whoever stops reading stops the request, and its socket closes.
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        watched = replace(request, watch=events.put_nowait)
        flight = self._streams.start(b"%d" % next(self._numbers), lambda: self(watched))
        flight.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            reply = await landing(flight)
            yield Event(type=f"response.{reply.status}", reply=reply)
        finally:
            if not flight.done():
                flight.cancel()
                await asyncio.wait([flight])

    async def close(self, grace: float = 0.0) -> None:
        """Give flights under way `grace` seconds to land, then cancel them."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._flights.close(grace))
            group.create_task(self._streams.close(grace))
        await self._renewing.close()
        if self._sharing is not None:
            await self._sharing.close()
        if isinstance(self._account, SharedAccount):
            await self._account.close()

    def wants_more(self) -> bool:
        """Whether more requests waiting would be of use."""
        return self._limit.wants_more()

    def statistics(self) -> StackStatistics:
        """Counts of the layers."""
        return StackStatistics(
            meter=self._meter.statistics(),
            shelf=self._shelf.statistics(),
            coalesce=self._coalesce.statistics(),
            retry=self._retry.statistics(),
            limit=self._limit.statistics(),
        )

    def __repr__(self) -> str:
        return f"Stack({self._meter!r}, {self._limit!r})"


def _exchange(request: Request) -> Awaitable[Reply]:
    made: Awaitable[Reply] = request.exchange.make(request)
    return made
