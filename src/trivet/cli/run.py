"""`trivet run`: a task over a dataset, with progress, results and a summary."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from trivet.cli import progress
from trivet.cli.collector import collect_less
from trivet.cli.connect import client, server
from trivet.cli.foretold import Foretold
from trivet.cli.log import LogFile, log_to
from trivet.cli.options import CallOptions, DataOptions, TaskOptions, check_seed, once
from trivet.cli.show import document, note, say
from trivet.cli.stopping import signals_given_back, stopping
from trivet.client.client import AsyncClient
from trivet.client.door import new_loop
from trivet.client.today import today
from trivet.engine.shared_account import SharedAccount
from trivet.errors import BudgetError, DataError, MachineError, SettingsError, TrivetError, UsageError
from trivet.jobs.job import Job, JobConfig
from trivet.jobs.rows import Source
from trivet.jobs.runner import Runner, RunnerConfig
from trivet.jobs.select import Selection, parse_shard, select
from trivet.jobs.sources import open_source
from trivet.records import Failure
from trivet.summary import Summary
from trivet.tasks import file as task_file
from trivet.tasks.task import Task
from trivet.wording import plain

GRACE = 10.0
"""Seconds that calls in flight get after the first Ctrl-C: they are being paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Everything `trivet run` was told."""

    task: TaskOptions
    data: DataOptions
    calls: CallOptions
    out: Path | None
    runs: Path
    fresh: bool
    retry_failed: bool
    dry_run: bool
    durable: bool
    keep_going: bool
    log: Path | None
    as_json: bool

    def __post_init__(self) -> None:
        if self.fresh and self.retry_failed:
            raise SettingsError("--fresh and --retry-failed exclude each other: start over, or mend what failed?")
        check_seed(self.data, self.calls)


def load_task(options: TaskOptions) -> Task:
    """The task as the file and the command line say."""
    task = task_file.load(options.task, options.variant, allow_code=options.allow_code)
    return overridden(task, options)


def overridden(task: Task, options: TaskOptions) -> Task:
    """The task with what the command line changes of it."""
    pairs = [pair.partition("=") for pair in options.param]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise SettingsError(f"--param {name}: write it as key=value, like --param max_output_tokens=16")
    once("--param", [name for name, _, _ in pairs])
    params = {name: value for name, _, value in pairs}
    return task_file.override(task, model=options.model, params=params, tier=options.tier)


def check_mapping(task: Task, selection: Selection) -> None:
    """`--map` names what the prompt uses, or it would do nothing."""
    used = (*task.columns, *task.optional_columns)
    for name in selection.map:
        if name not in used:
            raise SettingsError(
                f"--map {name}={selection.map[name]}: the prompt uses no {name!r}; it uses {', '.join(used)}"
            )


def open_data(options: DataOptions) -> tuple[Source, Selection]:
    """The rows that the options select."""
    selection = Selection(
        first=options.first,
        sample=options.sample,
        seed=options.seed or 0,
        shard=None if options.shard is None else parse_shard(options.shard),
        map=options.mapping(),
        id=options.id,
        keep=options.kept(),
    )
    source = open_source(options.data, format=options.format, stdin=sys.stdin.buffer)
    return select(source, selection), selection


def execute(options: RunOptions) -> int:
    """Run; the exit code."""
    task = load_task(options.task)
    source, selection = open_data(options.data)
    check_mapping(task, selection)
    task.fields()  # what the provider is known to refuse is refused here
    log = None if options.log is None else log_to(options.log)
    if options.dry_run:
        return _dry_run(task, source, as_json=options.as_json)
    collect_less()
    with signals_given_back():
        with server(options.calls) as where, asyncio.Runner(loop_factory=new_loop) as loop:
            summary, stopped = loop.run(_run(options, task, source, selection, where, log))
        if options.as_json:
            document(replace(summary, error=_failure(stopped)) if stopped and summary.interrupted else summary)
        else:
            say(str(summary))
        sys.stdout.flush()
        return _code(summary, stopped, resumable=options)


@asynccontextmanager
async def _connected(
    options: CallOptions, where: dict[str, Any], lost: list[MachineError]
) -> AsyncGenerator[AsyncClient, None]:
    """The client; a cache that can't be closed in order goes into `lost`, and takes no result along."""
    calls = client(options, where, cache=options.cache_url())
    try:
        await calls.reach()
        yield calls
    finally:
        try:
            await calls.close()
        except MachineError as error:
            lost.append(error)


