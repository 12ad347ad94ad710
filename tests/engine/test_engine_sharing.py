"""Several processes on one key, told apart by nothing but their names: one real Redis, one simulated provider, virtual
time. Each way a limit comes back, joining late, dying, a Redis that dies."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any

import pytest
from engine_fakes import DAY, ENDPOINT, request, virtual
from shared_fakes import Keeper

from trivet.engine.limit import Limits
from trivet.engine.sharing import Sharing
from trivet.engine.stack import Clocks, Stack, StackConfig
from trivet.errors import MachineError, TrivetError
from trivet.limits.account import Account
from trivet.prices.book import standard_book
from trivet.sim.inprocess import InProcess
from trivet.sim.scenario import Faults, Latency, Refill, Scenario

RPM = 1200
LATENCY = Latency(ttft=0.6, tokens_per_s=1e6, spread=0.1)


class Process:
    """What one process is made of; `got`: its answers, `refused`: what it was refused."""

    def __init__(
        self, name: str, transport: InProcess, keeper: Keeper | None, *, needed: bool = True, **changes: Any
    ) -> None:
        self.layers = Stack(
            StackConfig(endpoint=ENDPOINT, limits=Limits()),
            transport=transport,
            store=None,
            account=Account(None),
            prices=standard_book(),
            clocks=Clocks(now=lambda: 1_795_000_000.0, today=lambda: DAY, draw=lambda: 0.5),
            sharing=None if keeper is None else Sharing(keeper.turns(), name, needed=needed),
        )
        self.got = 0
        self._changes = changes
        self._numbers = itertools.count()
        self._name = name

    async def work(self, workers: int) -> None:
        """Ask without end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._ask())

    async def _ask(self) -> None:
        while True:
            try:
                await self.layers(request(f"Say {self._name} {next(self._numbers)}.", cacheable=False, **self._changes))
            except TrivetError:
                await asyncio.sleep(0.01)
            else:
                self.got += 1


async def over(seconds: float, transport: InProcess, processes: list[Process]) -> tuple[int, int, list[int]]:
    """Admitted and refused by the provider in that time, and the answers of each process."""
    before, had = transport.core.books.statement(), [process.got for process in processes]
    await asyncio.sleep(seconds)
    after = transport.core.books.statement()
    refusals = sum(after.refused.values()) - sum(before.refused.values())
    got = [process.got - earlier for process, earlier in zip(processes, had, strict=True)]
    return after.requests - before.requests - refusals, refusals, got


async def at_work(group: asyncio.TaskGroup, processes: list[Process], workers: int = 60) -> list[asyncio.Task[None]]:
    return [group.create_task(process.work(workers)) for process in processes]


async def kill(crew: list[asyncio.Task[None]], processes: list[Process]) -> None:
    for process in processes:  # a process that dies says nothing more
        await process.layers.close()
    for task in crew:
        task.cancel()


@pytest.mark.parametrize("refill", ["continuous", "window"])
@pytest.mark.parametrize("burst_s", [60.0, 1.0])
def test_together_they_use_the_limit_and_each_has_its_part(redis_server: Any, refill: Refill, burst_s: float) -> None:
    """Also when one joins late, and when one dies: its part is the others' within two seconds."""

    async def main() -> None:
        transport = InProcess(Scenario(rpm=RPM, refill=refill, burst_s=burst_s, latency=LATENCY))
        keeper = Keeper(redis_server.url)
        processes = [Process(name, transport, keeper) for name in "abc"]
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, processes[:2])
            await asyncio.sleep(10)
            crew += await at_work(group, processes[2:])
            await asyncio.sleep(2)
            admitted, refusals, got = await over(60, transport, processes)
            assert admitted >= 0.97 * RPM
            assert refusals <= 0.01 * (admitted + refusals)
            assert min(got) >= 0.9 * max(got)
            await kill(crew[:1], processes[:1])
            await asyncio.sleep(2)
            admitted, refusals, got = await over(60, transport, processes[1:])
            assert admitted >= 0.97 * RPM
            assert refusals <= 0.01 * (admitted + refusals)
            assert min(got) >= 0.9 * max(got)
            await kill(crew[1:], processes[1:])

    virtual(main())


