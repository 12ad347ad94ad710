"""Permits: how many at once, how many a minute, in which order, and none lost."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right

import pytest
from engine_fakes import (
    After,
    Outcome,
    ScriptedTransport,
    all_of,
    broken,
    fault,
    ok,
    refused,
    request,
    settle,
    stack,
    virtual,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.engine.limit import Limits
from trivet.errors import ProviderError, SettingsError
from trivet.limits.backoff import Backoff
from trivet.types import HttpCall


def test_no_more_than_the_permits_are_in_flight_and_all_of_them_are_used() -> None:
    async def main() -> None:
        transport = ScriptedTransport(answer=lambda _: After(1.0, ok()))
        layers = stack(transport, limits=Limits(concurrency=7))
        began = asyncio.get_running_loop().time()
        await all_of(layers(request(str(n))) for n in range(50))
        assert transport.most_open == 7
        assert asyncio.get_running_loop().time() - began == pytest.approx(8.0)

    virtual(main())


def test_first_come_is_first_served() -> None:
    async def main() -> None:
        transport = ScriptedTransport(answer=lambda _: After(1.0, ok()))
        layers = stack(transport, limits=Limits(concurrency=2, rpm=60))
        await all_of(layers(request(f"number {n:02d}.")) for n in range(20))
        order = [call.body.partition(b"number ")[2][:2] for call in transport.calls]
        assert order == sorted(order)

    virtual(main())


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    calls=st.integers(1, 60),
    concurrency=st.integers(1, 9),
    rpm=st.sampled_from([None, 6, 60, 600]),
)
def test_neither_permits_nor_pace_are_ever_exceeded_and_none_is_lost(
    seed: int, calls: int, concurrency: int, rpm: int | None
) -> None:
    draw = random.Random(seed)

    def answer(_: HttpCall) -> Outcome:
        outcomes = [ok(), ok(), fault(500), refused(draw.choice([1, 5])), fault(400)]
        seconds = draw.choice([0.0, 0.2, 3.0])
        return After(seconds, broken("reset") if draw.random() < 0.15 else draw.choice(outcomes))

    async def main() -> None:
        transport = ScriptedTransport(answer=answer)
        layers = stack(transport, limits=Limits(concurrency=concurrency, rpm=rpm), draw=draw.random)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            for number in range(calls):
                one = group.create_task(all_of([layers(request(str(number), cacheable=False))]))
                if draw.random() < 0.3:
                    loop.call_later(draw.uniform(0, 60), one.cancel)
        limit = layers.statistics().limit
        assert (limit.in_flight, limit.waiting) == (0, 0)
        assert transport.most_open <= concurrency
        if rpm is not None:
            assert_paced(transport.times, [1.0] * len(transport.times), rpm / 60)
        # every permit is back: as many as there are can be had at once
        if rpm is None:
            transport.most_open = 0
            transport._answer = lambda _: After(1.0, ok())
            await asyncio.sleep(10**6)  # until no refusal of long ago holds anything back
            allowed = layers.statistics().limit.concurrency
            await all_of(layers(request(f"again {n}")) for n in range(concurrency))
            assert 1 <= allowed <= transport.most_open <= concurrency

    virtual(main())


def assert_paced(times: list[float], amounts: list[float], rate: float) -> None:
    """In no window more than `rate * t + burst`, the burst being a second's worth (or one request)."""
    burst = max(1.0, rate)
    for first, start in enumerate(times):
        spent = 0.0
        for time, amount in zip(times[first:], amounts[first:], strict=True):
            spent += amount
            allowed = rate * (time - start) + max(burst, amount, amounts[first])
            assert spent <= allowed + 1e-6, (start, time)


@pytest.mark.parametrize("rpm", [3, 60, 90, 600, 3000])
def test_requests_are_paced_over_minutes_and_the_pace_is_used_up(rpm: int) -> None:
    async def main() -> None:
        transport = ScriptedTransport(answer=lambda _: After(0.01, ok()))
        layers = stack(transport, limits=Limits(rpm=rpm))
        began = asyncio.get_running_loop().time()
        count = min(2 * rpm, 1000)
        await all_of(layers(request(str(n))) for n in range(count))
        took = asyncio.get_running_loop().time() - began
        assert_paced(transport.times[:300], [1.0] * min(300, count), rpm / 60)
        assert bisect_right(transport.times, began + took) == count
        assert took == pytest.approx((count - max(1, rpm / 60)) * 60 / rpm, rel=0.02, abs=1.0)

    virtual(main())


