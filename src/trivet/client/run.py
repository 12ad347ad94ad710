"""A task over rows, as it runs: results as they come, in input order, and the summary at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from trivet.client.door import Door
from trivet.engine.flights import Flights
from trivet.errors import RunError, TrivetError
from trivet.jobs.job import Job
from trivet.jobs.ordering import Ordering
from trivet.jobs.rows import Row
from trivet.jobs.runner import Progress, Result, Runner, RunnerConfig
from trivet.jobs.unkept import Unkept
from trivet.markup import tag
from trivet.summary import Summary, summary_html
from trivet.tasks.task import Task
from trivet.types import Reply, Request

WINDOW = 6000
"""Rows that may be under way or wait to be read: what bounds memory, and what one slow row can hold up."""

GRACE = 10.0
"""Seconds that rows in flight get when a run is stopped: they are being paid for."""


class AsyncRun:
    """A run under way. `async for result in run` gives results in input order; `await run.summary` the end.

    When something ends the run before its rows (a refused key, a spent budget), what has finished comes first
    and the error is raised then; the summary is there all the same. Whoever asks for the summary while
    results are unread gives those up.
    """

    def __init__(
        self,
        task: Task,
        ask: Callable[[Request], Awaitable[Reply]],
        config: RunnerConfig,
        job: Job | Unkept,
        wants_more: Callable[[], bool],
    ) -> None:
        self._job = job
        self._runner = Runner(
            task,
            ask,
            config,
            keep=job.keep,
            journal=job.journal,
            publish=self._publish,
            wants_more=wants_more,
            now=time.time,
        )
        self._ordering: Ordering[Result] = Ordering()
        self._room = asyncio.Semaphore(WINDOW)
        self._results: asyncio.Queue[Result | None] = asyncio.Queue()
        self._discarding = False
        self._flights: Flights[Summary] = Flights()
        self._flight = self._flights.start(b"run", self._work)

    @property
    def folder(self) -> Path | None:
        """Where the run's records are, if they are kept."""
        return self._job.folder if isinstance(self._job, Job) else None

    @property
    def summary(self) -> Awaitable[Summary]:
        """The whole run in figures; waits for the end."""
        return self.end()

    def progress(self) -> Progress:
        """Counts at this moment."""
        return self._runner.progress()

    def stop(self) -> None:
        """Start no more rows; those in flight get a short while to finish."""
        self._runner.stop()

    async def __aiter__(self) -> AsyncIterator[Result]:
        """Results in input order."""
        while batch := await self.batch():
            for result in batch:
                yield result

    async def batch(self) -> list[Result]:
        """All results that are ready, at least one; none at the end. Raises what ended the run too early."""
        first = await self._results.get()
        ready = []
        while first is not None:
            ready.append(first)
            self._room.release()
            if self._results.empty():
                return ready
            first = self._results.get_nowait()
        self._results.put_nowait(None)  # the end stays the end, however often it is asked for
        if not ready:
            await asyncio.shield(self._flight)
            stopped = self._runner.stopped
            if stopped is not None and self._runner.interrupted:
                raise stopped.copy() if isinstance(stopped, TrivetError) else stopped
        return ready

    async def _work(self) -> Summary:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with aclosing(self._admitted()) as rows:
                await self._runner.run(rows, GRACE)
        finally:
            for result in self._ordering.rest():
                self._hand_out(result)
            self._results.put_nowait(None)
        interrupted = self._runner.interrupted
        return self._job.finish(wall_s=clock() - began, interrupted=interrupted, now=time.time())

    async def _admitted(self) -> AsyncGenerator[Row, None]:
        async for row in self._job.rows():
            await self._room.acquire()
            self._ordering.begin(row.n)
            yield row

    async def _publish(self, result: Result) -> None:
        for ready in self._ordering.finish(result.n, result):
            self._hand_out(ready)

    def _hand_out(self, result: Result) -> None:
        if self._discarding:
            self._room.release()
        else:
            self._results.put_nowait(result)

    async def end(self) -> Summary:
        """The same as `summary`, as a coroutine."""
        self._discarding = True
        while not self._results.empty():
            if self._results.get_nowait() is not None:
                self._room.release()
        if self._flight.done():
            self._results.put_nowait(None)
        return await asyncio.shield(self._flight)

    async def close(self) -> None:
        """Stop, and wait until what was in flight has ended."""
        self.stop()
        await asyncio.wait([self._flight])

    def frame(self) -> Any:
        """All calls on record so far as a pandas DataFrame; `MissingExtra` without pandas."""
        if self.folder is None:
            raise RunError("a run with folder=None keeps no records to make a data frame of")
        from trivet.reporting.table import frame

        return frame(self.folder)

    def _repr_html_(self) -> str:
        if self._flight.done() and not self._flight.cancelled() and self._flight.exception() is None:
            return summary_html(self._flight.result())
        seen = self.progress()
        counts = f"{seen.finished:,} rows finished, {seen.failed:,} failed; still running"
        return tag("p", counts)

    def __repr__(self) -> str:
        seen = self.progress()
        return f"{type(self).__name__}(finished={seen.finished}, failed={seen.failed})"


class Run:
    """A run under way, for blocking code: `for result in run`, then `run.summary`."""

    def __init__(self, run: AsyncRun, door: Door) -> None:
        self._run = run
        self._door = door

    def __iter__(self) -> Iterator[Result]:
        """Results in input order; see `AsyncRun`."""
        while batch := self._door.call(self._run.batch()):
            yield from batch

    @property
    def summary(self) -> Summary:
        """The whole run in figures; waits for the end."""
        return self._door.call(self._run.end())

    @property
    def folder(self) -> Path | None:
        """Where the run's records are, if they are kept."""
        return self._run.folder

    def progress(self) -> Progress:
        """Counts at this moment."""
        return self._run.progress()

    def stop(self) -> None:
        """Start no more rows; those in flight get a short while to finish."""

        async def stop() -> None:
            self._run.stop()

        self._door.call(stop())

    def frame(self) -> Any:
        """All calls on record so far as a pandas DataFrame; `MissingExtra` without pandas."""
        return self._run.frame()

    def _repr_html_(self) -> str:
        return self._run._repr_html_()

    def __repr__(self) -> str:
        return repr(self._run).replace("AsyncRun", "Run", 1)
