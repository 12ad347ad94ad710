"""What a source of rows is: numbered rows, bad ones among them, read as a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from trivet.errors import DataError

PROBE = 5
"""Rows looked at before a source is refused: if not one of them is good, it is not of that format at all."""


class Row(Struct, frozen=True, kw_only=True):
    """One row: its data, or the one sentence that says why it has none.

    `n`: its number from 0 in the whole dataset, whatever is selected. `file` and `line` say where it began
    (`line` is the number of the row from 1 where a format has no lines, `file` is empty where there is none).
    """

    n: int
    data: dict[str, Any] | None = None
    error: str | None = None
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """Where the row stands, as `tickets.jsonl:1742`."""
        return f"{self.file}:{self.line}" if self.file else f"row {self.n}"


class Table(NamedTuple):
    """Rows, and the names of their columns where the format says them up front, else None."""

    columns: tuple[str, ...] | None
    rows: Iterator[Row]


class Source(ABC):
    """Rows that can be read one after the other, in bounded memory.

    `spec`: how the user named it. `columns`: the names, where the format says them up front, else None.
    `blocking`: the next row may have to be waited for. `repeatable`: it can be read again from its start.
    `paths`: the files it reads. `hint`: what may be wrong with it, to be said beside an error about a column.
    """

    spec: str
    columns: tuple[str, ...] | None = None
    blocking: bool = False
    repeatable: bool = True
    paths: tuple[Path, ...] = ()
    hint: str | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Row]:
        """The rows in order; `DataError` where reading can't go on."""

    def fingerprint(self) -> str | None:
        """A digest of the content, None where it can't be known before it is read."""
        return None

    def keep_in(self, folder: Path) -> None:  # noqa: B027 - most sources have nothing to keep
        """Keep in this run folder what can't be read again; to be called before reading begins."""

    def count(self, *, exact: bool = False) -> int | None:
        """How many rows there are: an estimate for very large files unless `exact`; None when not known."""
        return None


def refuse_hopeless(rows: Iterator[Row], what: str, advice: str = "") -> Iterator[Row]:
    """The same rows, or `DataError` when none of the first `PROBE` (or all, if there are fewer) is good.

    `what` names the source and the format it was taken for, `advice` what to do about it.
    """
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if row.error is None or len(held) == PROBE:
            break
    if held and held[-1].error is not None:
        raise DataError(f"{what}, but none of its first rows can be read: {held[0].error}{advice}")
    yield from held
    yield from rows
