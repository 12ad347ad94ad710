"""What a client counts, in one record."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

import trivet
from trivet import sim
from trivet.errors import SettingsError

QUESTION = "Classify the note into one of: red, blue. Return only the label.\n\nThe blue sky number"


@pytest.fixture
def where(simulator: sim.Simulator) -> dict[str, Any]:
    """Arguments of a client for the simulated provider."""
    return {"base_url": simulator.url, "simulated": simulator.identity}


def test_one_record_has_every_part(where: dict[str, Any]) -> None:
    """Calls, cache, flights, retries, permits, money, connections and the store, each with its counts."""
    with trivet.Client(**where, budget=1) as client:
        before = client.statistics()
        assert (before.meter.requests, before.limit.permits, before.budget.settled) == (0, 0, 0)
        replies = [client.respond(QUESTION, max_output_tokens=16) for _ in range(2)]
        seen = client.statistics()
        assert (seen.meter.requests, seen.meter.sent, seen.meter.cache_hits) == (2, 1, 1)
        assert (seen.shelf.kept, seen.shelf.hits) == (1, 1)
        assert seen.limit.permits == 1
        assert seen.budget.settled == seen.meter.cost == replies[0].cost
        assert seen.budget.reserved == 0
        assert seen.transport.exchanges == 1
        assert seen.store is not None
        assert seen.store.entries == 1
        assert "\n" not in repr(client)


def test_event_loops_add_up_and_one_that_is_over_is_let_go_but_still_counts(where: dict[str, Any]) -> None:
    client = trivet.AsyncClient(**where)
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def ask(n: int) -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await client.respond(f"{QUESTION} {n}", max_output_tokens=16)

    for n in range(4):
        asyncio.run(ask(n))
    assert client.statistics().meter.requests == 4
    assert client.statistics().limit.permits == 4
    gc.collect()
    assert [loop() is None for loop in loops[:-1]] == [True] * 3

    async def close() -> None:
        await client.close()

    asyncio.run(close())
    assert client.statistics().meter.requests == 4, "also when it is closed"


def test_a_closed_client_says_so_but_keeps_its_counts(where: dict[str, Any]) -> None:
    client = trivet.Client(**where)
    client.respond(QUESTION, max_output_tokens=16)
    client.close()
    assert client.statistics().meter.requests == 1
    with pytest.raises(SettingsError):
        client.respond(QUESTION)
