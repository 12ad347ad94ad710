"""Latency against a truth that is known: a server with fixed delays that stops for two seconds."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from trivet.client.client import AsyncClient
from trivet.comparison.figures import elapsed
from trivet.comparison.measure import Lane, Measurement, shuffled
from trivet.engine.limit import Limits
from trivet.errors import BudgetError
from trivet.jobs.rows import Row
from trivet.records import Record
from trivet.stats.percentiles import Percentiles
from trivet.tasks.task import Task
from trivet.testing import virtual_time
from trivet.transport.protocol import TransportStatistics
from trivet.types import HttpCall, HttpReply, HttpStream, Reply, Request

TASK = Task("{{ x }}")
BODY = (
    b'{"id": "r", "object": "response", "status": "completed", "model": "gpt-5.4-mini", "output": [{"type": "message", '
    b'"role": "assistant", "content": [{"type": "output_text", "text": "ok", "annotations": []}]}], '
    b'"usage": {"input_tokens": 9, "output_tokens": 1}}'
)
STALL = (5.0, 7.0)
SERVICE = 0.05


class Stalling:
    """Answers after `SERVICE` seconds, but for those two seconds in which it answers nobody."""

    def __init__(self) -> None:
        self.arrived: list[float] = []

    async def fetch(self, call: HttpCall) -> HttpReply:
        now = asyncio.get_running_loop().time()
        self.arrived.append(now)
        ends = now + SERVICE
        if now < STALL[1] and ends > STALL[0]:
            ends = STALL[1] + SERVICE
        await asyncio.sleep(ends - now)
        return HttpReply(status=200, headers={"content-type": "application/json"}, body=BODY)

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        raise NotImplementedError

    async def close(self) -> None:
        pass

    def statistics(self) -> TransportStatistics:
        return TransportStatistics(exchanges=len(self.arrived), connections=1, open=0)


def truth(due: list[float]) -> list[float]:
    """What each call takes from its moment, with nobody in its way but the stall."""
    ends = [STALL[1] + SERVICE if at < STALL[1] and at + SERVICE > STALL[0] else at + SERVICE for at in due]
    return [end - at for at, end in zip(due, ends, strict=True)]


def measured(rate: float | None, calls: int, concurrency: int) -> tuple[list[float], list[Record]]:
    """Latencies of so many calls through the whole client, in virtual time."""

    async def main() -> list[Record]:
        limits = Limits(concurrency=concurrency)
        async with AsyncClient(
            api_key="k", base_url="http://127.0.0.1:1/v1", transport=Stalling(), cache=None, limits=limits
        ) as client:
            measurement = Measurement(
                client.ask, model=client.model, workers=concurrency, rate=rate, stream=False, now=lambda: 0.0
            )
            records: dict[str, dict[int, Record]] = {"a": {}}
            lane = Lane(task=TASK, keep=lambda _: None)
            await measurement.run({"a": lane}, [Row(n=n, data={"x": "-"}) for n in range(calls)], records)
            return list(records["a"].values())

    made = virtual_time.run(main())
    assert all(record.error is None for record in made)
    return [took for record in made if (took := elapsed(record, rate)) is not None], made


@pytest.mark.parametrize("concurrency", [500, 4])
def test_a_stall_is_in_the_percentiles_of_a_schedule(concurrency: int) -> None:
    """40 calls a second for 20 s against a server that stops for 2 s: our percentiles are the true ones.

    With room for few at once the calls that wait for a permit are late all the same, and say so.
    """
    due = [n / 40 for n in range(800)]
    known = Percentiles(truth(due))
    latencies, made = measured(40.0, 800, concurrency)
    sample = Percentiles(latencies)
    if concurrency == 500:
        for p in (0.5, 0.9, 0.95, 0.99):
            assert sample.at(p) == pytest.approx(known.at(p), abs=0.011)
        assert sum(latencies) == pytest.approx(sum(known.values), abs=0.5)
    else:
        assert (sample.at(0.95) or 0) >= (known.at(0.95) or 0) - 0.011
        assert max(record.queued for record in made) > 1.5


def test_without_a_schedule_a_stall_hides_the_calls_that_it_held_up() -> None:
    """The control: four at once, each timed from its own send, see a stall of 2 s in four calls only."""
    latencies, _ = measured(None, 800, 4)
    assert sum(took > 0.5 for took in latencies) == 4
    assert (Percentiles(latencies).at(0.95) or 0) == pytest.approx(SERVICE, abs=0.011)


def test_a_schedule_keeps_its_rate_whatever_the_replies_do() -> None:
    """800 calls at 40 a second are sent over 20 seconds, stall or no stall."""

    async def main() -> list[float]:
        server = Stalling()
        async with AsyncClient(
            api_key="k", base_url="http://127.0.0.1:1/v1", transport=server, cache=None, limits=Limits(concurrency=500)
        ) as client:
            measurement = Measurement(
                client.ask, model=client.model, workers=1, rate=40.0, stream=False, now=lambda: 0.0
            )
            rows = [Row(n=n, data={"x": "-"}) for n in range(800)]
            await measurement.run({"a": Lane(task=TASK, keep=lambda _: None)}, rows, {"a": {}})
        return server.arrived

    arrived = virtual_time.run(main())
    assert len(arrived) == 800
    assert all(abs(at - n / 40) < 0.011 for n, at in enumerate(arrived))


class Asking:
    """Answers at once, and counts."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.asked: list[str] = []
        self._fail_at = fail_at

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request.label)
        if self._fail_at is not None and len(self.asked) >= self._fail_at:
            raise BudgetError("too dear")
        await asyncio.sleep(0.1)
        return Reply(text="ok", status="completed", model="m")


