"""Identical requests under way: one is sent, all are answered, and none can harm the others."""

from __future__ import annotations

import asyncio
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
    request,
    settle,
    stack,
    virtual,
    worst,
)

from trivet.engine.flights import Flights, landing
from trivet.errors import ProviderError, RequestError, TransportError
from trivet.limits.account import Account
from trivet.limits.backoff import Backoff
from trivet.types import Reply


def test_fifty_identical_calls_are_one_request_and_one_bill() -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(1.0, ok()))
        layers = stack(transport)
        replies = await all_of(layers(request()) for _ in range(50))
        assert len(transport.calls) == 1
        own = [reply for reply in replies if reply.source == "provider"]
        joined = [reply for reply in replies if reply.source == "coalesced"]
        assert (len(own), len(joined)) == (1, 49)
        assert own[0].cost == price()
        assert {(r.cost, r.saved, r.attempts, r.queued) for r in joined} == {(Decimal(0), price(), (), 0.0)}
        assert {r.latency for r in replies} == {1.0}
        meter = layers.statistics().meter
        assert (meter.sent, meter.coalesced, meter.attempts) == (1, 49, 1)
        assert (meter.cost, meter.saved) == (price(), 49 * price())
        assert layers.statistics().coalesce.joined == 49

    virtual(main())


@pytest.mark.parametrize("outcome", [fault(400, code="invalid_value"), fault(500), broken("tls", sent=False)])
def test_a_failure_reaches_every_waiter_as_an_error_of_its_own(outcome: object) -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(1.0, outcome))  # type: ignore[arg-type]
        layers = stack(transport, backoff=Backoff(retries=0))
        errors = await all_of(layers(request()) for _ in range(20))
        assert len(transport.calls) == 1
        assert all(isinstance(error, RequestError) for error in errors)
        assert len({id(error) for error in errors}) == 20
        assert len({(type(error), str(error), error.code, error.fatal) for error in errors}) == 1
        assert sorted(len(error.attempts) for error in errors) == [0] * 19 + [1]
        assert {error.latency for error in errors} == {1.0}

    virtual(main())


def test_a_shared_failure_is_billed_to_one_of_its_callers_only() -> None:
    async def main() -> None:
        failed = ok(status="failed", error={"code": "server_error", "message": "sorry"})
        account = Account(None)
        layers = stack(ScriptedTransport(After(1.0, failed)), account=account, backoff=Backoff(retries=0))
        errors = await all_of(layers(request()) for _ in range(7))
        assert [error.cost for error in errors] == [price()] + [Decimal(0)] * 6
        assert layers.statistics().meter.cost == account.statistics().settled == price()
        assert [error.usage is None for error in errors] == [False] + [True] * 6

    virtual(main())


def test_what_one_waiter_writes_on_its_error_nobody_else_sees() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(After(1.0, fault(400))), backoff=Backoff(retries=0))
        first, second = await all_of([layers(request()), layers(request())])
        assert isinstance(first, ProviderError)
        first.latency, first.attempts = 99.0, ()
        first.add_note("mine")
        assert second.latency == 1.0
        assert not hasattr(second, "__notes__")

    virtual(main())


def test_the_cancellation_of_one_waiter_touches_none_of_the_others() -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(1.0, ok()))
        layers = stack(transport)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(layers(request())) for _ in range(6)]
            await settle()
            tasks[2].cancel()
            tasks[5].cancel()
        assert [task.cancelled() for task in tasks] == [False, False, True, False, False, True]
        assert [t.result().source for t in tasks if not t.cancelled()] == ["provider"] + ["coalesced"] * 3
        assert (len(transport.calls), transport.cut) == (1, 0)

    virtual(main())


def test_when_the_first_caller_is_cancelled_the_next_one_is_handed_the_bill() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(After(1.0, ok())))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(layers(request())) for _ in range(4)]
            await settle()
            tasks[0].cancel()
        replies = [task.result() for task in tasks[1:]]
        assert [reply.source for reply in replies] == ["provider", "coalesced", "coalesced"]
        assert [reply.cost for reply in replies] == [price(), Decimal(0), Decimal(0)]
        assert layers.statistics().meter.cost == price()

    virtual(main())


def test_a_flight_that_everybody_left_lands_and_is_kept_and_paid_for() -> None:
    async def main() -> None:
        transport, store, account = ScriptedTransport(After(1.0, ok())), memory(), Account(Decimal(1))
        layers = stack(transport, store=store, account=account)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(layers(request())) for _ in range(3)]
            await settle()
            for task in tasks:
                task.cancel()
        await asyncio.sleep(2.0)
        assert store.statistics().entries == 1
        assert account.statistics().settled == price()
        assert (await layers(request())).source == "cache"

    virtual(main())


def test_close_turns_late_flights_into_errors_and_keeps_their_reservation() -> None:
    async def main() -> None:
        transport, account = ScriptedTransport(After(100.0, ok())), Account(Decimal(1))
        layers = stack(transport, account=account)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(all_of(layers(request()) for _ in range(3)))
            await settle()
            began = asyncio.get_running_loop().time()
            await layers.close(grace=2.0)
            assert asyncio.get_running_loop().time() == began + 2.0
        errors = waiting.result()
        assert all(isinstance(error, TransportError) and error.kind == "closed" for error in errors)
        assert {error.cost for error in errors} == {None}
        assert transport.cut == 1
        assert account.statistics().settled == worst(request())
        assert layers.statistics().coalesce.flights == 0

    virtual(main())


def test_close_without_flights_returns_at_once() -> None:
    virtual(stack(ScriptedTransport(ok())).close(grace=60.0))


def test_a_caller_that_is_cancelled_while_its_flight_is_too_is_cancelled() -> None:
    async def main() -> None:
        flights: Flights[None] = Flights()
        flight = flights.start(b"k", lambda: asyncio.sleep(100))
        async with asyncio.TaskGroup() as group:
            waiter = group.create_task(landing(flight))
            await settle()
            waiter.cancel()
            flight.cancel()
        assert waiter.cancelled()

    virtual(main())


def test_requests_of_different_keys_share_nothing() -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(1.0, ok()))
        layers = stack(transport)
        asked = [request(), request("other"), request(sample=1), request(version=1), request(fold=b"x")]
        replies = await all_of(layers(one) for one in asked)
        assert [reply.source for reply in replies] == ["provider"] * len(asked)
        assert len(transport.calls) == len(asked)

    virtual(main())


def test_requests_that_differ_in_neutral_fields_alone_share_a_flight() -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(1.0, ok()))
        layers = stack(transport)
        plain = request()
        labelled = request(tail=b',"metadata":{"a":"b"}}')
        assert plain.tail != labelled.tail
        replies = await all_of([layers(plain), layers(labelled)])
        assert [reply.source for reply in replies] == ["provider", "coalesced"]

    virtual(main())


def test_a_second_wave_after_a_failure_is_asked_again() -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(1.0, fault(400)), After(1.0, ok()))
        layers = stack(transport)
        assert isinstance((await all_of([layers(request())]))[0], ProviderError)
        assert (await layers(request())).source == "provider"

    virtual(main())


def test_a_bug_below_reaches_the_caller_and_leaves_no_flight() -> None:
    async def main() -> None:
        def explode(_: Reply) -> str | None:
            raise ZeroDivisionError

        layers = stack(ScriptedTransport(ok()))
        with pytest.raises(ZeroDivisionError):
            await layers(request(accept=explode))
        await settle()
        assert layers.statistics().coalesce.flights == 0

    virtual(main())
