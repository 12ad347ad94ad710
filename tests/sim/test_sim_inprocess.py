"""Without a socket, in virtual time: the same replies, and hours of limits in a moment."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from trivet.errors import TransportError
from trivet.sim.inprocess import InProcess
from trivet.sim.scenario import Faults, Latency, Scenario
from trivet.types import HttpCall, Timeouts

HEADERS = {"authorization": "Bearer any", "content-type": "application/json"}
Run = Callable[[Any], Any]


def call(text: str = "Tell me about refunds", timeouts: Timeouts | None = None, **fields: Any) -> HttpCall:
    body = json.dumps({"model": "gpt-5.4-mini", "input": text, **fields}).encode()
    url = "http://simulated/v1/responses"
    return HttpCall(method="POST", url=url, headers=HEADERS, body=body, timeouts=timeouts or Timeouts())


def test_a_reply_takes_its_time_on_the_loop_s_clock(virtual: Run) -> None:
    """Seconds for the model, none for the test."""

    async def main() -> tuple[float, Any]:
        transport = InProcess(Scenario(latency=Latency(ttft=2.0, tokens_per_s=10, spread=0)))
        loop = asyncio.get_running_loop()
        start = loop.time()
        reply = await transport.fetch(call())
        return loop.time() - start, reply

    began = time.perf_counter()
    elapsed, reply = virtual(main())
    assert reply.status == 200
    assert reply.headers["content-length"] == str(len(reply.body))
    assert elapsed == pytest.approx(2.0 + json.loads(reply.body)["usage"]["output_tokens"] / 10)
    assert elapsed > 5
    assert time.perf_counter() - began < 5


def test_an_hour_at_the_limit_is_admitted_to_the_request(virtual: Run) -> None:
    """600 a minute for an hour are 36,000 and a burst, whichever way the limit comes back."""

    async def main(refill: Any) -> int:
        transport = InProcess(Scenario(rpm=600, burst_s=1, refill=refill, null=False, time_scale=0))
        loop = asyncio.get_running_loop()
        admitted = 0
        body = call("x", max_output_tokens=16)
        while loop.time() < 300:
            reply = await transport.fetch(body)
            admitted += reply.status == 200
            await asyncio.sleep(0.1)
        return admitted

    for refill in ("continuous", "window"):
        assert 2950 <= virtual(main(refill)) <= 3001


def test_chunks_come_as_they_are_written(virtual: Run) -> None:
    """The stream's head first, its events spread over the seconds."""

    async def main() -> list[float]:
        transport = InProcess(Scenario(latency=Latency(ttft=1.0, tokens_per_s=10, spread=0)))
        loop = asyncio.get_running_loop()
        async with transport.stream(call(stream=True)) as reply:
            assert reply.status == 200
            times = [loop.time() async for _ in reply.chunks]
        assert transport.statistics().open == 0
        return times

    times = virtual(main())
    assert times == sorted(times)
    assert len(set(times)) > 20
    assert times[-1] > 4


@pytest.mark.parametrize(
    ("fault", "kind"), [("reset", "reset"), ("hang", "timeout"), ("cut", None), ("slow", "timeout")]
)
def test_broken_connections_are_transport_errors(virtual: Run, fault: str, kind: str | None) -> None:
    """With their kind, and possibly billed."""

    async def main() -> TransportError:
        transport = InProcess(Scenario(faults=Faults(**{fault: 1.0})))
        with pytest.raises(TransportError) as caught:
            await transport.fetch(call(timeouts=Timeouts(read=15, total=20)))
        assert transport.statistics().open == 0
        books = transport.core.books.statement()
        assert books.in_flight == 0
        return caught.value

    error = virtual(main())
    assert error.sent
    assert error.kind == kind if kind else error.kind in ("reset", "closed")


def test_a_cancelled_call_leaves_nothing_in_flight(virtual: Run) -> None:
    """The books count it as disconnected."""

    async def main() -> Any:
        transport = InProcess(Scenario())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await transport.fetch(call())
        return transport

    transport = virtual(main())
    books = transport.core.books.statement()
    assert (books.in_flight, books.disconnected) == (0, 1)
    assert transport.statistics().open == 0


def test_a_closed_transport_sends_nothing(virtual: Run) -> None:
    """And says that nothing was sent."""

    async def main() -> None:
        transport = InProcess(Scenario(time_scale=0))
        await transport.close()
        with pytest.raises(TransportError) as caught:
            await transport.fetch(call())
        assert (caught.value.kind, caught.value.sent) == ("closed", False)

    virtual(main())
