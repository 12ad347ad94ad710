"""What a comparison leaves in its folder, beside a ledger for each variant: `comparison.json`.

It is written when the comparison begins, without figures, and again at its end. Fields are only ever added.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from trivet.errors import RunError
from trivet.jobs.writing import replace

NAME = "comparison.json"


class SavedComparison(Struct, frozen=True, kw_only=True):
    """One comparison. `folders`: each variant's, by its name, the baseline first, in the comparison's own folder.

    `figures`: what `trivet compare --json` prints, None while there is no end; `verdicts`: a sentence for each
    candidate. `at`, `finished_at`: Unix times. `labels`: all outputs are labels, not text. `identity`: a digest of what
    was asked, by which a comparison that was stopped is known again. `alone`: seconds of each variant's pass alone.
    """

    version: int = 1
    name: str = ""
    task: str = ""
    data: str = ""
    model: str = ""
    provider: str = ""
    truth: str | None = None
    labels: bool = False
    at: float | None = None
    finished_at: float | None = None
    folders: dict[str, str] = {}
    figures: dict[str, Any] | None = None
    verdicts: dict[str, str] = {}
    identity: str = ""
    alone: dict[str, float] = {}


def write(folder: Path, saved: SavedComparison) -> None:
    """Put it into the comparison's folder; `MachineError` when the disk does not take it."""
    replace(folder / NAME, msgspec.json.format(encode(saved)) + b"\n")


def encode(saved: SavedComparison) -> bytes:
    """It as JSON."""
    return msgspec.json.Encoder(decimal_format="number").encode(saved)


def read(folder: Path) -> SavedComparison:
    """What a comparison's folder says; `RunError` when it can't be read."""
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=SavedComparison)
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} can't be read: {error}") from None
