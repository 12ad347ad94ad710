"""Asks every variant every row, interleaved in time and never from the cache.

Row by row the variants take turns in going first (A B, B A, ...), so that a drift of the provider hits all of
them alike; the cache and shared flights are bypassed, because a hit's time is not the provider's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from trivet.errors import MachineError, RequestError, TrivetError
from trivet.jobs.recording import outcome_of, record_of
from trivet.jobs.rows import Row
from trivet.records import Record
from trivet.tasks.task import Task
from trivet.types import Reply, Request

Ask = Callable[[Request], Awaitable[Reply]]
Keep = Callable[[str, Record], None]


def interleaved(names: Sequence[str], rows: Iterable[Row]) -> Iterable[tuple[str, Row]]:
    """Every variant with every row, each variant first equally often."""
    turns = deque(names)
    for row in rows:
        yield from [(name, row) for name in turns]
        turns.rotate(-1)


class Measurement:
    """One comparison's calls. `keep` writes a record to disk before it is counted; `now`: Unix time."""

    def __init__(
        self,
        tasks: Mapping[str, Task],
        ask: Ask,
        *,
        model: str,
        keep: Keep,
        workers: int,
        now: Callable[[], float],
    ) -> None:
        self._tasks = tasks
        self._ask = ask
        self._model = model
        self._keep = keep
        self._workers = workers
        self._now = now
        self.records: dict[str, dict[int, Record]] = {name: {} for name in tasks}
        self.asked = 0

    async def together(self, rows: Sequence[Row]) -> None:
        """All variants over the rows, interleaved. What ends a run (a refused key, a spent budget) is raised."""
        await self._all(interleaved(list(self._tasks), rows), self.records)

    async def alone(self, name: str, rows: Sequence[Row]) -> float:
        """One variant over the rows by itself: the seconds that takes. Its answers are not counted twice."""
        clock = asyncio.get_running_loop().time
        began = clock()
        await self._all(((name, row) for row in rows), {name: {}})
        return clock() - began

    async def _all(self, pairs: Iterable[tuple[str, Row]], records: Mapping[str, dict[int, Record]]) -> None:
        waiting = iter(pairs)
        stopped: list[TrivetError] = []

        async def work() -> None:
            for name, row in waiting:
                if stopped:
                    return
                try:
                    record = await self._one(name, row)
                    self._keep(name, record)  # a pass alone is kept too: the later record of a row counts
                except (RequestError, MachineError) as error:
                    stopped.append(error)
                    return
                records[name][row.n] = record
                self.asked += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(work())
        if stopped:
            raise stopped[0]

    async def _one(self, name: str, row: Row) -> Record:
        task = self._tasks[name]
        model = task.plan.model or task.model or self._model
        outcome = await outcome_of(task, row, self._ask, model=model, cacheable=False, label=f"{name}:{row.n}")
        if isinstance(outcome.error, RequestError) and outcome.error.fatal:
            raise outcome.error
        return record_of(row, row.n, outcome, (), self._now())
