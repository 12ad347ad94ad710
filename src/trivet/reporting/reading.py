"""From a run folder to its figures."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trivet.errors import RunError
from trivet.jobs import ledger, runs
from trivet.prices.book import standard_book
from trivet.reporting.calls import call, failed
from trivet.reporting.figures import Call, RunFigures, State
from trivet.reporting.sample import distribution
from trivet.reporting.tally import Tally, Top, tally
from trivet.summary import Summary


class About(Struct, frozen=True, kw_only=True):
    """What is known of a run beside its records. `at`, `finished_at`: Unix times; `labels`: its outputs are labels."""

    name: str
    task: str
    data: str
    model: str
    provider: str
    version: str
    labels: bool
    at: float
    finished_at: float | None


def read_run(folder: Path, *, with_text: bool) -> RunFigures:
    """The figures of a run folder; `RunError` when it is none."""
    manifest = runs.read_manifest(folder)
    about = About(
        name=manifest.run,
        task=manifest.task,
        data=manifest.data,
        model=manifest.model,
        provider=manifest.provider,
        version=manifest.version,
        labels=manifest.labels,
        at=manifest.started_at,
        finished_at=manifest.finished_at,
    )
    return figures(folder, about, _summary(folder), with_text=with_text)


def figures(folder: Path, about: About, printed: Summary | None, *, with_text: bool) -> RunFigures:
    """The figures of the ledger in a folder. `printed`: the summary that its run has written."""
    try:
        found = tally(folder, standard_book(), about.at)
        lost = _add_unrecorded(found, folder) if about.finished_at is None or _taken_up(folder) else 0
    except OSError as error:
        raise RunError(f"{folder / ledger.NAME} can't be read: {error.strerror or error}") from None
    found.totals.sort()
    summary = _agreed(found, about, printed, lost)
    shown = about.labels or with_text
    return RunFigures(
        name=about.name,
        folder=str(folder),
        task=about.task,
        data=about.data,
        model=about.model,
        provider=about.provider,
        simulated=found.simulated or about.provider == "simulated",
        version=about.version,
        state=_state(about, summary, printed),
        at=about.at,
        finished_at=about.finished_at,
        summary=_shown(summary, about, with_text=with_text),
        damaged=found.damaged,
        costs=found.bill.figures(summary.cost_usd),
        latency=distribution(found.totals.latency),
        ttft=distribution(found.totals.ttft),
        queued=distribution(found.queued) if found.waited else None,
        timeline=found.pace.figures(),
        slowest=_calls(found.slowest, about, with_text=with_text),
        dearest=_calls(found.dearest, about, with_text=with_text),
        failed=failed(found.reasons, origin=about.at, labels=about.labels, with_text=with_text),
        labels=summary.counts if shown else {},
    )


def _calls(top: Top, about: About, *, with_text: bool) -> tuple[Call, ...]:
    return tuple(call(r, origin=about.at, labels=about.labels, with_text=with_text) for r in top.records())


def _summary(folder: Path) -> Summary | None:
    try:
        return msgspec.json.decode((folder / runs.SUMMARY).read_bytes(), type=Summary)
    except (OSError, ValueError, RecursionError):
        return None


def _taken_up(folder: Path) -> bool:
    """Whether a process has gone on where another one was cut off."""
    path = folder / ledger.MARKS
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return any(b"taken_up" in line for line in file)


def _add_unrecorded(found: Tally, folder: Path) -> int:
    """Count the failed attempts of rows without a record; how many attempts there are whose end nobody knows."""
    in_flight = ledger.read_in_flight(folder)
    for record in in_flight.unfinished():
        found.add(record, last=False)
    return len(in_flight)


def _agreed(found: Tally, about: About, printed: Summary | None, lost: int) -> Summary:
    """The summary that the run has printed, if it is of these records; else what they come to."""
    counted = found.totals.summary(
        run=about.name,
        task=about.task,
        model=about.model,
        provider=about.provider,
        wall_s=max(0.0, found.ends - about.at) if about.at else 0.0,
        now=found.ends,
        lost=lost,
        interrupted=about.finished_at is None,
    )
    same = printed is not None and (printed.rows, printed.ok, printed.calls) == (
        counted.rows,
        counted.ok,
        counted.calls,
    )
    return printed if printed is not None and same else counted


def _state(about: About, summary: Summary, printed: Summary | None) -> State:
    if about.finished_at is not None:
        return "finished"
    return "interrupted" if summary is printed else "unfinished"


def _shown(summary: Summary, about: About, *, with_text: bool) -> Summary:
    """The summary without what a model may have written."""
    if with_text:
        return summary
    error = summary.error
    return replace(
        summary,
        counts=summary.counts if about.labels else {},
        error=None if error is None else replace(error, message=""),
    )
