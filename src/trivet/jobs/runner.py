"""Rows to results: so many at once, each ended by a result or a reason, on disk before anybody is told.

A feeder reads rows as they are wanted; workers ask, judge and record. What no other row could survive either
(a refused key, a spent budget, a full disk) stops the run: nothing more is sent, what is in flight may finish, and
the rows without a record are asked when the run is resumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from trivet.errors import (
    MachineError,
    ProtocolError,
    RequestError,
    TransportError,
    WithdrawnError,
)
from trivet.jobs import log
from trivet.jobs.alike import Alike
from trivet.jobs.recording import Outcome, Told, outcome_of, record_of
from trivet.jobs.sources import Row
from trivet.records import Failure, Record
from trivet.tasks.task import Task
from trivet.types import Attempt, Journal, Reply, Request

READ_AHEAD = 256
"""Rows read before a worker is free for them."""

UNREACHED_ROWS = 5
"""So many rows may fail on the wire before a server that has never answered is taken for unreachable."""

SILENCE = 1.0
"""Seconds without a reply to any row after which a server that refuses connections is taken for gone."""


class Result(Struct, frozen=True, kw_only=True):
    """What a row became: `output` or `error`. `row`: its data; `reply`: the call behind it, where there is one."""

    id: int | str
    n: int
    row: dict[str, Any] | None
    output: Any = None
    error: Failure | None = None
    reply: Reply | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a result."""
        return self.error is None


class Progress(Struct, frozen=True, kw_only=True):
    """A run at this moment: rows started and finished; of the finished, those ok, failed, and not sent."""

    started: int
    finished: int
    ok: int
    failed: int
    hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerConfig:
    """`workers` rows at once at most; `id_column` names rows, `kept_columns` are copied to their records.
    `tags` are put on every record.

    `keep_going`: a failure that befalls row after row does not end the run.
    """

    model: str
    workers: int
    id_column: str | None = None
    kept_columns: tuple[str, ...] = ()
    tags: Mapping[str, str] | None = None
    cacheable: bool = True
    keep_going: bool = False