@pytest.mark.parametrize("refill", ["continuous", "window"])
@pytest.mark.parametrize("burst_s", [60.0, 1.0])
def test_what_a_stranger_leaves_is_used_by_all_together(redis_server: Any, refill: Refill, burst_s: float) -> None:
    async def main() -> None:
        transport = InProcess(Scenario(rpm=RPM, refill=refill, burst_s=burst_s, stranger=0.3, latency=LATENCY))
        keeper = Keeper(redis_server.url)
        processes = [Process(name, transport, keeper) for name in "abc"]
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, processes)
            await asyncio.sleep(10)
            admitted, refusals, got = await over(120, transport, processes)
            assert admitted >= 0.9 * 0.7 * 2 * RPM
            assert refusals <= 0.03 * (admitted + refusals)
            assert min(got) >= 0.9 * max(got)
            await kill(crew, processes)

    virtual(main())


def test_a_process_that_asks_little_gets_it_all_and_the_rest_goes_to_the_busy(redis_server: Any) -> None:
    async def main() -> None:
        transport = InProcess(Scenario(rpm=RPM, burst_s=1.0, latency=LATENCY))
        keeper = Keeper(redis_server.url)
        processes = [Process(name, transport, keeper) for name in "abc"]
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, processes[:2])
            crew += await at_work(group, processes[2:], workers=2)  # some three requests a second
            await asyncio.sleep(10)
            admitted, _, got = await over(60, transport, processes)
            assert admitted >= 0.97 * RPM
            assert got[2] >= 0.8 * 60 * 2 / 0.65
            assert min(got[:2]) >= 0.9 * max(got[:2])
            await kill(crew, processes)

    virtual(main())


def test_a_far_process_is_not_starved_by_a_near_one(redis_server: Any) -> None:
    """Whoever asks more often gets no more."""

    async def main() -> None:
        transport = InProcess(Scenario(rpm=6000, burst_s=1.0, latency=LATENCY))
        near, far = Keeper(redis_server.url), Keeper(redis_server.url, away=0.02)
        processes = [Process("near", transport, near), Process("far", transport, far)]
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, processes, workers=100)
            await asyncio.sleep(10)
            admitted, _, got = await over(30, transport, processes)
            assert admitted >= 0.95 * 3000
            assert min(got) >= 0.8 * max(got)
            await kill(crew, processes)

    virtual(main())


def test_requests_cost_far_fewer_round_trips_than_there_are(redis_server: Any) -> None:
    async def main() -> None:
        transport = InProcess(Scenario(rpm=30_000, burst_s=60.0, latency=LATENCY))
        keeper = Keeper(redis_server.url)
        process = Process("a", transport, keeper)
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, [process], workers=600)
            await asyncio.sleep(2)
            keeper.calls = 0
            admitted, *_ = await over(4, transport, [process])
            assert admitted >= 0.95 * 2000
            assert keeper.calls <= 300
            await kill(crew, [process])

    virtual(main())


def test_tokens_are_shared_too_by_processes_with_small_and_large_requests(redis_server: Any) -> None:
    """Each has its part of the time, which is what tokens are measured in."""

    async def main() -> None:
        transport = InProcess(Scenario(tpm=600_000, rpm=30_000, burst_s=1.0, latency=LATENCY))
        keeper = Keeper(redis_server.url)
        processes = [
            Process(name, transport, keeper, max_output=cap, head=_head(cap))
            for name, cap in (("small", 200), ("large", 1000))
        ]
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, processes)
            await asyncio.sleep(10)
            admitted, refusals, got = await over(60, transport, processes)
            assert refusals <= 0.01 * admitted
            assert 0.96 * 600_000 <= got[0] * 200 + got[1] * 1000 <= 1.02 * 600_000
            assert got[0] * 200 == pytest.approx(got[1] * 1000, rel=0.1)
            await kill(crew, processes)

    virtual(main())


def _head(cap: int) -> bytes:
    head = request("x").head.replace(b'"max_output_tokens":16', b'"max_output_tokens":%d' % cap)
    assert b"%d" % cap in head
    return head


def test_a_retry_after_holds_every_process(redis_server: Any) -> None:
    async def main() -> None:
        scenario = Scenario(rpm=RPM, burst_s=60.0, latency=LATENCY, faults=Faults(slow_down=0.02))
        transport = InProcess(scenario)
        keeper = Keeper(redis_server.url)
        processes = [Process(name, transport, keeper) for name in "ab"]
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, processes, workers=30)
            await asyncio.sleep(30)
            held = [process.layers._limit._lines for process in processes]  # type: ignore[attr-defined]
            opens = [next(iter(lines.values())).governor.open_at for lines in held]
            assert min(opens) > 0
            assert max(opens) - min(opens) <= 1.5
            await kill(crew, processes)

    virtual(main())


