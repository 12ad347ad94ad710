"""Streams: events in order, their times, their end, and what a break does."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from engine_fakes import (
    After,
    ScriptedTransport,
    Streamed,
    all_of,
    body,
    broken,
    fault,
    memory,
    ok,
    price,
    request,
    settle,
    sse,
    stack,
    virtual,
    worst,
)

from trivet.engine.limit import Limits
from trivet.engine.stack import Stack
from trivet.errors import ProtocolError, ProviderError, RequestError, TransportError
from trivet.limits.account import Account
from trivet.limits.backoff import Backoff
from trivet.types import Event, Reply


async def events_of(layers: Stack, **changes: Any) -> list[Event]:
    return [event async for event in layers.stream(request(stream=True, **changes))]


def test_events_come_in_order_and_the_last_one_alone_has_the_reply() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(Streamed(sse("bil", "", "ling"))))
        events = await events_of(layers)
        assert [event.type for event in events] == [
            "response.created",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.completed",
        ]
        assert "".join(event.delta for event in events) == "billing"
        assert [event.reply is not None for event in events] == [False] * 4 + [True]
        reply = events[-1].reply
        assert reply is not None
        assert (reply.text, reply.source, reply.cost) == ("billing", "provider", price())

    virtual(main())


def test_events_are_handed_out_as_they_come() -> None:
    async def main() -> None:
        created, one, two, end = sse("one", "two")
        layers = stack(ScriptedTransport(Streamed([created, 1.0, one, 1.0, two, 1.0, end])))
        clock = asyncio.get_running_loop().time
        began = clock()
        times = [(event.delta, clock() - began) async for event in layers.stream(request(stream=True))]
        assert times == [("", 0.0), ("one", 1.0), ("two", 2.0), ("", 3.0)]

    virtual(main())


def test_ttft_is_the_first_visible_delta_not_the_first_event_nor_an_empty_delta() -> None:
    async def main() -> None:
        created, empty, first, end = sse("", "billing")
        layers = stack(ScriptedTransport(Streamed([1.0, created, 1.0, empty, 1.0, first, 1.0, end])))
        reply = (await events_of(layers))[-1].reply
        assert reply is not None
        assert (reply.ttft, reply.attempts[0].ttft, reply.latency) == (3.0, 3.0, 4.0)

    virtual(main())


def test_a_reply_without_visible_text_has_no_ttft() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(Streamed(sse())))
        reply = (await events_of(layers))[-1].reply
        assert reply is not None
        assert reply.ttft is None

    virtual(main())


def test_a_hit_is_replayed_as_a_valid_stream_at_once_without_a_ttft() -> None:
    async def main() -> None:
        transport = ScriptedTransport(Streamed(sse("billing")))
        layers = stack(transport)
        await events_of(layers)
        began = asyncio.get_running_loop().time()
        events = await events_of(layers)
        assert asyncio.get_running_loop().time() == began
        assert "".join(event.delta for event in events) == "billing"
        kinds = [event.type for event in events]
        assert kinds[0] == "response.created"
        assert kinds[-1] == "response.completed"
        assert [json.loads(event.data)["sequence_number"] for event in events[:-1]] == list(range(len(events) - 1))
        reply = events[-1].reply
        assert reply is not None
        assert (reply.source, reply.ttft, reply.saved) == ("cache", None, price())
        assert len(transport.calls) == 1

    virtual(main())


@pytest.mark.parametrize("failure", [broken("reset"), broken("timeout"), broken("closed")])
def test_a_stream_that_breaks_before_its_first_event_is_asked_again(failure: TransportError) -> None:
    async def main() -> None:
        transport = ScriptedTransport(Streamed([failure]), fault(500), failure, Streamed(sse("billing")))
        events = await events_of(stack(transport))
        assert "".join(event.delta for event in events) == "billing"
        reply = events[-1].reply
        assert reply is not None
        assert len(reply.attempts) == len(transport.calls) == 4

    virtual(main())


BREAKS: list[Any] = [
    [broken("reset")],
    [b"data: {broken json\n\n"],
    [b'data: {"type":"error","code":"server_error","message":"sorry"}\n\n'],
    [b'data: {"type":"error","error":{"code":"server_error","message":"sorry"}}\n\n'],
    [
        b'data: {"type":"response.failed","response":{"status":"failed",'
        b'"error":{"code":"server_error","message":"sorry"}}}\n\n'
    ],
    [],  # it just ends
]


@pytest.mark.parametrize("rest", BREAKS)
def test_a_stream_that_breaks_after_its_first_event_is_an_error_and_not_asked_again(rest: list[Any]) -> None:
    async def main() -> None:
        transport, store = ScriptedTransport(Streamed([*sse("bil")[:2], *rest])), memory()
        account = Account(worst(request(stream=True)))
        layers = stack(transport, store=store, account=account)
        seen = []
        with pytest.raises(RequestError) as raised:
            async for event in layers.stream(request(stream=True)):
                seen += [event.delta]
        assert seen == ["", "bil"]
        assert isinstance(raised.value, TransportError | ProtocolError | ProviderError)
        assert raised.value.possibly_billed
        assert len(transport.calls) == 1
        assert store.statistics().entries == 0
        assert account.statistics().settled == worst(request(stream=True))

    virtual(main())


def test_a_connection_that_breaks_after_the_last_event_does_not_take_the_answer_along() -> None:
    async def main() -> None:
        events = await events_of(stack(ScriptedTransport(Streamed([*sse("billing"), broken("reset")]))))
        assert events[-1].reply is not None

    virtual(main())


def test_a_server_that_keeps_the_stream_open_after_the_end_is_not_waited_for() -> None:
    async def main() -> None:
        began = asyncio.get_running_loop().time()
        events = await events_of(stack(ScriptedTransport(Streamed([*sse("billing"), 600.0, broken("timeout")]))))
        assert events[-1].reply is not None
        assert asyncio.get_running_loop().time() - began < 0.1

    virtual(main())


def test_whoever_stops_reading_stops_the_request_and_closes_it() -> None:
    async def main() -> None:
        created, one, two, end = sse("one", "two")
        transport, store = ScriptedTransport(Streamed([created, one, 60.0, two, end])), memory()
        account = Account(worst(request(stream=True)))
        layers = stack(transport, store=store, account=account)
        async with aclosing(layers.stream(request(stream=True))) as events:
            async for event in events:
                if event.delta:
                    break
        assert (transport.open, transport.cut) == (0, 1)
        assert layers.statistics().limit.in_flight == 0
        assert store.statistics().entries == 0
        assert account.statistics().settled == worst(request(stream=True))

    virtual(main())


def test_a_reader_that_is_cancelled_stops_the_request() -> None:
    async def main() -> None:
        transport = ScriptedTransport(Streamed([sse("one")[0], 60.0]))
        layers = stack(transport)
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(events_of(layers))
            await settle()
            reader.cancel()
        assert reader.cancelled()
        assert (transport.open, transport.cut) == (0, 1)

    virtual(main())


def test_identical_streams_each_have_events_of_their_own() -> None:
    async def main() -> None:
        transport = ScriptedTransport(Streamed([0.5, *sse("billing")]))
        layers = stack(transport)
        streams = await all_of(events_of(layers) for _ in range(3))
        assert [len(events) for events in streams] == [3, 3, 3]
        assert len(transport.calls) == 3

    virtual(main())


def test_closing_gives_a_stream_its_grace_and_then_tells_its_reader() -> None:
    async def main() -> None:
        transport = ScriptedTransport(Streamed([sse("one")[0], 600.0]))
        layers = stack(transport)
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(all_of([events_of(layers)]))
            await settle()
            await layers.close(grace=1.0)
        (error,) = reader.result()
        assert isinstance(error, TransportError)
        assert error.kind == "closed"

    virtual(main())


def test_a_server_that_answers_a_stream_with_a_whole_body_is_read() -> None:
    async def main() -> None:
        events = await events_of(stack(ScriptedTransport(ok("billing"))))
        reply = events[-1].reply
        assert isinstance(reply, Reply)
        assert reply.text == "billing"

    virtual(main())


def test_an_incomplete_stream_ends_with_its_reply() -> None:
    async def main() -> None:
        chunks = sse("bil", end="incomplete", incomplete_details={"reason": "max_output_tokens"})
        last = (await events_of(stack(ScriptedTransport(Streamed(chunks)))))[-1]
        assert last.type == "response.incomplete"
        assert last.reply is not None
        assert last.reply.reason == "max_output_tokens"

    virtual(main())


def test_an_error_reply_to_a_stream_is_raised_with_its_code() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(fault(400, code="invalid_value")), backoff=Backoff(retries=0))
        with pytest.raises(ProviderError) as raised:
            await events_of(layers)
        assert (raised.value.status, raised.value.code) == (400, "invalid_value")

    virtual(main())


def test_a_slow_byte_by_byte_stream_of_any_script_is_whole() -> None:
    async def main() -> None:
        text = "שלום 😀 長 \u202e"
        raw = b"".join(sse(text))
        layers = stack(ScriptedTransport(Streamed([raw[n : n + 1] for n in range(len(raw))])))
        reply = (await events_of(layers))[-1].reply
        assert reply is not None
        assert reply.text == text
        assert json.loads(reply.body) == json.loads(body(text))

    virtual(main())


def test_a_stream_waits_for_its_permit_outside_its_ttft() -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(5.0, ok()), Streamed([1.0, *sse("billing")]))
        layers = stack(transport, limits=Limits(concurrency=1))
        async with asyncio.TaskGroup() as group:
            group.create_task(layers(request("other")))
            await settle()
            reader = group.create_task(events_of(layers))
        reply = reader.result()[-1].reply
        assert reply is not None
        assert (reply.queued, reply.ttft, reply.latency) == (5.0, 1.0, 1.0)

    virtual(main())