async def _run(
    options: RunOptions, task: Task, source: Source, selection: Selection, where: dict[str, Any], log: LogFile | None
) -> tuple[Summary, Exception | None]:
    lost: list[MachineError] = []
    async with _connected(options.calls, where, lost) as calls:
        job = Job.open(_job_config(options, task, selection, calls), task, source, time.time())
        shared = await _account(job, calls, selection)
        if not options.as_json:
            note(_opening(job, task, calls, source))
        if job.lost:
            note(_lost(job.lost))
        runner = Runner(
            task,
            calls.ask,
            RunnerConfig(
                model=task.model_for(),
                workers=2 * calls.concurrency,
                id_column=selection.id,
                kept_columns=selection.keep,
                tags=calls.tags,
                keep_going=options.keep_going,
            ),
            keep=job.keep,
            journal=job.journal,
            publish=None,
            wants_more=calls.wants_more,
            now=time.time,
        )
        if log is not None:
            log.on_failure = partial(asyncio.get_running_loop().call_soon_threadsafe, runner.stop)
        clock = asyncio.get_running_loop().time
        began, rate, total = clock(), progress.Rate(), source.count()
        try:
            with stopping(runner.stop):
                async with asyncio.TaskGroup() as group:
                    showing = group.create_task(
                        progress.show(lambda: _moment(runner, job, calls, total, rate.of, clock()))
                    )
                    await runner.run(job.rows(), GRACE)
                    showing.cancel()
            foretold = Foretold.of(task, source, selection, calls)
            said = None if job.resumed or runner.interrupted else foretold.predicted()
            took = clock() - began
            summary = job.finish(wall_s=took, interrupted=runner.interrupted, now=time.time(), predicted=said)
            foretold.learn(summary)
            if shared is not None:
                await shared.close(done=not summary.interrupted)
        finally:
            job.close()
    return summary, runner.stopped or next(iter(lost), None)


async def _account(job: Job, calls: AsyncClient, selection: Selection) -> SharedAccount | None:
    """Have earlier spend counted: by this process, or where shards share a budget, by their common books."""
    earlier = job.spent(calls.prices, today()) if job.resumed else Decimal(0)
    budget = calls.account.budget
    if calls.together is None or selection.shard is None or budget is None:
        calls.account.spend(earlier)
        return None
    part = "{}/{}".format(*selection.shard)
    shared = calls.together.account(job.whole, budget, part=part, token=job.token, earlier=earlier)
    calls.share_budget(shared)
    try:
        await shared.open()
    except BaseException:
        job.close()
        raise
    return shared


def _opening(job: Job, task: Task, calls: AsyncClient, source: Source) -> str:
    """What is about to happen, in one line."""
    rows = source.count()
    many = "rows" if rows is None else f"{rows:,} rows"
    where = "the simulated provider" if calls.endpoint.simulated is not None else calls.endpoint.host
    done = f"; taking up {job.folder}, where {job.finished_before:,} are done" if job.finished_before else ""
    return f"trivet: {many}, {task.model_for()} at {where}, up to {calls.concurrency:,} calls at once{done}"


def _lost(calls: int) -> str:
    """What a crash left open, in one sentence."""
    were = "1 call was" if calls == 1 else f"{calls:,} calls were"
    return (
        f"trivet: {were} in flight when this run was cut off, and may have been billed without an answer; "
        "their rows are asked again, and a budget counts them at their worst case"
    )


def _job_config(options: RunOptions, task: Task, selection: Selection, calls: AsyncClient) -> JobConfig:
    simulated = calls.endpoint.simulated is not None
    return JobConfig(
        task_name=options.task.task,
        variant=options.task.variant or "base",
        model=task.model_for(),
        server="simulated" if simulated else calls.endpoint.base_url,
        provider="simulated" if simulated else calls.endpoint.host,
        root=options.runs,
        out=options.out,
        selection=selection,
        fresh=options.fresh,
        retry_failed=options.retry_failed,
        durable=options.durable,
    )


def _moment(
    runner: Runner,
    job: Job,
    calls: AsyncClient,
    total: int | None,
    rate: Callable[[int, float], float],
    now: float,
) -> progress.Moment:
    rows, layers, books = runner.progress(), calls.moment(), calls.books()
    return progress.Moment(
        finished=rows.finished,
        before=job.finished_before,
        total=total,
        failed=rows.failed,
        hits=rows.hits,
        rate=rate(rows.finished, now),
        retries=layers.retry.after_failures,
        backing_off=layers.retry.waiting,
        limit=layers.limit,
        spent=books.settled,
        budget=books.budget,
        cost=layers.meter.cost,
        unpriced=layers.meter.unpriced,
    )


def _failure(stopped: Exception) -> Failure:
    code = stopped.code if isinstance(stopped, TrivetError) else "internal"
    return Failure(code=code, message=plain(str(stopped)))


def _code(summary: Summary, stopped: Exception | None, *, resumable: RunOptions) -> int:
    if not summary.interrupted and isinstance(stopped, MachineError):
        note(f"trivet: {stopped}; the results are whole")
        return 4
    if not summary.interrupted:
        return 1 if summary.failed else 0
    if stopped is None:
        note("trivet: interrupted; the same command again takes the run up where it stopped")
        return 130
    if isinstance(stopped, UsageError):
        raise stopped
    note(f"trivet: stopped: {stopped}")
    note("trivet: the same command again takes the run up where it stopped")
    return 3 if isinstance(stopped, BudgetError) else 4


def _dry_run(task: Task, source: Source, *, as_json: bool) -> int:
    """Show the first request, ask nothing."""
    row = next((row for row in source if row.data is not None), None)
    if row is None or row.data is None:
        raise DataError(f"{source.spec} has no readable row")
    request = task.request(row.data)
    body = (request.head + request.tail).decode()
    if as_json:
        document({"rows": source.count(exact=True), "model": request.model, "first_request": body})
    else:
        rows = source.count(exact=True)
        known = "an unknown number of" if rows is None else f"{rows:,}"
        say(f"{known} rows would be asked of {request.model}; the first one:")
        say(body)
        say("what that would cost, and how long it would take: trivet explain")
    return 0