def test_without_its_redis_a_run_goes_on_at_its_part_and_shares_again_when_it_is_back(
    redis_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        transport = InProcess(Scenario(rpm=RPM, burst_s=60.0, latency=LATENCY))
        keeper = Keeper(redis_server.url)
        processes = [Process(name, transport, keeper) for name in "abc"]
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, processes)
            await asyncio.sleep(10)
            keeper.down = True
            await asyncio.sleep(1)
            admitted, _, got = await over(20, transport, processes)
            assert 0.9 * RPM / 3 <= admitted <= 1.02 * RPM / 3
            assert min(got) >= 0.9 * max(got)
            keeper.client.flushall()
            keeper.down = False
            await asyncio.sleep(8)
            admitted, refusals, got = await over(30, transport, processes)
            assert admitted >= 0.96 * RPM / 2
            assert refusals == 0
            assert min(got) >= 0.9 * max(got)
            await kill(crew, processes)

    with caplog.at_level(logging.WARNING, "trivet.shared"):
        virtual(main())
    said = [record.message for record in caplog.records]
    assert len([text for text in said if "can't be shared" in text]) == 3
    assert len([text for text in said if "again" in text]) == 3


def test_a_redis_that_was_never_there_ends_the_first_request_with_the_reason(redis_server: Any) -> None:
    async def main() -> None:
        keeper = Keeper(redis_server.url)
        keeper.down = True
        process = Process("a", InProcess(Scenario(rpm=RPM, latency=LATENCY)), keeper)
        for _ in range(2):
            with pytest.raises(MachineError, match="can't be reached"):
                await process.layers(request("x", cacheable=False))
        await process.layers.close()

    virtual(main())


def test_a_redis_that_only_a_cache_asked_for_ends_nothing_when_it_is_gone(redis_server: Any) -> None:
    """What is lost before the first word about limits: the run goes on as one process would."""

    async def main() -> None:
        keeper = Keeper(redis_server.url)
        keeper.down = True
        transport = InProcess(Scenario(rpm=RPM, burst_s=1.0, latency=LATENCY))
        process = Process("a", transport, keeper, needed=False)
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, [process])
            await asyncio.sleep(10)
            admitted, refusals, _ = await over(20, transport, [process])
            assert admitted >= 0.97 * 20 * RPM / 60
            assert refusals <= 0.01 * admitted
            await kill(crew, [process])

    virtual(main())


def test_a_second_model_begins_at_its_part_while_the_redis_is_gone(redis_server: Any) -> None:
    async def main() -> None:
        transport = InProcess(Scenario(rpm=RPM, burst_s=1.0, latency=LATENCY))
        keeper = Keeper(redis_server.url)
        processes = [Process(name, transport, keeper) for name in "ab"]
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, processes)
            await asyncio.sleep(5)
            keeper.down = True
            reply = await processes[0].layers(request("x", model="gpt-5.4-nano", cacheable=False))
            assert reply.text
            assert processes[0].layers.statistics().limit.processes == 2
            await kill(crew, processes)

    virtual(main())


def test_a_server_that_tells_no_limits_is_served_as_ever(redis_server: Any) -> None:
    async def main() -> None:
        transport = InProcess(Scenario(latency=LATENCY))
        process = Process("a", transport, Keeper(redis_server.url))
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, [process], workers=100)
            await asyncio.sleep(5)
            assert process.got >= 100
            await kill(crew, [process])

    virtual(main())


def test_requests_cancelled_while_they_wait_leave_their_turns_to_others(redis_server: Any) -> None:
    async def main() -> None:
        transport = InProcess(Scenario(rpm=RPM, burst_s=1.0, latency=LATENCY))
        keeper = Keeper(redis_server.url)
        processes = [Process(name, transport, keeper) for name in "ab"]
        async with asyncio.TaskGroup() as group:
            crew = await at_work(group, processes)
            await asyncio.sleep(5)
            for _ in range(20):
                crew[0].cancel()
                await asyncio.sleep(0.2)
                crew[0] = (await at_work(group, processes[:1]))[0]
                await asyncio.sleep(0.3)
            admitted, _, got = await over(20, transport, processes)
            assert admitted >= 0.97 * 20 * RPM / 60
            assert min(got) >= 0.9 * max(got)
            await kill(crew, processes)

    virtual(main())
