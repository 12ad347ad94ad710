"""`trivet compare`: variants side by side, with a verdict."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.cli.collector import collect_less
from trivet.cli.connect import client, server
from trivet.cli.log import log_to
from trivet.cli.options import CallOptions, DataOptions, TaskOptions, check_seed, listed
from trivet.cli.run import open_data, overridden
from trivet.cli.show import document, say
from trivet.client.door import new_loop
from trivet.comparison.compare import CompareConfig, compare_async
from trivet.comparison.result import Comparison, table, verdicts
from trivet.errors import SettingsError, TaskError
from trivet.jobs.rows import Source
from trivet.tasks import file as task_file
from trivet.tasks.near import did_you_mean
from trivet.tasks.task import Task
from trivet.wording import SIMULATED


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """Everything `trivet compare` was told."""

    task: TaskOptions
    data: DataOptions
    calls: CallOptions
    variants: str | None
    truth: str | None
    margin: float
    time_alone: bool
    runs: Path
    log: Path | None
    as_json: bool

    def __post_init__(self) -> None:
        check_seed(self.data, self.calls)
        if not 0 <= self.margin < 1:
            raise SettingsError(f"--margin {self.margin:g}: a part of the whole, like 0.02 for two points in a hundred")


def execute(options: CompareOptions) -> int:
    """Compare; the exit code."""
    tasks = _variants(options)
    source, _ = open_data(options.data)
    if options.log is not None:
        log_to(options.log)
    config = CompareConfig(
        truth=options.truth,
        margin=options.margin,
        time_alone=options.time_alone,
        folder=options.runs,
        name=f"{Path(options.task.task).stem}-compare",
        task=options.task.task,
    )
    collect_less()
    with server(options.calls) as where, asyncio.Runner(loop_factory=new_loop) as loop:
        comparison = loop.run(_compare(options, tasks, source, where, config))
    if options.as_json:
        document(comparison)
    else:
        _show(comparison)
    return 1 if any(variant.failed for variant in comparison.variants.values()) else 0


async def _compare(
    options: CompareOptions,
    tasks: dict[str, Task],
    source: Source,
    where: dict[str, Any],
    config: CompareConfig,
) -> Comparison:
    async with client(options.calls, where, cache=None) as calls:
        return await compare_async(tasks, source, calls, config)


def _variants(options: CompareOptions) -> dict[str, Task]:
    known = task_file.variants(options.task.task, allow_code=options.task.allow_code)
    names = list(known)
    if options.variants is not None:
        names = list(listed("--variants", options.variants))
    own_name = next(iter(known))
    tasks = {}
    for name in names:
        found = known.get(own_name if name == "base" else name)
        if found is None:
            raise TaskError(
                f"{options.task.task} has no variant {name!r}{did_you_mean(name, known)}: it has {', '.join(known)}"
            )
        tasks[name] = overridden(found, options.task)
    if len(tasks) < 2:
        raise TaskError(f"{options.task.task}: a comparison takes two variants at least; it has {', '.join(known)}")
    return tasks


def _show(comparison: Comparison) -> None:
    for text in table(comparison):
        say(text)
    if comparison.simulated:
        say(SIMULATED)
    say()
    for text in verdicts(comparison):
        say(text)
