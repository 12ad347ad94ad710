"""The layers under one client and its copies: a stack for each event loop, one bill for all."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2
from msgspec.structs import replace

from trivet.client.today import today
from trivet.client.together import Together, open_together
from trivet.engine.flights import Flights, landing
from trivet.engine.stack import Clocks, Stack, StackConfig
from trivet.engine.statistics import StackStatistics, together
from trivet.errors import MachineError, RequestError
from trivet.limits.backoff import Backoff
from trivet.openai.asking import Asked, asked
from trivet.openai.bill import Bill, Call, Statistics
from trivet.openai.exchange import Exchange, Reading
from trivet.openai.handing import Answer, call_of, failed_call, handed
from trivet.openai.notes import Note
from trivet.openai.options import Options
from trivet.openai.raw import lower
from trivet.openai.recording import Recorder, recorder
from trivet.prices.book import standard_book
from trivet.settings import Endpoint
from trivet.types import Reply, Request

log = logging.getLogger("trivet.openai")

RETRIES = 2
"""Retries of failures where nobody chose a number: the SDK's own default. Refusals for pace are waited out besides."""


@dataclass(slots=True)
class Lane:
    """One event loop's: its stack, the streams under way, and which of them others may join."""

    stack: Stack
    call: Callable[[Request], Awaitable[Reply]]
    streams: Flights[Reply] = field(default_factory=Flights)
    live: dict[bytes, Exchange] = field(default_factory=dict)
    number: int = 0


