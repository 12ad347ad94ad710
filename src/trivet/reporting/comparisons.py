"""From a comparison's folder to its figures: what it found, and its variants' records drawn again, row by row."""

from __future__ import annotations

from array import array
from math import isnan, nan
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from trivet.jobs.ledger import NAME as LEDGER
from trivet.jobs.ledger import read_records
from trivet.reporting.figures import ComparisonFigures, Paired, RunFigures, VariantFigures
from trivet.reporting.reading import About, figures
from trivet.reporting.sample import bars
from trivet.reporting.saved import SavedComparison, read

MOST_ROWS = 20_000_000
"""A row's number beyond which it is left out of the pairs: a damaged one would take all memory."""


def read_comparison(folder: Path, *, with_text: bool) -> ComparisonFigures:
    """The figures of a comparison's folder; `RunError` when it is none."""
    return drawn(read(folder), folder, with_text=with_text)


def drawn(saved: SavedComparison, folder: Path | None, *, with_text: bool) -> ComparisonFigures:
    """The figures of a comparison; without its folder, those that need its records are left out."""
    found = dict(saved.figures or {})
    variants = _documents(found.pop("variants", None))
    names = list(saved.folders) or list(variants)
    baseline = str(found.get("baseline") or (names[0] if names else ""))
    records = {name: _records(saved, folder, name, with_text=with_text) for name in names}
    paired = _all_paired(saved, folder, baseline)
    return ComparisonFigures(
        name=folder.name if folder is not None else saved.name or "comparison",
        folder=None if folder is None else str(folder),
        task=saved.task,
        data=saved.data,
        state="finished" if saved.figures is not None else "unfinished",
        simulated=bool(found.get("simulated")) or any(run is not None and run.simulated for run in records.values()),
        at=saved.at,
        figures=found,
        variants=tuple(
            VariantFigures(
                name=name,
                baseline=name == baseline,
                verdict=_verdict(variants.get(name, {})),
                sentence=saved.verdicts.get(name, ""),
                figures=variants.get(name, {}),
                run=records[name],
                paired=paired.get(name, ()),
            )
            for name in names
        ),
    )


def _verdict(figures: dict[str, Any]) -> str | None:
    found = figures.get("verdict")
    return found if isinstance(found, str) else None


def _documents(found: object) -> dict[str, dict[str, Any]]:
    """Those values of a document that are documents; a saved file may come from anywhere."""
    known = found if isinstance(found, dict) else {}
    return {str(name): value for name, value in known.items() if isinstance(value, dict)}


def _records(saved: SavedComparison, folder: Path | None, name: str, *, with_text: bool) -> RunFigures | None:
    place = _place(saved, folder, name)
    if place is None:
        return None
    about = About(
        name=name,
        task=saved.task,
        data=saved.data,
        model=saved.model,
        provider=saved.provider,
        version="",
        labels=saved.labels,
        at=saved.at or 0.0,
        finished_at=saved.finished_at,
    )
    run = figures(place, about, None, with_text=with_text)
    return replace(run, timeline=None)


def _place(saved: SavedComparison, folder: Path | None, name: str) -> Path | None:
    """The variant's folder, if it is where it should be: a name leads into the comparison's folder or nowhere."""
    inner = saved.folders.get(name, "")
    if folder is None or not inner or Path(inner).name != inner:
        return None
    place = folder / inner
    return place if (place / LEDGER).is_file() else None


def _all_paired(saved: SavedComparison, folder: Path | None, baseline: str) -> dict[str, tuple[Paired, ...]]:
    base = _place(saved, folder, baseline)
    if base is None:
        return {}
    found = {}
    before = _columns(base)
    for name in saved.folders:
        place = _place(saved, folder, name)
        if place is None or name == baseline:
            continue
        after = _columns(place)
        pairs = (_paired(figure, before[figure], after[figure]) for figure in before)
        found[name] = tuple(pair for pair in pairs if pair is not None)
    return found


def _columns(folder: Path) -> dict[str, array[float]]:
    """Latency and cost by row number; a row that failed has neither."""
    columns = {"latency": array("d"), "cost": array("d")}
    for record in read_records(folder):
        if record.n > MOST_ROWS:
            continue
        lacking = record.n + 1 - len(columns["latency"])
        if lacking > 0:
            for column in columns.values():
                column.extend([nan] * lacking)
        ok = record.error is None
        columns["latency"][record.n] = record.latency if ok and record.latency is not None else nan
        columns["cost"][record.n] = float(record.cost) if ok and record.cost is not None else nan
    return columns


def _paired(figure: str, before: array[float], after: array[float]) -> Paired | None:
    ratios = array("d")
    less = more = 0
    total_before = total_after = 0.0
    for base, mine in zip(before, after, strict=False):
        if isnan(base) or isnan(mine) or base <= 0 or mine <= 0:
            continue
        less += mine < base
        more += mine > base
        total_before += base
        total_after += mine
        ratios.append(mine / base)
    if not ratios:
        return None
    ordered = array("d", sorted(ratios))
    return Paired(
        figure=figure,
        rows=len(ordered),
        less=less,
        more=more,
        ratio=total_after / total_before,
        bars=bars(ordered),
    )
