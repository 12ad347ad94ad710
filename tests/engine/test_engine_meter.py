"""What the meter counts, and that it stays small."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from decimal import Decimal

import pytest
from engine_fakes import (
    After,
    ScriptedTransport,
    all_of,
    broken,
    fault,
    memory,
    ok,
    price,
    refused,
    request,
    settle,
    stack,
    virtual,
)

from trivet.limits.backoff import Backoff
from trivet.store.memory import MemoryStore


def test_every_request_is_counted_once_by_how_it_was_answered() -> None:
    async def main() -> None:
        failed = ok(status="failed", error={"code": "server_error", "message": "x"}, input_tokens=100)
        transport = ScriptedTransport(After(1.0, ok()), refused(1), failed, ok(), fault(400), broken("tls", sent=False))
        layers = stack(transport)
        await all_of([layers(request("one")), layers(request("one"))])
        await layers(request("one"))
        await layers(request("two"))
        await all_of([layers(request("three"))])
        await all_of([layers(request("four"))])
        meter = layers.statistics().meter
        assert (meter.requests, meter.under_way) == (6, 0)
        assert (meter.sent, meter.cache_hits, meter.coalesced, meter.failed) == (2, 1, 1, 2)
        assert (meter.attempts, meter.rate_limited) == (6, 1)
        assert (meter.input_tokens, meter.output_tokens) == (140, 9)
        assert meter.cost == 2 * price() + price(100)
        assert meter.saved == 2 * price()
        assert meter.unpriced == 0

    virtual(main())


def test_calls_under_way_are_seen() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(answer=lambda _: After(1.0, ok())))
        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(layers(request(str(n))))
            await settle()
            assert layers.statistics().meter.under_way == 3
        assert layers.statistics().meter.under_way == 0

    virtual(main())


def test_what_has_no_price_is_counted_apart_and_never_as_nothing() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(ok(model="nobody-knows")), backoff=Backoff(retries=0))
        reply = await layers(request(model="nobody-knows"))
        assert reply.cost is None
        assert layers.statistics().meter.unpriced == 1
        assert layers.statistics().meter.cost == Decimal(0)

    virtual(main())


def test_the_latency_of_a_hit_is_the_time_of_the_hit() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(After(5.0, ok())))
        assert (await layers(request())).latency == pytest.approx(5.0)
        assert (await layers(request())).latency == 0.0

    virtual(main())


def test_memory_does_not_grow_with_the_number_of_calls() -> None:
    async def main(store: MemoryStore) -> list[int]:
        class Quiet(ScriptedTransport):
            """Remembers nothing."""

            def _next(self, call: object) -> object:  # type: ignore[override]
                self.open += 1
                return ok()

        layers = stack(Quiet(), store=store)
        levels = []
        for round_ in range(3):
            for n in range(1500):
                await layers(request(f"{round_} {n}"))
            await all_of(layers(request(f"{round_} same")) for _ in range(300))
            gc.collect()
            levels.append(tracemalloc.get_traced_memory()[0])
        return levels

    tracemalloc.start()
    try:
        levels = virtual(main(MemoryStore(limit_bytes=100_000)))
    finally:
        tracemalloc.stop()
    assert levels[2] - levels[1] < 30_000
    assert memory().statistics().entries == 0