class Layers:
    """What a client and its copies share."""

    def __init__(self, options: Options, endpoint: Endpoint) -> None:
        self.options = options
        self.endpoint = endpoint
        self.bill = Bill()
        self.prices = standard_book()
        self.recorder: Recorder | None = recorder(options.settings, endpoint)
        self._together: Together | None = open_together(None, options.cache, endpoint, None, None)
        self._lanes: dict[asyncio.AbstractEventLoop, Lane] = {}
        self._past: list[StackStatistics] = []
        self._warned = False
        _all.add(self)

    def lane(self) -> Lane:
        """The running loop's."""
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop)
        if lane is None:
            self._sweep()
            stack = self._stack()
            lane = self._lanes[loop] = Lane(
                stack, self._observe if self.options.settings.observe else self._steady(stack)
            )
        return lane

    def _stack(self) -> Stack:
        options = self.options
        config = StackConfig(
            endpoint=self.endpoint, limits=options.limits, backoff=Backoff(retries=RETRIES), ttl=options.ttl
        )
        return Stack(
            config,
            transport=None,
            store=options.store,
            account=options.account,
            prices=self.prices,
            clocks=Clocks(now=time.time, today=today, draw=random.random),
            sharing=None if self._together is None else self._together.sharing(),
        )

    def _sweep(self) -> None:
        for loop in [loop for loop in list(self._lanes) if loop.is_closed()]:
            ended = self._lanes.pop(loop, None)
            if ended is not None:
                self._past = [together([*self._past, ended.stack.statistics()])]

    async def answer(self, note: Note, http: httpx2.Request, inner: httpx2.AsyncBaseTransport) -> httpx2.Response:
        """What comes of an HTTP request, by whichever way it is answered.

        Raises an `openai.OpenAIError` where no reply came; where the SDK retries, what the transport below raised.
        """
        what = read(http)
        note.ours = what.whole and not self.options.settings.observe
        lane = self.lane()
        exchange = Exchange(what, http, inner)
        request = self.prepared(what, note, exchange)
        if what.streamed and what.dialect is not None:
            return await self._streamed(lane, note, exchange, request)
        twin = lane.live.get(request.key + request.apart) if request.key else None
        if twin is not None:
            twin.readers += 1
        try:
            reply = await self.tell(note, what, lane.call(request))
        except RequestError as error:
            return failed_call(error, note, http)
        finally:
            if twin is not None:
                twin.left()
        return handed(reply, what, note)

    async def _streamed(self, lane: Lane, note: Note, exchange: Exchange, request: Request) -> httpx2.Response:
        name = request.key + request.apart if request.key else b""
        twin = lane.live.get(name) if name else None
        if twin is None:
            source, joined = exchange, False
            if name:
                lane.live[name] = exchange
        else:
            source, joined = twin, True
            twin.readers += 1
        lane.number += 1
        flight = lane.streams.start(b"%d" % lane.number, lambda: self.tell(note, exchange.asked, lane.call(request)))
        if name and not joined:
            flight.add_done_callback(lambda _: lane.live.pop(name, None))
        handed_on = False
        try:
            either: set[asyncio.Future[Any]] = {flight, source.head}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if source.head.done():
                handed_on = True
                return _reading(source, flight, note, joined=joined)
            return handed(await landing(flight), exchange.asked, note)
        except RequestError as error:
            return failed_call(error, note, exchange.http)
        finally:
            if not handed_on:
                source.left()
                if not flight.done():
                    flight.cancel()

    async def tell(self, note: Note, what: Asked, work: Answer) -> Reply:
        """Await an answer, and write down what the call was, however it ends."""
        began = time.monotonic()
        try:
            reply = await work
        except RequestError as error:
            self.over(note, call_of(note, what, error))
            raise
        except asyncio.CancelledError:
            latency = time.monotonic() - began
            self.over(note, Call(path=what.request.path, error="cancelled", latency=latency, cost=None, tags=note.tags))
            raise
        self.over(note, call_of(note, what, reply))
        return reply

    def over(self, note: Note, call: Call) -> None:
        """A call has ended."""
        note.call = call
        self.bill.add(call)
        if self.recorder is not None:
            self.recorder.add(call)

    def priced(self, hit: Reply, latency: float) -> Reply:
        """A hit that was found outside of the stack, with what it saved."""
        saved = None
        if hit.usage is not None:
            saved = self.prices.cost(hit.usage, model=hit.model, tier=hit.tier, day=today())
        return replace(hit, latency=latency, saved=saved)

    def prepared(self, what: Asked, note: Note, exchange: object) -> Request:
        """The request as the stack takes it."""
        retries = note.retries if note.ours else 0
        key = b"" if self.options.settings.observe else what.request.key
        return replace(what.request, exchange=exchange, tags=note.tags, retries=retries, key=key)

    def _steady(self, stack: Stack) -> Callable[[Request], Awaitable[Reply]]:
        """The stack; a cache that can't be reached or written any more is done without."""

        async def call(request: Request) -> Reply:
            try:
                return await stack(request)
            except MachineError as error:
                if not request.cacheable:
                    raise
                if not self._warned:
                    self._warned = True
                    log.warning("going on without the cache: %s", error)
                return await stack(replace(request, cacheable=False, key=b""))

        return call

    async def _observe(self, request: Request) -> Reply:
        """In place of the stack where nothing is to be changed: one attempt, measured and priced."""
        began = time.monotonic()
        try:
            reply: Reply = await request.exchange.make(request)
        except RequestError as error:
            error.latency = time.monotonic() - began
            error.cost = None if error.possibly_billed else Decimal(0)
            raise
        cost = Decimal(0) if request.free else None
        if reply.usage is not None:
            cost = self.prices.cost(reply.usage, model=reply.model or request.model, tier=reply.tier, day=today())
        attempts = tuple([replace(attempt, cost=cost) for attempt in reply.attempts])
        return replace(reply, latency=time.monotonic() - began, cost=cost, attempts=attempts)

    def statistics(self) -> Statistics:
        """What has been done so far."""
        store = self.options.store
        parts = [*self._past, *(lane.stack.statistics() for lane in list(self._lanes.values()))]
        return Statistics(
            calls=self.bill.counts(),
            tags=self.bill.by_tag(),
            layers=together(parts) if parts else None,
            budget=self.options.account.statistics(),
            store=None if store is None else store.statistics(),
        )

    async def close(self) -> None:
        """End what is under way in the running loop; write what waits to be written."""
        lane = self._lanes.get(asyncio.get_running_loop())
        if lane is not None:
            await lane.streams.close()
            await lane.stack.close()
        if self._together is not None:
            await self._together.close()
        if self.options.store is not None:
            await (self.options.store.close() if self.options.owned else self.options.store.flush())

    def forked(self) -> None:
        """In the child of a fork: the loops, the flights and the locks of the parent are not here."""
        self._lanes = {}
        self.bill.forked()
        if self.recorder is not None:
            self.recorder = recorder(self.options.settings, self.endpoint)


def read(http: httpx2.Request) -> Asked:
    """What the SDK's request asks for."""
    try:
        body: bytes | None = http.content
    except httpx2.RequestNotRead:
        body = None
    url = http.url
    path, _, query = url.raw_path.decode("ascii", "replace").partition("?")
    host = url.raw_host.decode("ascii", "replace")
    origin = f"{url.scheme}://{f'[{host}]' if ':' in host else host}{'' if url.port is None else f':{url.port}'}"
    return asked(http.method, origin, path, query, lower(http.headers.raw), body)


def _reading(source: Exchange, flight: asyncio.Task[Reply], note: Note, *, joined: bool) -> httpx2.Response:
    raw = source.head.result()

    async def landed() -> None:
        await asyncio.wait([flight])

    reading = Reading(source, landed)
    response = raw.response(note, source=b"coalesced" if joined else None)
    response.stream = reading
    return response


_all: weakref.WeakSet[Layers] = weakref.WeakSet()


def _after_fork() -> None:
    for layers in list(_all):
        layers.forked()


os.register_at_fork(after_in_child=_after_fork)
