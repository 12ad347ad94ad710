"""Attempts: which are repeated, when, and what they add up to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise

import pytest
from engine_fakes import (
    After,
    Outcome,
    ScriptedTransport,
    all_of,
    broken,
    fault,
    ok,
    price,
    refused,
    request,
    stack,
    virtual,
)

from trivet.engine.limit import Limits
from trivet.errors import ProviderError, RequestError, TransportError
from trivet.limits.backoff import Backoff
from trivet.types import HttpCall, HttpReply


def test_waits_grow_from_half_a_second_and_are_jittered_downwards() -> None:
    async def five(draw: Callable[[], float]) -> list[float]:
        transport = ScriptedTransport(*[fault(500)] * 5, ok())
        await stack(transport, draw=draw)(request())
        times = transport.times
        return [later - earlier for earlier, later in pairwise(times)]

    assert virtual(five(lambda: 0.0)) == pytest.approx([0.5, 1, 2, 4, 8])
    assert virtual(five(lambda: 0.999999)) == pytest.approx([0.25, 0.5, 1, 2, 4], rel=1e-3)


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_a_named_wait_is_kept_and_never_undercut(draw: float) -> None:
    async def main() -> None:
        transport = ScriptedTransport(refused(20), ok())
        await stack(transport, draw=lambda: draw)(request())
        waited = transport.times[1] - transport.times[0]
        assert 20 <= waited <= 22

    virtual(main())


def test_everybody_who_is_refused_at_once_does_not_come_back_at_once() -> None:
    async def main() -> None:
        draws = iter([n / 10 for n in range(10)] * 2)
        transport = ScriptedTransport(*[After(1.0, refused(10))] * 10, ok())
        layers = stack(transport, draw=lambda: next(draws))
        await all_of(layers(request(str(n))) for n in range(10))
        assert len(set(transport.times[10:])) == 10

    virtual(main())


NEVER = [
    fault(400, code="invalid_value"),
    fault(400, code="context_length_exceeded"),
    fault(401, code="invalid_api_key"),
    fault(403),
    fault(404),
    fault(413),
    fault(422),
    fault(429, code="insufficient_quota", type="insufficient_quota", retry_after="1"),
    fault(429, code="credit_balance_exhausted", type="insufficient_quota"),
    fault(
        429,
        code="rate_limit_exceeded",
        type="tokens",
        message="Request too large for gpt-5.4-mini: Limit 30000, Requested 31538. The input or output tokens "
        "must be reduced in order to run successfully.",
    ),
]


@pytest.mark.parametrize("outcome", NEVER, ids=lambda outcome: outcome.body.decode()[-60:])
def test_what_can_not_succeed_is_sent_once(outcome: HttpReply) -> None:
    async def main() -> None:
        transport = ScriptedTransport(outcome)
        with pytest.raises(ProviderError):
            await stack(transport)(request())
        assert len(transport.calls) == 1

    virtual(main())


def test_the_sixth_failure_ends_a_request() -> None:
    async def main() -> None:
        transport = ScriptedTransport(fault(500))
        with pytest.raises(ProviderError) as raised:
            await stack(transport)(request())
        assert len(transport.calls) == len(raised.value.attempts) == 6

    virtual(main())


def test_refusals_for_pace_have_an_allowance_of_their_own() -> None:
    async def main() -> None:
        transport = ScriptedTransport(*[refused(1)] * 40, *[fault(500)] * 5, ok())
        reply = await stack(transport)(request())
        assert len(reply.attempts) == 46

    virtual(main())


def test_refusals_for_pace_end_too() -> None:
    async def main() -> None:
        transport = ScriptedTransport(refused(1))
        with pytest.raises(ProviderError) as raised:
            await stack(transport, backoff=Backoff(refusals=7))(request())
        assert len(transport.calls) == len(raised.value.attempts) == 8

    virtual(main())


def test_no_retries_means_none_not_even_of_refusals() -> None:
    async def main() -> None:
        for outcome in (refused(1), fault(500), broken("reset")):
            transport = ScriptedTransport(outcome)
            with pytest.raises(RequestError):
                await stack(transport, backoff=Backoff(retries=0))(request())
            assert len(transport.calls) == 1

    virtual(main())


@pytest.mark.parametrize("kind", ["connect", "timeout"])
def test_a_server_never_reached_is_given_up_early(kind: str) -> None:
    async def main() -> None:
        transport = ScriptedTransport(broken(kind, sent=False))
        with pytest.raises(TransportError):
            await stack(transport)(request())
        assert len(transport.calls) == 3

    virtual(main())


def test_a_server_that_answered_before_is_waited_for_longer() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok(), broken("connect", sent=False))
        layers = stack(transport)
        await layers(request())
        with pytest.raises(TransportError):
            await layers(request("next"))
        assert len(transport.calls) == 1 + 6

    virtual(main())


def test_attempts_costs_and_waits_are_added_up() -> None:
    async def main() -> None:
        failed = ok(status="failed", error={"code": "server_error", "message": "x"}, input_tokens=100)
        transport = ScriptedTransport(failed, refused(2), ok())
        reply = await stack(transport, draw=lambda: 0.0)(request())
        assert [attempt.cost for attempt in reply.attempts] == [price(100), Decimal(0), price()]
        assert reply.cost == price(100) + price()
        assert reply.latency == pytest.approx(2.5)
        assert [attempt.error for attempt in reply.attempts] == ["server_error", "rate_limit_exceeded", None]
        assert [attempt.request_id for attempt in reply.attempts] == ["req_1", "req_2", "req_1"]

    virtual(main())


def test_a_cost_is_unknown_when_one_attempt_may_have_been_billed() -> None:
    async def main() -> None:
        reply = await stack(ScriptedTransport(broken("reset"), ok()))(request())
        assert reply.cost is None
        assert [attempt.possibly_billed for attempt in reply.attempts] == [True, False]
        assert [attempt.cost for attempt in reply.attempts] == [None, price()]

    virtual(main())


def test_the_last_error_carries_all_attempts_and_what_is_known_of_their_cost() -> None:
    async def main() -> None:
        transport = ScriptedTransport(fault(503), refused(1), fault(400, code="invalid_value"))
        with pytest.raises(ProviderError) as raised:
            await stack(transport)(request())
        assert [attempt.status for attempt in raised.value.attempts] == [503, 429, 400]
        assert raised.value.cost == 0
        assert raised.value.latency == pytest.approx(0.375 + 1.05)

    virtual(main())


def test_the_waits_of_all_attempts_are_added_up_and_kept_out_of_the_latency() -> None:
    async def main() -> None:
        for last in (ok(), fault(400)):
            mine = iter([fault(503), fault(503), last])

            def answer(call: HttpCall, mine: Iterator[HttpReply] = mine) -> Outcome:
                return After(3.0, ok()) if b"other" in call.body else After(1.0, next(mine))

            layers = stack(ScriptedTransport(answer=answer), limits=Limits(concurrency=1), draw=lambda: 0.0)
            ended, *_ = await all_of(layers(request(text)) for text in ("mine", "other 1", "other 2"))
            # sent at 0, at 7 (behind both others) and at 9, after back-offs of 0.5 and 1 s
            assert ended.queued == pytest.approx(5.5)
            assert [attempt.queued for attempt in ended.attempts] == pytest.approx([0.0, 5.5, 0.0])
            assert ended.latency == pytest.approx(3 * 1.0 + 0.5 + 1.0)

    virtual(main())


def test_errors_of_the_same_kind_do_not_share_what_is_written_on_them() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(broken("reset")), backoff=Backoff(retries=1))
        errors = await all_of(layers(request(str(n))) for n in range(3))
        assert [len(error.attempts) for error in errors] == [2, 2, 2]

    virtual(main())


def test_a_cancellation_during_a_back_off_ends_the_request() -> None:
    async def main() -> None:
        transport = ScriptedTransport(refused(500))
        layers = stack(transport)
        task = asyncio.create_task(layers(request(cacheable=False)))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert layers.statistics().meter.under_way == 0

    virtual(main())


def test_attempts_say_when_they_began_where_there_are_several() -> None:
    """In seconds from the call's turn, so that each can be placed in time; the one attempt of a call needs no place."""

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        transport = ScriptedTransport(refused(3), fault(500), ok())
        turn = clock()
        reply = await stack(transport)(request())
        began = [attempt.began for attempt in reply.attempts]
        assert began == pytest.approx([at - turn for at in transport.times], abs=0.01)
        assert began[0] == 0.0
        alone = await stack(ScriptedTransport(ok()))(request())
        assert [attempt.began for attempt in alone.attempts] == [None]

    virtual(main())
