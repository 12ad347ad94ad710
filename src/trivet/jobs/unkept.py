"""A run that keeps nothing on disk: the same three calls as a `Job`, for those who asked for no folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

from trivet.jobs.feed import feed
from trivet.jobs.intents import InFlight, mark_of
from trivet.jobs.job import READ_AHEAD, JobConfig
from trivet.jobs.rows import Row, Source
from trivet.jobs.summary import Totals
from trivet.records import Record
from trivet.summary import Summary
from trivet.types import Attempt, Request


class Unkept:
    """Counts, and forgets."""

    def __init__(self, config: JobConfig, source: Source) -> None:
        self.config = config
        self._source = source
        self._totals = Totals()
        self._in_flight = InFlight()

    def rows(self) -> AsyncIterator[Row]:
        """All rows."""
        return feed(self._source, READ_AHEAD)

    def journal(self, request: Request, attempt: Attempt | None) -> None:
        """Note what is sent: of a row over which the run is stopped nothing else tells."""
        self._in_flight.mark(mark_of(request, attempt))

    def keep(self, record: Record) -> None:
        """Count a record."""
        self._in_flight.settle(record.n)
        self._totals.add(record)

    def finish(self, *, wall_s: float, interrupted: bool, now: float) -> Summary:
        """The summary of what was counted."""
        for record in self._in_flight.unfinished():
            self._totals.add_replaced(record)
        return self._totals.summary(
            run=self.config.task_name,
            task=self.config.task_name,
            model=self.config.model,
            provider=self.config.provider,
            wall_s=wall_s,
            lost=len(self._in_flight),
            interrupted=interrupted,
            results=None,
            now=now,
        )
