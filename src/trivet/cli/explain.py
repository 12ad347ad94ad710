"""`trivet explain`: what a run will cost and take, before a cent is spent."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trivet.cli.collector import collect_less
from trivet.cli.connect import SIMULATED_TIER, client, server, unasked
from trivet.cli.foretold import FOLDER
from trivet.cli.options import CallOptions, DataOptions, TaskOptions, check_seed
from trivet.cli.run import check_mapping, load_task, open_data
from trivet.cli.show import document, note, say
from trivet.client.door import new_loop
from trivet.errors import SettingsError
from trivet.explanation import deadline as deadlines
from trivet.explanation.explain import ExplainConfig, explain_async
from trivet.explanation.result import Explanation
from trivet.jobs.rows import Source
from trivet.settings import cache_folder
from trivet.tasks.task import Task

TOLD_EVERY = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainOptions:
    """Everything `trivet explain` was told."""

    task: TaskOptions
    data: DataOptions
    calls: CallOptions
    usage_tier: int | None
    deadline: str | None
    pilot: int | None
    as_json: bool

    def __post_init__(self) -> None:
        check_seed(self.data, self.calls)
        if self.pilot is None and (self.calls.budget or self.calls.timeout):
            raise SettingsError("--budget and --timeout are for --pilot: without it nothing is asked")
        if self.pilot is not None and self.calls.cache_url() is None:
            raise SettingsError("--pilot keeps its answers for the run, and needs a cache: leave out --cache off")


def execute(options: ExplainOptions) -> int:
    """Explain; the exit code."""
    task = load_task(options.task)
    source, selection = open_data(options.data)
    check_mapping(task, selection)
    task.fields()
    config = ExplainConfig(
        usage_tier=options.usage_tier,
        simulated_tier=SIMULATED_TIER if options.calls.sim else None,
        deadline=None if options.deadline is None else deadlines.parse(options.deadline, datetime.now()),
        pilot=options.pilot or 0,
        selection=selection,
        memory=cache_folder() / FOLDER,
        tick=_told if sys.stderr.isatty() else None,
        name=options.task.task,
    )
    collect_less()
    reached = unasked if options.pilot is None else server
    with reached(options.calls) as where, asyncio.Runner(loop_factory=new_loop) as loop:
        explanation = loop.run(_explain(options, task, source, where, config))
    if options.as_json:
        document(explanation)
    else:
        say(str(explanation))
    return 1 if explanation.pilot is not None and explanation.pilot.failed else 0


async def _explain(
    options: ExplainOptions, task: Task, source: Source, where: dict[str, Any], config: ExplainConfig
) -> Explanation:
    calls = client(options.calls, where, cache=options.calls.cache_url())
    try:
        await calls.reach()
        return await explain_async(task, source, calls, config)
    finally:
        await calls.close()


def _told(rows: int) -> None:
    if rows % TOLD_EVERY == 0:
        note(f"trivet: {rows:,} rows read")
