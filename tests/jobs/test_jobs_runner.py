"""How many rows a run has under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from trivet.jobs.rows import Row
from trivet.jobs.runner import Runner, RunnerConfig
from trivet.records import Record
from trivet.tasks.task import Task
from trivet.testing.virtual_time import run
from trivet.types import Reply, Request


class Engine:
    """Answers after a second, and counts how many it has at once."""

    def __init__(self) -> None:
        self.open = self.most = self.done = 0

    async def __call__(self, request: Request) -> Reply:
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(1.0)
        self.open -= 1
        self.done += 1
        return Reply(text="billing", status="completed", model="m")


async def rows(count: int) -> AsyncIterator[Row]:
    for n in range(count):
        yield Row(n=n, data={"ticket": f"number {n}"})


def runner(engine: Engine, records: list[Record], wants_more: Callable[[], bool], workers: int = 100) -> Runner:
    return Runner(
        Task("Say {{ ticket }}"),
        engine,
        RunnerConfig(model="m", workers=workers),
        keep=records.append,
        journal=None,
        publish=None,
        wants_more=wants_more,
        now=lambda: 0.0,
    )


@pytest.mark.parametrize(("wanted", "most"), [(1, 1), (30, 30), (10**9, 100)])
def test_as_many_rows_are_under_way_as_the_engine_can_use_and_no_more(wanted: int, most: int) -> None:
    async def main() -> None:
        engine, records = Engine(), list[Record]()
        await runner(engine, records, lambda: engine.open + 1 < wanted).run(rows(500), 1.0)
        assert engine.most == most
        assert sorted(record.n for record in records) == list(range(500))

    run(main())


def test_a_run_of_few_rows_starts_few_workers() -> None:
    async def main() -> None:
        engine, records = Engine(), list[Record]()
        job = runner(engine, records, lambda: True, workers=5000)
        await job.run(rows(3), 1.0)
        assert engine.most <= 3
        assert len(records) == 3

    run(main())


def test_rows_that_come_one_by_one_do_not_wait_for_each_other() -> None:
    async def main() -> None:
        engine, records = Engine(), list[Record]()

        async def slowly() -> AsyncIterator[Row]:
            async for row in rows(20):
                await asyncio.sleep(0.1)
                yield row

        await runner(engine, records, lambda: True).run(slowly(), 1.0)
        assert asyncio.get_running_loop().time() == pytest.approx(20 * 0.1 + 1.0)

    run(main())


@pytest.mark.parametrize("grace", [0.0, 5.0])
def test_a_run_that_is_stopped_ends_with_what_was_under_way(grace: float) -> None:
    async def main() -> None:
        engine, records = Engine(), list[Record]()
        job = runner(engine, records, lambda: True)
        async with asyncio.TaskGroup() as group:
            group.create_task(job.run(rows(10_000), grace))
            await asyncio.sleep(1.5)
            job.stop()
        assert job.interrupted
        assert len(records) == engine.done == (100 if grace == 0 else 200)

    run(main())
