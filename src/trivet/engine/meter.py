"""Sees every request: times it, prices what a hit saved, counts, and passes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trivet.errors import RequestError
from trivet.prices.book import Book
from trivet.types import Attempt, Reply, Request


class MeterStatistics(Struct, frozen=True, kw_only=True):
    """Counts since the start; money in US dollars, of priced calls (`unpriced` counts the others)."""

    requests: int
    under_way: int
    sent: int
    cache_hits: int
    coalesced: int
    failed: int
    attempts: int
    rate_limited: int
    input_tokens: int
    output_tokens: int
    cost: Decimal
    saved: Decimal
    unpriced: int


class Meter:
    """The outermost layer."""

    def __init__(self, inner: Callable[[Request], Awaitable[Reply]], prices: Book, today: Callable[[], date]) -> None:
        self._inner = inner
        self._prices = prices
        self._today = today
        self._sources = {"provider": 0, "cache": 0, "coalesced": 0}
        self._requests = self._under_way = self._failed = self._attempts = self._refused = self._unpriced = 0
        self._input = self._output = 0
        self._cost = self._saved = Decimal(0)

    async def __call__(self, request: Request) -> Reply:
        """The inner call's reply with its `latency`, and what it `saved`."""
        clock = asyncio.get_running_loop().time
        began = clock()
        self._requests += 1
        self._under_way += 1
        try:
            reply = await self._inner(request)
        except RequestError as error:
            error.latency = max(0.0, clock() - began - error.queued)
            self._failed += 1
            self._count(error.attempts, error.cost)
            raise
        finally:
            self._under_way -= 1
        return self._counted(reply, max(0.0, clock() - began - reply.queued))

    def hit(self, reply: Reply, latency: float) -> Reply:
        """A reply from the cache that did not come through the layers, counted as if it had."""
        self._requests += 1
        return self._counted(reply, latency)

    def _counted(self, reply: Reply, latency: float) -> Reply:
        reply = replace(reply, latency=latency, saved=self._worth(reply))
        self._sources[reply.source] += 1
        self._count(reply.attempts, reply.cost)
        self._saved += reply.saved or 0
        return reply

    def _worth(self, reply: Reply) -> Decimal | None:
        """What a hit, or another process's reply, would have cost today."""
        if reply.source == "provider" or reply.saved is not None or reply.usage is None:
            return reply.saved
        return self._prices.cost(reply.usage, model=reply.model, tier=reply.tier, day=self._today())

    def _count(self, attempts: tuple[Attempt, ...], cost: Decimal | None) -> None:
        self._attempts += len(attempts)
        self._unpriced += cost is None
        self._cost += cost or 0
        for attempt in attempts:
            self._refused += attempt.status == 429
            if attempt.usage is not None:
                self._input += attempt.usage.input
                self._output += attempt.usage.output

    def statistics(self) -> MeterStatistics:
        """Counts so far."""
        return MeterStatistics(
            requests=self._requests,
            under_way=self._under_way,
            sent=self._sources["provider"],
            cache_hits=self._sources["cache"],
            coalesced=self._sources["coalesced"],
            failed=self._failed,
            attempts=self._attempts,
            rate_limited=self._refused,
            input_tokens=self._input,
            output_tokens=self._output,
            cost=self._cost,
            saved=self._saved,
            unpriced=self._unpriced,
        )

    def __repr__(self) -> str:
        return f"Meter(requests={self._requests}, under_way={self._under_way}, cost=${self._cost:f})"