def test_tokens_are_paced_by_the_larger_of_the_cap_and_the_characters() -> None:
    async def main() -> None:
        transport = ScriptedTransport(answer=lambda _: After(0.01, ok()))
        layers = stack(transport, limits=Limits(tpm=60_000))
        small, large, capped = request("x"), request("y" * 40_000), request("z", max_output=20_000)
        began = asyncio.get_running_loop().time()
        await all_of([layers(small), layers(large), layers(capped), layers(request("w"))])
        times = [time - began for time in transport.times]
        # a second's worth (1,000 tokens) is there at the start; what is larger goes when that is there again,
        # and those behind it wait until its debt is paid
        characters = (len(large.head) + len(large.tail)) / 4
        assert times[0] == 0.0
        assert times[1] == pytest.approx(0.02, abs=0.02)
        assert times[2] - times[1] == pytest.approx(characters / 1000, abs=0.1)
        assert times[3] - times[2] == pytest.approx(19.0, abs=0.1)

    virtual(main())


def test_after_a_quiet_hour_no_more_than_a_second_s_worth_goes_at_once() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok())
        layers = stack(transport, limits=Limits(rpm=300))
        await layers(request("first"))
        await asyncio.sleep(3600)
        now = asyncio.get_running_loop().time()
        await all_of(layers(request(str(n))) for n in range(20))
        assert sum(time == now for time in transport.times) == 5

    virtual(main())


def test_a_refusal_with_a_wait_pauses_everybody() -> None:
    async def main() -> None:
        transport = ScriptedTransport(refused(30), ok())
        layers = stack(transport, draw=lambda: 0.0)
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for n in range(5):
                group.create_task(layers(request(str(n))))
                await asyncio.sleep(1)
        assert transport.times[0] == began
        assert all(time >= began + 30 for time in transport.times[1:])
        assert layers.statistics().limit.refused == 1

    virtual(main())


def test_a_longer_pause_that_comes_during_a_pause_holds() -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(1.0, refused(10)), After(2.0, refused(60)), ok())
        layers = stack(transport, draw=lambda: 0.0)
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for n in range(2):
                group.create_task(layers(request(str(n))))
            await asyncio.sleep(1.5)
            group.create_task(layers(request("later")))
        assert [time - began for time in transport.times[2:]] == pytest.approx([62.0, 62.01, 62.02])

    virtual(main())


def test_after_a_pause_the_pace_holds_for_those_who_waited() -> None:
    async def main() -> None:
        transport = ScriptedTransport(refused(30), ok())
        layers = stack(transport, limits=Limits(rpm=60), draw=lambda: 0.0)
        await all_of(layers(request(str(n))) for n in range(40))
        assert_paced(transport.times, [1.0] * len(transport.times), 1.0)

    virtual(main())


@pytest.mark.parametrize(
    "outcome",
    [fault(503, retry_after="30"), fault(429, type="insufficient_quota", code="insufficient_quota", retry_after="30")],
)
def test_other_errors_with_a_wait_pause_nobody_else(outcome: object) -> None:
    async def main() -> None:
        transport = ScriptedTransport(outcome, ok())  # type: ignore[arg-type]
        layers = stack(transport, backoff=Backoff(retries=0))
        began = asyncio.get_running_loop().time()
        with pytest.raises(ProviderError):
            await layers(request("1"))
        await layers(request("2"))
        assert asyncio.get_running_loop().time() == began
        assert layers.statistics().limit.refused == 0

    virtual(main())


def test_waiters_that_are_cancelled_give_back_what_they_took() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok())
        layers = stack(transport, limits=Limits(rpm=6))
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            group.create_task(layers(request("first", cacheable=False)))
            late = [group.create_task(layers(request(str(n), cacheable=False))) for n in range(30)]
            await asyncio.sleep(1)
            for task in late:
                task.cancel()
            await settle()
            await layers(request("last"))
        assert [time - began for time in transport.times] == pytest.approx([0.0, 10.0])

    virtual(main())


def test_cancelled_waiters_do_not_let_those_behind_them_bunch_up() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok())
        layers = stack(transport, limits=Limits(rpm=60))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(layers(request(str(n), cacheable=False))) for n in range(60)]
            await asyncio.sleep(20.5)
            for task in tasks[25:50]:
                task.cancel()
            for n in range(40):
                group.create_task(layers(request(f"late {n}")))
        assert_paced(transport.times, [1.0] * len(transport.times), 1.0)

    virtual(main())


@pytest.mark.parametrize("name", ["concurrency", "rpm", "tpm"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_limits_that_let_nothing_or_anything_through_are_refused(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=name):
        Limits(**{name: value})  # type: ignore[arg-type]
