"""The layers together: their order, seen from outside."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from engine_fakes import (
    MODEL,
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
    worst,
)

from trivet.engine.limit import Limits
from trivet.errors import ProtocolError, ProviderError
from trivet.limits.account import Account
from trivet.types import HttpReply


def test_a_hit_takes_no_permit_and_no_money() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok())
        account = Account(Decimal("0.01"))
        store = memory()
        await stack(transport, store=store, account=account)(request())
        before = account.statistics()
        again = stack(transport, store=store, account=account, limits=Limits(concurrency=1, rpm=1))
        replies = [await again(request()) for _ in range(5)]
        assert {reply.source for reply in replies} == {"cache"}
        assert {reply.cost for reply in replies} == {Decimal(0)}
        assert {reply.saved for reply in replies} == {price()}
        assert again.statistics().limit.permits == 0
        assert account.statistics() == before
        assert len(transport.calls) == 1

    virtual(main())


def test_each_attempt_is_reserved_permitted_and_sent_anew() -> None:
    async def main() -> None:
        transport = ScriptedTransport(fault(500), broken(), refused(1), ok())
        account = Account(Decimal(1))
        layers = stack(transport, account=account)
        reply = await layers(request())
        assert [attempt.status for attempt in reply.attempts] == [500, None, 429, 200]
        assert layers.statistics().limit.permits == 4
        # the 500 and the reset may have been billed: each keeps its own reservation
        assert account.statistics().settled == 2 * worst(request()) + price()
        assert account.statistics().reserved == 0

    virtual(main())


def test_a_back_off_holds_no_permit_and_no_reservation() -> None:
    async def main() -> None:
        transport = ScriptedTransport(
            answer=lambda call: fault(503) if b"first" in call.body and len(transport.calls) == 1 else ok()
        )
        account = Account(worst(request()) * 2)
        layers = stack(transport, account=account, limits=Limits(concurrency=1))
        async with asyncio.TaskGroup() as group:
            first = group.create_task(layers(request("first")))
            await settle()
            assert account.statistics().reserved == 0
            assert layers.statistics().limit.in_flight == 0
            began = asyncio.get_running_loop().time()
            await layers(request("other"))
            assert asyncio.get_running_loop().time() == began
        assert len(first.result().attempts) == 2

    virtual(main())


def test_a_flight_keeps_its_reply_before_anybody_is_told() -> None:
    async def main() -> None:
        store = memory()
        layers = stack(ScriptedTransport(ok()), store=store)
        await layers(request())
        assert store.statistics().entries == 1

    virtual(main())


def test_time_in_the_queue_and_time_of_the_call_are_kept_apart() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(answer=lambda _: After(2.0, ok())), limits=Limits(concurrency=1))
        replies = await all_of(layers(request(str(n))) for n in range(3))
        assert [reply.queued for reply in replies] == pytest.approx([0, 2, 4])
        assert [reply.latency for reply in replies] == pytest.approx([2, 2, 2])
        assert [reply.attempts[0].queued for reply in replies] == pytest.approx([0, 2, 4])
        assert [reply.attempts[0].latency for reply in replies] == pytest.approx([2, 2, 2])

    virtual(main())


def test_a_reply_through_no_cache_is_sent_every_time() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok())
        layers = stack(transport)
        for _ in range(3):
            assert (await layers(request(cacheable=False))).source == "provider"
        replies = await all_of(layers(request(cacheable=False)) for _ in range(3))
        assert [reply.source for reply in replies] == ["provider"] * 3
        assert len(transport.calls) == 6

    virtual(main())


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (HttpReply(status=200, headers={"content-type": "text/html"}, body=b"<html>"), ProtocolError),
        (HttpReply(status=200, headers={}, body=b""), ProtocolError),
        (HttpReply(status=200, headers={}, body=b'{"id": "resp_1", "outp'), ProtocolError),
        (HttpReply(status=200, headers={}, body="\u202e😀".encode()), ProtocolError),
        (HttpReply(status=200, headers={}, body=b"\xff\xfe\x00"), ProtocolError),
        (fault(400, code="invalid_value"), ProviderError),
    ],
)
def test_garbage_becomes_an_error_of_the_tree_and_leaves_nothing_behind(
    outcome: HttpReply, error: type[Exception]
) -> None:
    async def main() -> None:
        account, store = Account(Decimal(1)), memory()
        layers = stack(ScriptedTransport(outcome), account=account, store=store)
        with pytest.raises(error):
            await layers(request())
        counts = layers.statistics()
        meter, flights, limit = counts.meter, counts.coalesce, counts.limit
        assert account.statistics().reserved == 0
        assert store.statistics().entries == 0
        assert (meter.under_way, flights.flights, limit.in_flight, limit.waiting) == (0, 0, 0, 0)

    virtual(main())


def test_any_script_in_the_prompt_survives_the_way_down_and_up() -> None:
    async def main() -> None:
        text = "שלום 😀 \u202e‎ ß \x00 " + "長" * 100_000
        transport = ScriptedTransport(ok(text))
        reply = await stack(transport)(request(text))
        assert reply.text == text
        assert "長".encode() * 100_000 in transport.calls[0].body

    virtual(main())


def test_a_closed_stack_lets_flights_land_within_the_grace() -> None:
    async def main() -> None:
        store = memory()
        layers = stack(
            ScriptedTransport(answer=lambda call: After(10.0 if b"slow" in call.body else 1.0, ok())),
            store=store,
        )
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(all_of([layers(request("quick")), layers(request("slow"))]))
            await settle()
            await layers.close(grace=5.0)
        quick, slow = waiting.result()
        assert quick.text == "billing"
        assert "closed before the reply came" in str(slow)
        assert store.statistics().entries == 1

    virtual(main())


def test_one_stack_serves_two_loops_worth_of_calls_with_no_loop_at_its_making() -> None:
    """Primitives made outside a running loop must bind to the loop that uses them."""
    transport = ScriptedTransport(answer=lambda _: After(1.0, ok()))
    layers = stack(transport, limits=Limits(concurrency=1, rpm=600))
    replies = virtual(all_of(layers(request(str(n))) for n in range(3)))
    assert [reply.model for reply in replies] == [MODEL] * 3