class Runner:
    """Runs one task over rows.

    `ask` is the engine; `journal` is told of every attempt. `keep` writes a record and returns when it is written,
    and what it returns is waited for; `publish` then hands out the result, and may make the run wait. `wants_more`:
    whether the engine could do with more rows at once than are under way; as long as it says so, another worker
    joins where none is free. `now`: Unix time.
    """

    def __init__(
        self,
        task: Task,
        ask: Callable[[Request], Awaitable[Reply]],
        config: RunnerConfig,
        *,
        keep: Callable[[Record], Awaitable[None] | None],
        journal: Journal | None,
        publish: Callable[[Result], Awaitable[None]] | None,
        wants_more: Callable[[], bool],
        now: Callable[[], float],
    ) -> None:
        self._task = task
        self._ask = ask
        self._config = config
        self._keep = keep
        self._journal = journal
        self._publish = publish
        self._wants_more = wants_more
        self._now = now
        self._rows: asyncio.Queue[Row | None] = asyncio.Queue(maxsize=READ_AHEAD)
        self._stopping = asyncio.Event()
        self._crew: set[asyncio.Task[None]] = set()
        self._idle = 0
        self._fed = self._started = self._ok = self._failed = self._hits = self._wire_failures = 0
        self._all_fed = self._reached = False
        self._replied_at = float("-inf")
        self._alike = Alike()
        self._told = Told()
        self.stopped: Exception | None = None

    async def run(self, rows: AsyncIterator[Row], grace: float) -> None:
        """Until every row has its record, or the run is stopped and rows in flight have had `grace` seconds."""
        async with asyncio.TaskGroup() as group:
            feeder = group.create_task(self._feed(rows))
            guard = group.create_task(self._end_late(grace))
            async with asyncio.TaskGroup() as crew:
                self._join(crew)
            guard.cancel()
            feeder.cancel()

    def _join(self, crew: asyncio.TaskGroup) -> None:
        worker = crew.create_task(self._work(crew))
        self._crew.add(worker)
        worker.add_done_callback(self._crew.discard)

    def stop(self, reason: Exception | None = None) -> None:
        """Send nothing more. The first reason given is the one that counts."""
        self.stopped = self.stopped or reason
        if self._stopping.is_set():
            return
        log.stops(reason)
        self._stopping.set()
        while not self._rows.empty():
            self._rows.get_nowait()
        self._rows.put_nowait(None)  # wakes whoever waits for a row

    @property
    def ended(self) -> bool:
        """Whether every row has come to its end."""
        return self._all_fed and self._fed == self._ok + self._failed

    @property
    def interrupted(self) -> bool:
        """Whether the run was stopped before its rows came to an end."""
        stopped = self._stopping.is_set() or self.stopped is not None
        return stopped and not self.ended

    async def _end_late(self, grace: float) -> None:
        await self._stopping.wait()
        await asyncio.sleep(grace)
        for worker in list(self._crew):
            worker.cancel()

    async def _feed(self, rows: AsyncIterator[Row]) -> None:
        try:
            async for row in rows:
                self._fed += 1
                await self._rows.put(row)
            self._all_fed = True
        except Exception as error:  # noqa: BLE001 - the source is the user's own code: its error is told as it is
            self.stopped = self.stopped or error  # the rows before it are whole, and are still asked
        await self._rows.put(None)

    async def _work(self, crew: asyncio.TaskGroup) -> None:
        while True:
            self._idle += 1
            try:
                row = await self._rows.get()
            finally:
                self._idle -= 1
            if row is None or self._stopping.is_set():
                with suppress(asyncio.QueueFull):  # then there is enough to wake the next worker
                    self._rows.put_nowait(None)
                return
            # one waits for the next row, however slowly rows come
            if not self._idle and len(self._crew) < self._config.workers and self._wants_more():
                self._join(crew)
            self._started += 1
            try:
                outcome = await self._outcome(row)
                if outcome is not None:
                    await self._finish(row, outcome)
            except MachineError as error:
                self.stop(error)

    async def _outcome(self, row: Row) -> Outcome | None:
        """What the row came to; None when the run stops over it, and it is to be asked again."""
        config = self._config
        clock = asyncio.get_running_loop().time
        began = clock()
        outcome = await outcome_of(
            self._task,
            row,
            self._ask,
            model=config.model,
            cacheable=config.cacheable,
            label=str(row.n),
            journal=self._tell,
        )
        if isinstance(outcome.error, WithdrawnError):
            # shared with another run, which was stopped: this one goes on by itself
            return None if self._stopping.is_set() else await self._outcome(row)
        if outcome.reply is not None and outcome.reply.source == "provider":
            self._reached, self._replied_at = True, clock()
        silent = clock() - self._replied_at > SILENCE or self._replied_at < began
        if isinstance(outcome.error, RequestError) and self._ends_run(outcome.error, silent):
            self.stop(outcome.error)
            return None
        return outcome

    def _tell(self, request: Request, attempt: Attempt | None) -> Awaitable[None] | None:
        """Pass on to the journal what is sent; a run that is stopped sends nothing, rows in the queue included."""
        if attempt is None and self._stopping.is_set():
            raise WithdrawnError("the run was stopped before this was sent: take it up again, or ask again")
        return None if self._journal is None else self._journal(request, attempt)

    def _ends_run(self, error: RequestError, silent: bool) -> bool:
        """Whether no other row can fare better, so that going on would only fail them one by one.

        A server that could not be connected to, with all retries, and is `silent` to all others too, is gone.
        One that has never answered in the protocol is not the one that was meant.
        """
        if error.fatal:
            return True
        if isinstance(error, TransportError) and not error.sent and error.kind in ("connect", "tls", "timeout"):
            return silent
        if self._reached or not isinstance(error, TransportError | ProtocolError):
            self._reached = True
            return False
        self._wire_failures += 1
        return not error.retryable or self._wire_failures >= UNREACHED_ROWS

    async def _finish(self, row: Row, outcome: Outcome) -> None:
        column = self._config.id_column
        identity = row.n if column is None or row.data is None else row.data.get(column, row.n)
        if not isinstance(identity, int | str):
            identity = str(identity)
        failure = outcome.failure
        limits = self._told.news(outcome.reply)
        config = self._config
        written = self._keep(record_of(row, identity, outcome, config.kept_columns, self._now(), limits, config.tags))
        if row.data is not None and not config.keep_going:  # a row that can't be read tells of itself alone
            repeated = self._alike.add(failure)
            if repeated is not None:
                self.stop(repeated)
        if written is not None:
            await written
        self._ok += failure is None
        self._failed += failure is not None
        self._hits += outcome.reply is not None and outcome.reply.source != "provider"
        if self._publish is not None:
            result = Result(
                id=identity, n=row.n, row=row.data, output=outcome.output, error=failure, reply=outcome.reply
            )
            await self._publish(result)

    def __repr__(self) -> str:
        return f"Runner(started={self._started}, ok={self._ok}, failed={self._failed})"

    def progress(self) -> Progress:
        """Counts at this moment."""
        return Progress(
            started=self._started,
            finished=self._ok + self._failed,
            ok=self._ok,
            failed=self._failed,
            hits=self._hits,
        )
