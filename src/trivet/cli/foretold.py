"""What `trivet explain` foretold of a run, and what the run teaches for the next time."""

from __future__ import annotations

from dataclasses import dataclass

from trivet.client.client import AsyncClient
from trivet.explanation.memory import Memory, work_of
from trivet.jobs.rows import Source
from trivet.jobs.select import Selection
from trivet.settings import cache_folder
from trivet.summary import Predicted, Summary
from trivet.tasks.task import Task

FOLDER = "forecasts"
"""In the user's cache folder: where limits, speeds and predictions are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """A run's place in the memory."""

    memory: Memory
    task: Task
    calls: AsyncClient
    work: str | None

    @classmethod
    def of(cls, task: Task, source: Source, selection: Selection, calls: AsyncClient) -> Foretold:
        """The place of this task over these rows at this server."""
        work = work_of(task, source, selection, task.model_for(), calls.endpoint)
        return cls(memory=Memory(cache_folder() / FOLDER), task=task, calls=calls, work=work)

    def predicted(self) -> Predicted | None:
        """What was foretold, if anything."""
        return None if self.work is None else self.memory.predicted(self.work)

    def learn(self, summary: Summary) -> None:
        """Remember the limits that were told and how long replies took; what was foretold has come to pass or not."""
        if self.work is not None and not summary.interrupted:
            self.memory.forget_predicted(self.work)
        model = self.task.model_for()
        self.memory.learn_limits(self.calls, model)
        self.memory.keep_pace(self.calls.endpoint, model, self.task, summary)
