"""The deadline bounds the whole reply, and tells what was tried until then."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from engine_fakes import (
    After,
    ScriptedTransport,
    Streamed,
    all_of,
    broken,
    fault,
    ok,
    refused,
    request,
    settle,
    sse,
    stack,
    virtual,
    worst,
)

from trivet.engine.limit import Limits
from trivet.errors import DeadlineError, RequestError, SettingsError
from trivet.limits.account import Account
from trivet.types import Request


async def late(layers: object, asked: Request) -> DeadlineError:
    began = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineError) as raised:
        await layers(asked)  # type: ignore[operator]
    assert asyncio.get_running_loop().time() - began == pytest.approx(10.0)
    return raised.value


@pytest.mark.parametrize("cacheable", [True, False])
def test_an_attempt_under_way_is_cut_and_may_be_billed(cacheable: bool) -> None:
    async def main() -> None:
        transport, account = ScriptedTransport(After(60.0, ok())), Account(Decimal(1))
        asked = request(cacheable=cacheable)
        error = await late(stack(transport, account=account, deadline=10.0), asked)
        assert transport.cut == 1
        assert error.cost is None
        assert error.possibly_billed
        assert [attempt.error for attempt in error.attempts] == ["cancelled"]
        assert account.statistics().settled == worst(asked)

    virtual(main())


@pytest.mark.parametrize("cacheable", [True, False])
def test_a_back_off_is_cut_and_what_was_refused_cost_nothing(cacheable: bool) -> None:
    async def main() -> None:
        transport, account = ScriptedTransport(refused(600)), Account(Decimal(1))
        layers = stack(transport, account=account, deadline=10.0)
        error = await late(layers, request(cacheable=cacheable))
        assert (error.cost, error.possibly_billed) == (Decimal(0), False)
        assert [attempt.status for attempt in error.attempts] == [429]
        assert account.statistics().settled == 0

    virtual(main())


@pytest.mark.parametrize("cacheable", [True, False])
def test_a_wait_in_the_queue_is_cut_and_cost_nothing(cacheable: bool) -> None:
    async def main() -> None:
        transport, account = ScriptedTransport(After(60.0, ok())), Account(Decimal(1))
        layers = stack(transport, account=account, deadline=10.0, limits=Limits(concurrency=1))
        async with asyncio.TaskGroup() as group:
            group.create_task(all_of([layers(request("other"))]))
            await settle()
            error = await late(layers, request(cacheable=cacheable))
        assert (error.cost, error.attempts, error.possibly_billed) == (Decimal(0), (), False)
        assert len(transport.calls) == 1
        assert layers.statistics().limit.in_flight == layers.statistics().limit.waiting == 0

    virtual(main())


def test_earlier_attempts_are_told_with_the_one_that_was_cut() -> None:
    async def main() -> None:
        transport = ScriptedTransport(fault(503), broken("reset"), After(60.0, ok()))
        error = await late(stack(transport, deadline=10.0), request())
        assert [attempt.status for attempt in error.attempts] == [503, None, None]
        assert [attempt.error for attempt in error.attempts][1:] == ["transport_reset", "cancelled"]
        assert error.cost is None

    virtual(main())


def test_a_reply_in_time_is_untouched_and_no_deadline_never_ends() -> None:
    async def main() -> None:
        for deadline in (10.0, None):
            seconds = 9.9 if deadline else 100_000.0
            layers = stack(ScriptedTransport(After(seconds, ok())), deadline=deadline)
            assert (await layers(request())).latency == pytest.approx(seconds)

    virtual(main())


def test_a_stream_is_bounded_too() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(Streamed([sse("one")[0], 60.0])), deadline=10.0)
        seen = []
        with pytest.raises(DeadlineError):
            async for event in layers.stream(request(stream=True)):
                seen += [event.type]
        assert seen == ["response.created"]

    virtual(main())


def test_the_deadline_of_a_flight_counts_from_its_start_and_reaches_all() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(After(60.0, ok())), deadline=10.0)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(all_of([layers(request())]))
            await asyncio.sleep(4.0)
            second = group.create_task(all_of([layers(request())]))
        errors: list[RequestError] = [first.result()[0], second.result()[0]]
        assert all(isinstance(error, DeadlineError) for error in errors)
        assert [error.latency for error in errors] == [pytest.approx(10.0), pytest.approx(6.0)]
        assert [len(error.attempts) for error in errors] == [1, 0]

    virtual(main())


def test_a_timeout_of_the_callers_own_is_not_taken_for_the_deadline() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(After(60.0, ok())), deadline=30.0)
        with pytest.raises(TimeoutError) as raised:
            async with asyncio.timeout(5.0):
                await layers(request(cacheable=False))
        assert not isinstance(raised.value, DeadlineError)

    virtual(main())


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_deadline_that_can_not_be_met_is_refused_at_once(seconds: float) -> None:
    with pytest.raises(SettingsError, match="deadline"):
        stack(ScriptedTransport(ok()), deadline=seconds)
