"""Cancellation at every await of the layers: it stays a plain cancellation, and nothing leaks."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from engine_fakes import (
    After,
    Outcome,
    ScriptedTransport,
    all_of,
    fault,
    ok,
    refused,
    request,
    settle,
    stack,
    virtual,
    worst,
)

from trivet.engine.limit import Limits
from trivet.engine.stack import Stack
from trivet.limits.account import Account
from trivet.types import Request


def crowded(transport: ScriptedTransport, account: Account) -> Stack:
    """A stack in which every kind of wait occurs: for money, a permit, the pace, a back-off, the reply."""
    return stack(transport, account=account, limits=Limits(concurrency=2, rpm=60))


@pytest.mark.parametrize("cacheable", [True, False])
@pytest.mark.parametrize("moment", [n / 4 for n in range(40)])
def test_a_cancellation_at_any_moment_leaks_no_permit_and_no_money(moment: float, cacheable: bool) -> None:
    async def main() -> None:
        outcomes: list[Outcome] = [After(0.7, ok()), After(0.3, fault(503)), refused(2), After(1.3, ok())] * 3
        transport = ScriptedTransport(*outcomes, ok())
        account = Account(3 * worst(request("9")))
        layers = crowded(transport, account)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(layers(request(str(n % 9), cacheable=cacheable))) for n in range(5)]
            await asyncio.sleep(moment)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.wait(tasks)
            if cacheable:
                await asyncio.sleep(60)  # flights land by themselves
        counts = layers.statistics()
        meter, flights, limit = counts.meter, counts.coalesce, counts.limit
        assert account.statistics().reserved == 0
        assert (limit.in_flight, limit.waiting, flights.flights, meter.under_way) == (0, 0, 0, 0)
        assert transport.open == 0
        left = account.left()
        assert left is not None
        assert left >= 0

    virtual(main())


WAITS = {
    "for the reply": (request(cacheable=False), Limits(), Decimal(1)),
    "for a permit": (request(cacheable=False), Limits(concurrency=1), Decimal(1)),
    "for the pace": (request(cacheable=False), Limits(rpm=1), Decimal(1)),
    "for money": (request(cacheable=False), Limits(), worst(request())),
    "for a flight": (request(), Limits(), Decimal(1)),
}


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("deadline", [None, 500.0])
def test_a_group_whose_body_is_cancelled_in_a_call_sees_a_plain_cancellation(wait: str, deadline: float | None) -> None:
    """`TaskGroup` takes a subclass of `CancelledError` for a failure, on Python 3.11 and 3.12."""

    async def main() -> None:
        asked, limits, budget = WAITS[wait]
        layers = stack(ScriptedTransport(After(100.0, ok())), limits=limits, account=Account(budget), deadline=deadline)

        async def body(asked: Request) -> None:
            async with asyncio.TaskGroup():
                await layers(asked)

        async with asyncio.TaskGroup() as group:
            other = group.create_task(layers(request("other", cacheable=False)))
            await settle()
            task = group.create_task(body(asked))
            await asyncio.sleep(1)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            other.cancel()
        await layers.close()

    virtual(main())


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("deadline", [None, 500.0])
def test_a_timeout_around_a_call_is_a_timeout_and_leaves_the_task_uncancelled(
    wait: str, deadline: float | None
) -> None:
    """`asyncio.timeout` knows its cancellation by the exact class, on Python 3.11."""

    async def main() -> None:
        asked, limits, budget = WAITS[wait]
        layers = stack(ScriptedTransport(After(100.0, ok())), limits=limits, account=Account(budget), deadline=deadline)
        async with asyncio.TaskGroup() as group:
            other = group.create_task(layers(request("other", cacheable=False)))
            await settle()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await layers(asked)
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            other.cancel()
        await layers.close()

    virtual(main())


def test_the_message_of_a_cancellation_goes_through() -> None:
    """Libraries of structured concurrency recognise their own cancellations by it."""

    async def main() -> None:
        layers = stack(ScriptedTransport(After(100.0, ok())))
        messages = []

        async def body() -> None:
            try:
                await layers(request(cacheable=False))
            except asyncio.CancelledError as cancelled:
                messages.append(cancelled.args)
                raise

        async with asyncio.TaskGroup() as group:
            task = group.create_task(body())
            await settle()
            task.cancel("by the scope")
        assert messages == [("by the scope",)]

    virtual(main())


def test_a_call_cancelled_in_the_queue_costs_nothing_and_one_in_flight_keeps_its_reservation() -> None:
    async def main() -> None:
        transport, account = ScriptedTransport(After(100.0, ok())), Account(Decimal(1))
        layers = stack(transport, account=account, limits=Limits(concurrency=1))
        async with asyncio.TaskGroup() as group:
            flying = group.create_task(layers(request("1", cacheable=False)))
            queued = group.create_task(layers(request("2", cacheable=False)))
            await settle()
            assert account.statistics().reserved == 2 * worst(request("1"))
            queued.cancel()
            await settle()
            assert account.statistics().reserved == worst(request("1"))
            assert account.statistics().settled == 0
            flying.cancel()
        assert account.statistics().settled == worst(request("1"))
        assert account.statistics().reserved == 0
        assert len(transport.calls) == 1

    virtual(main())


def test_a_run_of_the_loop_that_ends_with_calls_under_way_ends_cleanly() -> None:
    """`asyncio.run` cancels what is left, flights and waiters alike."""
    layers = stack(ScriptedTransport(After(1000.0, ok())))

    async def main() -> None:
        tasks = [asyncio.create_task(layers(request(str(n % 2)))) for n in range(4)]
        await settle()
        assert not any(task.done() for task in tasks)

    asyncio.run(main())
    assert layers.statistics().coalesce.flights == 0


def test_a_waiter_that_is_cancelled_just_as_its_flight_lands_does_not_take_the_bill_with_it() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(After(1.0, ok())))
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(layers(request()))
            second = group.create_task(all_of([layers(request())]))
            await settle()
            loop.call_at(loop.time() + 1.0, first.cancel)
        replies = [*second.result(), *([] if first.cancelled() else [first.result()])]
        assert [len(reply.attempts) for reply in replies].count(1) == 1

    virtual(main())
