"""A provider that asks for a long wait is told about, not waited for."""

from __future__ import annotations

import asyncio

from engine_fakes import MODEL, After, ScriptedTransport, all_of, fault, ok, refused, request, stack, virtual

from trivet.engine.limit import Limits
from trivet.errors import PauseError
from trivet.limits.backoff import PATIENCE

DAY = 86_400.0


def test_a_wait_of_a_day_is_an_error_at_once() -> None:
    """The error says how long, carries the attempt, and costs nothing."""

    async def main() -> None:
        (error,) = await all_of([stack(ScriptedTransport(refused(DAY)))(request())])
        assert isinstance(error, PauseError)
        assert (error.code, error.retry_after, error.fatal, error.cost) == ("paused", DAY, True, 0)
        assert [attempt.status for attempt in error.attempts] == [429]
        assert "24.0 h" in str(error)
        assert MODEL in str(error)
        assert asyncio.get_running_loop().time() < 1

    virtual(main())


def test_those_in_line_and_those_to_come_are_told_and_nothing_more_is_sent() -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(1.0, refused(DAY)))
        layers = stack(transport, limits=Limits(concurrency=1))
        errors = await all_of(layers(request(str(n))) for n in range(5))
        assert [type(error) for error in errors] == [PauseError] * 5
        assert [len(error.attempts) for error in errors] == [1, 0, 0, 0, 0]
        assert [round(error.queued, 3) for error in errors] == [0, 1, 1, 1, 1]
        (late,) = await all_of([layers(request("late"))])
        assert isinstance(late, PauseError)
        assert late.retry_after is not None
        assert late.retry_after <= DAY
        assert len(transport.calls) == 1
        limit = layers.statistics().limit
        assert (limit.waiting, limit.in_flight) == (0, 0)
        assert limit.paused == late.retry_after

    virtual(main())


def test_another_model_is_not_held_up() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(refused(DAY), ok()))
        first, second = await all_of([layers(request("1")), layers(request("2", model="gpt-5.4-nano"))])
        assert isinstance(first, PauseError)
        assert second.text == "billing"

    virtual(main())


def test_the_model_is_asked_again_once_the_wait_is_over() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(refused(DAY), ok()))
        await all_of([layers(request())])
        await asyncio.sleep(DAY + 1)
        assert (await layers(request())).text == "billing"

    virtual(main())


def test_a_wait_that_is_bearable_is_waited_out() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(refused(PATIENCE), ok()))
        waiting = asyncio.create_task(layers(request(cacheable=False)))
        await asyncio.sleep(10)
        limit, retry = layers.statistics().limit, layers.statistics().retry
        assert PATIENCE - 11 < limit.paused < PATIENCE * 1.06
        assert retry.waiting == 1
        other = asyncio.create_task(layers(request("other")))
        await asyncio.sleep(5)
        assert layers.statistics().limit.oldest_wait == 5
        assert (await waiting).text == (await other).text == "billing"
        counts = layers.statistics()
        assert (counts.limit.paused, counts.limit.oldest_wait) == (0, 0)
        assert (counts.retry.after_refusals, counts.retry.after_failures, counts.retry.waiting) == (1, 0, 0)

    virtual(main())


def test_a_server_down_for_hours_says_so() -> None:
    """503 with a `Retry-After` of hours is no different."""

    async def main() -> None:
        (error,) = await all_of([stack(ScriptedTransport(fault(503, retry_after="7200")))(request())])
        assert isinstance(error, PauseError)
        assert error.retry_after == 7200

    virtual(main())


def test_what_is_never_retried_stays_what_it_is() -> None:
    """A spent quota is a spent quota, whatever wait its headers name."""

    async def main() -> None:
        spent = fault(429, code="insufficient_quota", type="insufficient_quota", retry_after="86400")
        (error,) = await all_of([stack(ScriptedTransport(spent))(request())])
        assert error.code == "insufficient_quota"

    virtual(main())
