"""The loop of improvement, a step at a time: what each change came to, and which one is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from trivet.comparison.result import Comparison, Variant
from trivet.comparison.tries import Change
from trivet.errors import MachineError
from trivet.reporting.experiments import NAME
from trivet.tasks.task import Task

_json = msgspec.json.Encoder(decimal_format="number").encode


def place_of(task: str | Path) -> Path:
    """Where the steps of a task file are kept: beside it, under its name."""
    path = Path(task)
    return path.with_name(f"{path.stem}.{NAME}")


def gained(variant: Variant) -> str | None:
    """What a proven variant is shown to gain: `cheaper` or `faster`; None where it is not proven, or gains nothing."""
    if variant.verdict != "not_worse":
        return None
    for name, bounds in (("cheaper", variant.cost_ratio_interval), ("faster", variant.latency_ratio_interval)):
        if bounds is not None and bounds[1] < 1:
            return name
    return None


def best(comparison: Comparison, names: Sequence[str]) -> str | None:
    """The proven one that gains most: the cheapest, where costs are known."""
    able = [name for name in names if gained(comparison.variants[name]) is not None]
    ratios = {name: comparison.variants[name] for name in able}
    return min(able, key=lambda n: (ratios[n].cost_ratio or 1.0, ratios[n].latency_ratio or 1.0), default=None)


def refusal(comparison: Comparison, names: Sequence[str]) -> str:
    """Why nothing was kept, in one sentence."""
    if any(comparison.variants[name].verdict == "not_worse" for name in names):
        return "nothing was kept: proven not worse, but neither cheaper nor faster beyond doubt"
    return "nothing was kept: no change is proven to be not worse"


def append(
    path: Path,
    comparison: Comparison,
    changes: Mapping[str, Change],
    tasks: Mapping[str, Task],
    kept: str | None,
    *,
    data: str,
    at: float,
) -> None:
    """A line for each change, each in one write, so that a file written by two is never torn. `at`: Unix time."""
    lines = [
        _json(_step(comparison, name, change, tasks, kept=name == kept, data=data, at=at)) + b"\n"
        for name, change in changes.items()
    ]
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            for line in lines:
                os.write(handle, line)
        finally:
            os.close(handle)
    except OSError as error:
        raise MachineError(f"{path} can't be written: {error.strerror}; the comparison is in {comparison.folder}") \
            from None  # fmt: skip


def _step(
    comparison: Comparison,
    name: str,
    change: Change,
    tasks: Mapping[str, Task],
    *,
    kept: bool,
    data: str,
    at: float,
) -> dict[str, Any]:
    mine, base = comparison.variants[name], comparison.variants[comparison.baseline]
    return {
        "change": change.text if len(change.text) <= 200 else change.text[:199] + "…",
        "verdict": mine.verdict,
        "kept": kept,
        "at": at,
        "rows": comparison.rows,
        "spent_usd": comparison.spent_usd,
        "effect": {
            "quality": mine.quality,
            "cost_per_1000": mine.cost_per_1000,
            "quality_diff": mine.quality_diff,
            "quality_interval": mine.quality_interval,
            "cost_ratio": mine.cost_ratio,
            "cost_ratio_interval": mine.cost_ratio_interval,
            "latency_ratio": mine.latency_ratio,
            "latency_ratio_interval": mine.latency_ratio_interval,
            "failed": mine.failed,
        },
        "baseline": {
            "name": comparison.baseline,
            "quality": base.quality,
            "cost_per_1000": base.cost_per_1000,
            "digest": tasks[comparison.baseline].digest,
        },
        "kind": comparison.quality,
        "margin": comparison.margin,
        "rows_needed": mine.rows_needed,
        "data": data,
        "folder": comparison.folder,
        "simulated": comparison.simulated,
    }
