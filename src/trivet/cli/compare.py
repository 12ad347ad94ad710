"""`trivet compare`: variants side by side, with a verdict; and one step of improving a task."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.cli.collector import collect_less
from trivet.cli.connect import client, server
from trivet.cli.log import log_to
from trivet.cli.options import CallOptions, DataOptions, TaskOptions
from trivet.cli.run import open_data
from trivet.cli.show import document, note, say
from trivet.cli.variants import Chosen, chosen
from trivet.client.door import new_loop
from trivet.comparison import experiments
from trivet.comparison.compare import compare_async
from trivet.comparison.config import CompareConfig
from trivet.comparison.result import Comparison
from trivet.comparison.scoring import JUDGES, named, scorer_of
from trivet.comparison.words import notes, table, verdicts
from trivet.errors import SettingsError
from trivet.jobs.rows import Source
from trivet.settings import duration
from trivet.tasks import edit
from trivet.wording import SIMULATED


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """Everything `trivet compare` was told."""

    task: TaskOptions
    data: DataOptions
    calls: CallOptions
    variants: str | None
    models: str | None
    tries: tuple[str, ...]
    keep_proven: bool
    truth: str | None
    scorer: str | None
    margin: float
    alpha: float
    control: int | None
    stream: bool
    rate: float | None
    objective: str | None
    time_alone: bool
    every_row: bool
    calibrate: bool
    fresh: bool
    runs: Path
    log: Path | None
    as_json: bool

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1:
            raise SettingsError(f"--margin {self.margin:g}: a part of the whole, like 0.02 for two points in a hundred")
        if not 0 < self.alpha < 0.5:
            raise SettingsError(f"--alpha {self.alpha:g}: a level between 0 and 0.5, like 0.05")
        if self.keep_proven and not self.tries:
            raise SettingsError("--keep writes a change into the task file: name one with --try key=value")
        if self.calls.cache not in (None, "off") and (self.scorer or "").partition(":")[0] not in JUDGES:
            raise SettingsError("--cache does nothing in a comparison without a judge: its answers are never cached")


def execute(options: CompareOptions) -> int:
    """Compare; the exit code."""
    if options.keep_proven:
        edit.ready()
    found = chosen(options.task, options.variants, options.models, options.tries)
    config = _config(options)
    source, _ = open_data(options.data)
    if options.log is not None:
        log_to(options.log)
    collect_less()
    with server(options.calls) as where, asyncio.Runner(loop_factory=new_loop) as loop:
        comparison = loop.run(_compare(options, found, source, where, config))
    kept = None if comparison.interrupted else _step(options, found, comparison)
    if options.as_json:
        document(comparison)
    else:
        _show(comparison)
    if kept is not None:
        note(f"trivet: {kept}")
    if comparison.interrupted:
        note("trivet: interrupted; the same command again takes the comparison up where it stopped")
        return 130
    return 1 if any(variant.failed for variant in comparison.variants.values()) else 0


def _config(options: CompareOptions) -> CompareConfig:
    scorer: Any = options.scorer
    if options.scorer is not None:
        folder = Path(options.task.task).parent
        scorer = named(options.scorer, allow_code=options.task.allow_code, folder=folder)
        scorer_of(scorer)
    return CompareConfig(
        truth=options.truth,
        scorer=scorer,
        margin=options.margin,
        alpha=options.alpha,
        seed=options.data.seed or 0,
        control=options.control,
        stream=options.stream,
        rate=options.rate,
        objective=None if options.objective is None else duration(options.objective),
        time_alone=options.time_alone,
        calibrate=options.calibrate,
        stop_early=not options.every_row,
        folder=options.runs,
        fresh=options.fresh,
        name=f"{Path(options.task.task).stem}-compare",
        task=options.task.task,
    )


async def _compare(
    options: CompareOptions, found: Chosen, source: Source, where: dict[str, Any], config: CompareConfig
) -> Comparison:
    judged = (options.scorer or "").partition(":")[0] in JUDGES
    async with client(options.calls, where, cache=options.calls.cache_url() if judged else None) as calls:
        with _stopping_on_signals() as interrupted:
            return await compare_async(found.tasks, source, calls, config, interrupted=interrupted)


@contextmanager
def _stopping_on_signals() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C (or SIGTERM) stops in order, the second at once."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked and main is not None:
            main.cancel()
        asked = True
        note("trivet: stopping; calls in flight may finish (Ctrl-C again to leave at once)")

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield lambda: asked
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _step(options: CompareOptions, found: Chosen, comparison: Comparison) -> str | None:
    """Note what each change came to, and keep the best one that is proven, if that was asked."""
    if not found.changes:
        return None
    kept = experiments.best(comparison, list(found.changes)) if options.keep_proven else None
    path = Path(options.task.task)
    if kept is not None:
        change = found.changes[kept]
        edit.write(
            path,
            found.baseline_variant,
            change.path,
            change.value,
            wanted=found.written[kept],
            allow_code=options.task.allow_code,
        )
    steps = experiments.place_of(path)
    experiments.append(steps, comparison, found.changes, found.tasks, kept, data=options.data.data, at=time.time())
    if kept is not None:
        made_up = " (on simulated answers)" if comparison.simulated else ""
        return f"kept {kept} in {path}{made_up}; the steps are in {steps}"
    return f"{experiments.refusal(comparison, list(found.changes))}; the steps are in {steps}" \
        if options.keep_proven else f"noted in {steps}"  # fmt: skip


def _show(comparison: Comparison) -> None:
    for text in table(comparison):
        say(text)
    if comparison.simulated:
        say(SIMULATED)
    say()
    for text in (*notes(comparison), *verdicts(comparison)):
        say(text)
    if comparison.folder is not None:
        note(f"trivet: every record is in {comparison.folder}")
