"""`compare`: variants over the same rows, from tasks to figures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from trivet.client.blocking import Client
from trivet.client.client import AsyncClient
from trivet.comparison.figures import Answers, compare_figures
from trivet.comparison.measure import Measurement
from trivet.comparison.result import Comparison, drawable
from trivet.errors import DataError, RequestError, TaskError
from trivet.jobs.job import check_columns
from trivet.jobs.ledger import Ledger
from trivet.jobs.rows import Row, Source
from trivet.jobs.runs import create
from trivet.jobs.sources import open_source
from trivet.records import Record
from trivet.reporting import saved
from trivet.tasks.task import Task

WORKERS = 64
"""Calls at once at most: enough to be done soon, and few enough that latencies are those of the variants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig:
    """`truth`: the column that holds what is right. `margin`: the loss of quality still accepted.

    `time_alone`: time each variant in a further pass of its own, which is paid for too. `folder`: where the
    comparison's folder is made; None keeps nothing on disk. `task`: the task file, for the record.
    """

    truth: str | None = None
    margin: float = 0.02
    alpha: float = 0.05
    time_alone: bool = False
    folder: Path | None = Path("runs")
    name: str = "compare"
    task: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1:
            raise DataError(f"the margin is a share of the rows between 0 and 1, like 0.02, not {self.margin:g}")


def compare(
    variants: Mapping[str, Task],
    rows: str | PathLike[str] | Iterable[Any],
    *,
    client: Client,
    truth: str | None = None,
    margin: float = 0.02,
    time_alone: bool = False,
    folder: str | PathLike[str] | None = "runs",
) -> Comparison:
    """Ask every variant every row, and say which is cheaper and whether it is shown to be no worse.

    The first named is the baseline. `truth`: the column that holds what is right; without one, answers are
    held against the baseline's. `margin`: the loss of quality that is still accepted, as a share of the rows.
    The cache is neither read nor filled. Raises `UsageError` before any spend.
    """
    config = CompareConfig(
        truth=truth, margin=margin, time_alone=time_alone, folder=None if folder is None else Path(folder)
    )
    return client.call(compare_async(variants, open_source(rows), client.asynchronous, config))


async def compare_async(
    variants: Mapping[str, Task], source: Source, client: AsyncClient, config: CompareConfig
) -> Comparison:
    """The same for the asynchronous client and an opened source."""
    rows = _checked(variants, source, config.truth)
    ledgers = _ledgers(variants, config)
    folder = None if config.folder is None else next(iter(ledgers.values())).folder.parent
    begun = _begun(variants, source, client, config, ledgers)
    if folder is not None:
        saved.write(folder, begun)
    spent: list[Decimal | None] = []

    def keep(name: str, record: Record) -> None:
        spent.append(record.billed())
        if name in ledgers:
            ledgers[name].append(record)

    measurement = Measurement(
        variants, client.ask, model=client.model, keep=keep, workers=min(WORKERS, client.concurrency), now=time.time
    )
    alone: dict[str, float] = {}
    try:
        await measurement.together(rows)
        if config.time_alone:
            for name in variants:
                alone[name] = await measurement.alone(name, rows)
    except RequestError as error:
        if folder is not None and error.args:
            error.args = (f"{error.args[0]}; what was answered so far is in {folder}",)
        raise
    finally:
        for ledger in ledgers.values():
            ledger.close()
    comparison = compare_figures(
        {name: Answers(records=measurement.records[name], wall_s=alone.get(name)) for name in variants},
        truth=None if config.truth is None else _truths(rows, config.truth),
        margin=config.margin,
        alpha=config.alpha,
        folder=None if folder is None else str(folder),
        spent=None if None in spent else sum((cost for cost in spent if cost is not None), Decimal(0)),
    )
    if folder is not None:
        saved.write(folder, replace(begun, finished_at=time.time(), **drawable(comparison)))
    return comparison


def _begun(
    variants: Mapping[str, Task],
    source: Source,
    client: AsyncClient,
    config: CompareConfig,
    ledgers: Mapping[str, Ledger],
) -> saved.SavedComparison:
    """What there is to save before a row is asked."""
    simulated = client.endpoint.simulated is not None
    return saved.SavedComparison(
        name=config.name,
        task=config.task or next(iter(variants.values())).name,
        data=source.spec,
        model=client.model,
        provider="simulated" if simulated else client.endpoint.host,
        truth=config.truth,
        labels=all(task.contract.labels is not None for task in variants.values()),
        at=time.time(),
        folders={name: ledger.folder.name for name, ledger in ledgers.items()},
    )


def _checked(variants: Mapping[str, Task], source: Source, truth: str | None) -> list[Row]:
    if len(variants) < 2:
        raise TaskError("a comparison takes at least two variants: name a baseline and a candidate")
    for task in variants.values():
        check_columns(task, source)
    rows = list(source)
    good = [row for row in rows if row.data is not None]
    if not good:
        raise DataError(f"{source.spec} has no readable row")
    lacking = next((row for row in good if truth is not None and row.data is not None and truth not in row.data), None)
    if lacking is not None:
        known = ", ".join(lacking.data or ())
        raise DataError(f"{lacking.place} has no column {truth!r} to take the truth from: it has {known}")
    return good


def _truths(rows: Iterable[Row], column: str) -> dict[int, Any]:
    return {row.n: row.data[column] for row in rows if row.data is not None}


def _ledgers(variants: Mapping[str, Task], config: CompareConfig) -> dict[str, Ledger]:
    """A ledger for each variant, so that nothing paid for is lost."""
    if config.folder is None:
        return {}
    folder = create(config.folder, config.name, time.time())
    ledgers = {}
    for number, name in enumerate(variants):
        place = folder / f"{number}-{''.join(c if c.isalnum() or c in '-_' else '-' for c in name)}"
        place.mkdir(mode=0o700)
        ledgers[name] = Ledger.open(place)
    return ledgers
