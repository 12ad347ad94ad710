"""A run that keeps nothing on disk: the same three calls as a `Job`, for those who asked for no folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

from trivet.jobs.feed import feed
from trivet.jobs.job import READ_AHEAD, JobConfig
from trivet.jobs.rows import Row, Source
from trivet.jobs.summary import Totals
from trivet.records import Record
from trivet.summary import Summary


class Unkept:
    """Counts, and forgets."""

    def __init__(self, config: JobConfig, source: Source) -> None:
        self.config = config
        self._source = source
        self._totals = Totals()

    def rows(self) -> AsyncIterator[Row]:
        """All rows."""
        return feed(self._source, READ_AHEAD)

    journal = None
    """Nothing is written down before it is sent either."""

    def keep(self, record: Record) -> None:
        """Count a record."""
        self._totals.add(record)

    def finish(self, *, wall_s: float, interrupted: bool, now: float) -> Summary:
        """The summary of what was counted."""
        return self._totals.summary(
            run=self.config.task_name,
            task=self.config.task_name,
            model=self.config.model,
            provider=self.config.provider,
            wall_s=wall_s,
            interrupted=interrupted,
            results=None,
            now=now,
        )
