"""The steps by which a task was improved, from its `experiments.jsonl`.

A line is a JSON object: `change` (text such as `effort=none`), `verdict`, `kept`, `at` (Unix time), and what the
change came to, `quality` and `cost_per_1000`, on the line itself or in its `effect`; `baseline` may hold the same of
what it was measured against. What else is there is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from trivet.errors import RunError
from trivet.jobs.line_file import scan
from trivet.reporting.figures import Staircase, Step
from trivet.wording import one_line

NAME = "experiments.jsonl"

_LARGEST = 1e15
"""A figure beyond which something is wrong."""

MOST = 200
"""Steps that are drawn: the last ones."""


def read_steps(path: Path) -> Staircase:
    """The steps of a file; `RunError` when it can't be read or holds none."""
    steps: list[Step] = []
    damaged = 0
    try:
        for _, line in scan(path):
            found = _line(line)
            if found is None:
                damaged += 1
                continue
            if not steps and (start := _baseline(found)) is not None:
                steps.append(start)
            steps.append(_step(found))
    except OSError as error:
        raise RunError(f"{path} can't be read: {error.strerror or error}") from None
    if not steps:
        raise RunError(f"{path} holds no step of an experiment")
    return Staircase(name=one_line(f"{path.parent.name}/{path.name}", 120), steps=tuple(steps[-MOST:]), damaged=damaged)


def _line(line: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "change" in found else None


def _baseline(line: Mapping[str, Any]) -> Step | None:
    found = line.get("baseline")
    if not isinstance(found, Mapping):
        return None
    name = found.get("name")
    return Step(
        change=one_line(name, 80) if isinstance(name, str) else "start",
        verdict=None,
        kept=True,
        quality=_figure(found, "quality"),
        cost_per_1000=_figure(found, "cost_per_1000"),
        at=None,
    )


def _step(line: Mapping[str, Any]) -> Step:
    effect = line.get("effect")
    places = [line, effect] if isinstance(effect, Mapping) else [line]
    change, verdict = line["change"], line.get("verdict")
    return Step(
        change=one_line(change if isinstance(change, str) else msgspec.json.encode(change).decode(), 80),
        verdict=one_line(verdict, 40) if isinstance(verdict, str) else None,
        kept=line.get("kept") is True,
        quality=next((v for place in places if (v := _figure(place, "quality")) is not None), None),
        cost_per_1000=next((v for place in places if (v := _figure(place, "cost_per_1000")) is not None), None),
        at=_figure(line, "at"),
    )


def _figure(place: Mapping[str, Any], name: str) -> float | None:
    value = place.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > _LARGEST:
        return None
    return float(value)
