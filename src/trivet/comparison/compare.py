"""`compare`: variants over the same rows, from tasks to figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from trivet.client.blocking import Client
from trivet.client.client import AsyncClient
from trivet.comparison.config import CompareConfig
from trivet.comparison.result import Comparison
from trivet.comparison.scoring import Scorer, scorer_of
from trivet.comparison.session import Session
from trivet.errors import DataError, TaskError
from trivet.jobs.job import check_columns
from trivet.jobs.rows import Row, Source
from trivet.jobs.sources import open_source
from trivet.tasks.task import Task


def compare(
    variants: Mapping[str, Task],
    rows: str | PathLike[str] | Iterable[Any],
    *,
    client: Client,
    truth: str | None = None,
    scorer: str | Callable[..., Any] | None = None,
    margin: float = 0.02,
    alpha: float = 0.05,
    seed: int = 0,
    control: int | None = None,
    stream: bool = False,
    rate: float | None = None,
    objective: float | None = None,
    time_alone: bool = False,
    calibrate: bool = True,
    stop_early: bool = True,
    fresh: bool = False,
    folder: str | PathLike[str] | None = "runs",
) -> Comparison:
    """Ask every variant every row, and say which is cheaper and whether it is shown to be no worse.

    The first named is the baseline. `truth`: the column that holds what is right; without one, answers are
    held against the baseline's. `scorer`: `"exact"`, `"normalised"`, `"numeric:0.01"`, `"json"`, a function of (output,
    row) to a number between 0 and 1, `"judge:MODEL"` or `"judge-score:MODEL"`. `margin`: the loss of quality that is
    still accepted, as a share of the rows; `alpha`: the chance of a false claim. `control`: rows that the baseline is
    asked a second time, for the noise (a tenth of them, 20 to 200, unless told). `rate`: calls a second, by a schedule;
    `objective`: seconds within which an answer is of use. The rest is in `CompareConfig`. The cache is neither read nor
    filled, but for a judge. A comparison of the same that was stopped is taken up. Raises `UsageError` before any
    spend.
    """
    config = CompareConfig(
        truth=truth,
        scorer=scorer,
        margin=margin,
        alpha=alpha,
        seed=seed,
        control=control,
        stream=stream,
        rate=rate,
        objective=objective,
        time_alone=time_alone,
        calibrate=calibrate,
        stop_early=stop_early,
        fresh=fresh,
        folder=None if folder is None else Path(folder),
    )
    return client.call(compare_async(variants, open_source(rows), client.asynchronous, config))


async def compare_async(
    variants: Mapping[str, Task],
    source: Source,
    client: AsyncClient,
    config: CompareConfig,
    *,
    interrupted: Callable[[], bool] = lambda: False,
) -> Comparison:
    """The same for the asynchronous client and an opened source. `interrupted`: whether to begin no further call."""
    scorer = scorer_of(config.scorer)
    rows = _checked(variants, source, client, config, scorer)
    session = Session(variants, rows, source.spec, client, config, scorer, interrupted)
    try:
        return await session.run()
    finally:
        session.close()


def _checked(
    variants: Mapping[str, Task], source: Source, client: AsyncClient, config: CompareConfig, scorer: Scorer
) -> list[Row]:
    if len(variants) < 2:
        raise TaskError("a comparison takes at least two variants: name a baseline and a candidate")
    for task in variants.values():
        check_columns(task, source)
        task.fields(task.plan.model or task.model or client.model)  # what the provider is known to refuse
    rows = list(source)
    good = [row for row in rows if row.data is not None]
    if not good:
        raise DataError(f"{source.spec} has no readable row")
    truth = config.truth
    lacking = next((row for row in good if truth is not None and row.data is not None and truth not in row.data), None)
    if lacking is not None:
        known = ", ".join(lacking.data or ())
        raise DataError(f"{lacking.place} has no column {truth!r} to take the truth from: it has {known}")
    return good
