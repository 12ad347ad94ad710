"""Asks every variant every row, interleaved in time and never from the cache.

Row by row the variants take turns in going first (A B, B A, ...), so that a drift of the provider hits all of
them alike; the cache and shared flights are bypassed, because a hit's time is not the provider's. The baseline asked
a second time (the control) is one more lane among them, on its part of the rows.

As many calls at once as there are workers: then a server that stalls holds up the calls after it, too, and they are
not late by anybody's clock. With a `rate` each call has its moment in a schedule, is sent then whatever became of those
before it, and is late where it was sent late: `queued` of its record holds that.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from trivet.errors import RequestError, TrivetError
from trivet.jobs.recording import outcome_of, record_of
from trivet.jobs.rows import Row
from trivet.records import Record
from trivet.tasks.task import Task
from trivet.types import Event, Journal, Reply, Request

Ask = Callable[[Request], Awaitable[Reply]]
T = TypeVar("T")


class Lane(Struct, frozen=True, kw_only=True):
    """Where one variant's calls go: `keep` writes a record to disk before it is counted, `journal` marks what is sent.

    `rows`: the numbers of the rows that it is asked; None for all of them.
    """

    task: Task
    keep: Callable[[Record], None]
    journal: Journal | None = None
    rows: frozenset[int] | None = None


def shuffled(rows: Sequence[T], seed: int) -> list[T]:
    """The rows in an order of their own, the same for the same seed."""
    order = list(rows)
    random.Random(seed).shuffle(order)
    return order


def interleaved(names: Sequence[str], rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    """Every variant with every row, each variant first equally often."""
    turns = deque(names)
    for row in rows:
        yield from [(name, row) for name in turns]
        turns.rotate(-1)


class Measurement:
    """One comparison's calls. `model`: where a task names none; `workers`: calls at once; `now`: Unix time.

    `rate`: calls a second; `stream`: answers are streamed; `interrupted`: whether to begin no further call.
    `tags`: put on every record.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        model: str,
        workers: int,
        rate: float | None,
        stream: bool,
        now: Callable[[], float],
        interrupted: Callable[[], bool] = lambda: False,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._interrupted = interrupted
        self._tags = tags
        self._ask = _watching(ask) if stream else ask
        self._model = model
        self._workers = workers
        self._rate = rate
        self._stream = stream
        self._now = now
        self._stopped: TrivetError | None = None
        self.asked = 0
        self.seconds = 0.0

    async def run(
        self,
        lanes: Mapping[str, Lane],
        rows: Iterable[Row],
        records: Mapping[str, dict[int, Record]],
        *,
        enough: Callable[[int], bool] = lambda n: False,
        cacheable: bool = False,
    ) -> None:
        """Every lane over its rows; what `records` has is not asked again, and what is asked is added to it.

        `enough` is told of each record's row, and says whether no further row is of use. `cacheable`: answers may come
        from the cache, as those of a judge, whose time nobody measures. What ends a run (a refused
        key, a spent budget, a full disk) is raised, after the calls in flight.
        """
        calls = (
            (name, row)
            for name, row in interleaved(list(lanes), rows)
            if row.n not in records[name] and _wanted(lanes[name], row)
        )
        clock = asyncio.get_running_loop().time
        began = clock()
        over = False
        begun: set[int] = set()

        def next_call() -> tuple[str, Row] | None:
            for name, row in calls:
                if self._stopped is not None or self._interrupted():
                    return None
                if over and row.n not in begun:
                    continue  # rows that were begun are ended, so that each is whole
                begun.add(row.n)
                return name, row
            return None

        async def one(name: str, row: Row, due: float) -> None:
            nonlocal over
            try:
                record = await self._one(lanes[name], row, max(0.0, clock() - due), cacheable)
                lanes[name].keep(record)
                records[name][row.n] = record
                self.asked += 1
                over = over or enough(row.n)
            except TrivetError as error:
                self._stopped = self._stopped or error

        async with asyncio.TaskGroup() as group:
            if self._rate is not None:
                await self._paced(group, next_call, one, self._rate)
            else:
                for _ in range(self._workers):
                    group.create_task(_crew(next_call, one, clock))
        self.seconds += clock() - began
        if self._stopped is not None:
            raise self._stopped

    async def _paced(
        self,
        group: asyncio.TaskGroup,
        next_call: Callable[[], tuple[str, Row] | None],
        one: Callable[[str, Row, float], Awaitable[None]],
        rate: float,
    ) -> None:
        """Each call at its moment, whatever became of those before it."""
        clock = asyncio.get_running_loop().time
        start, number = clock(), 0
        while (call := next_call()) is not None:
            due = start + number / rate
            number += 1
            if due > clock():
                await asyncio.sleep(due - clock())
            group.create_task(_awaited(one(*call, due)))

    async def _one(self, lane: Lane, row: Row, late: float, cacheable: bool) -> Record:
        task = lane.task
        outcome = await outcome_of(
            task,
            row,
            self._ask,
            model=model_of(task, self._model),
            cacheable=cacheable,
            label=str(row.n),
            journal=lane.journal,
            stream=self._stream,
        )
        if isinstance(outcome.error, RequestError) and outcome.error.fatal:
            raise outcome.error
        record = record_of(row, row.n, outcome, (), self._now(), tags=self._tags)
        return record if self._rate is None else replace(record, queued=record.queued + late)


def model_of(task: Task, default: str) -> str:
    """The model that a task is asked of."""
    return task.plan.model or task.model or default


async def _crew(
    next_call: Callable[[], tuple[str, Row] | None],
    one: Callable[[str, Row, float], Awaitable[None]],
    clock: Callable[[], float],
) -> None:
    while (call := next_call()) is not None:
        await one(*call, clock())


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _wanted(lane: Lane, row: Row) -> bool:
    return lane.rows is None or row.n in lane.rows


def _watching(ask: Ask) -> Ask:
    """The same for requests of streamed answers, whose events nobody reads but for their times."""

    async def streamed(request: Request) -> Reply:
        return await ask(replace(request, watch=_unread))

    return streamed


def _unread(_: Event) -> None:
    """What is done with an event of a streamed answer."""