def run(asking: Asking, names: list[str], records: dict[str, dict[int, Record]], **more: Any) -> None:
    """All lanes over twenty rows, four at once."""

    async def main() -> None:
        measurement = Measurement(asking, model="m", workers=4, rate=None, stream=False, now=lambda: 0.0)
        lanes = {name: Lane(task=TASK, keep=lambda _: None, **more.pop(name, {})) for name in names}
        await measurement.run(lanes, [Row(n=n, data={"x": str(n)}) for n in range(20)], records, **more)

    virtual_time.run(main())


def test_what_is_there_is_not_asked_again() -> None:
    """A row that a lane has, and one that is not its own, are left out."""
    records: dict[str, dict[int, Record]] = {"a": {n: Record(n=n) for n in range(15)}, "b": {}}
    asking = Asking()
    run(asking, ["a", "b"], records, b={"rows": frozenset([3, 4])})
    assert sorted(map(int, asking.asked)) == sorted([*range(15, 20), 3, 4])


def test_what_stops_a_comparison_is_raised_after_the_calls_in_flight() -> None:
    """A spent budget comes out as itself, once, and what was answered is there."""
    records: dict[str, dict[int, Record]] = {"a": {}}
    with pytest.raises(BudgetError):
        run(Asking(fail_at=9), ["a"], records)
    assert len(records["a"]) == 8


def test_enough_is_enough_at_the_end_of_a_row() -> None:
    """When no further row is of use, rows that were begun are ended for all variants, and no other is begun."""
    records: dict[str, dict[int, Record]] = {"a": {}, "b": {}}
    run(Asking(), ["a", "b"], records, enough=lambda n: len(records["a"]) >= 5)
    assert set(records["a"]) == set(records["b"])
    assert 5 <= len(records["a"]) < 12


def test_the_order_is_drawn_once_for_a_seed() -> None:
    """The same rows in another order, the same one for the same seed."""
    rows = list(range(100))
    assert shuffled(rows, 1) == shuffled(rows, 1) != shuffled(rows, 2)
    assert sorted(shuffled(rows, 1)) == rows
