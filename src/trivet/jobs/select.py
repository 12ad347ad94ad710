"""Which rows of a source a run takes, and under which names their columns go.

The options apply in this order: `first`, `sample`, `shard`, so that the shards of a sample together are the
sample. A row keeps the number it has in the whole dataset.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from trivet.errors import DataError, SettingsError
from trivet.jobs.rows import Row, Source

SEEN = 1000
"""Rows looked through for a column that was named, where the format has no header."""

RESERVED = frozenset({"id", "output", "error", "error_code", "error_message"})
"""Names that results have of their own."""


class Selection(Struct, frozen=True, kw_only=True):
    """`first` rows; a random `sample` of them by `seed`; of these the `shard` (k of so many).

    `map`: template name to column. `id`: the column that names a row. `keep`: columns copied to the results.
    """

    first: int | None = None
    sample: int | None = None
    seed: int = 0
    shard: tuple[int, int] | None = None
    map: dict[str, str] = {}
    id: str | None = None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option, value in (("--first", self.first), ("--sample", self.sample)):
            if value is not None and not 1 <= value <= sys.maxsize:
                raise SettingsError(f"{option} takes a number of rows from 1, not {value}")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise SettingsError(f"--shard takes k/N with k from 1 to N, not {self.shard[0]}/{self.shard[1]}")
        for column in self.keep:
            if column in RESERVED:
                raise SettingsError(f"--keep {column} would stand where results have their own {column!r}")
        for name, column in self.map.items():
            if name != column and name in (self.id, *self.keep):
                raise SettingsError(f"--map {name}={column} hides the column {name!r} of --id or --keep")


def parse_shard(text: str) -> tuple[int, int]:
    """`3/8` as (3, 8)."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    if match is None:
        raise SettingsError(f"--shard takes k/N, as in 3/8, not {text!r}")
    return int(match[1]), int(match[2])


class Selected(Source):
    """The selected rows of a source; they can be read as often, and block as much, as the source's."""

    def __init__(self, source: Source, selection: Selection) -> None:
        self._source = source
        self._selection = selection
        self.spec = source.spec
        self.blocking = source.blocking
        self.repeatable = source.repeatable
        self.paths = source.paths
        self.hint = source.hint
        if source.columns is not None:
            self.columns = tuple(dict.fromkeys((*source.columns, *selection.map)))
        _check_columns(source, selection)

    def __iter__(self) -> Iterator[Row]:
        chosen = self._selection
        rows: Iterable[Row] = islice(self._source, chosen.first)
        if chosen.sample is not None:
            total = self._total(exact=True) if self.repeatable else None
            rows = _sample(rows, chosen.sample, chosen.seed, total)
        if chosen.shard is not None:
            k, of = chosen.shard
            rows = (row for row in rows if row.n % of == k - 1)
        return _named(rows, chosen) if chosen.map or chosen.id is not None else iter(rows)

    def fingerprint(self) -> str | None:
        """That of the whole source."""
        return self._source.fingerprint()

    def keep_in(self, folder: Path) -> None:
        """Keep what the source reads, whatever is selected of it."""
        self._source.keep_in(folder)

    def count(self, *, exact: bool = False) -> int | None:
        """How many rows are selected; an estimate where the source's is one, or of the shard of a sample."""
        total = self._total(exact)
        chosen = self._selection
        if total is not None and chosen.sample is not None:
            total = min(total, chosen.sample)
        if total is not None and chosen.shard is not None:
            k, of = chosen.shard
            total = max(0, -(-(total - k + 1) // of))
        return total

    def _total(self, exact: bool) -> int | None:
        total = self._source.count(exact=exact)
        first = self._selection.first
        return total if total is None or first is None else min(total, first)


def select(source: Source, selection: Selection) -> Source:
    """The selected rows; `DataError` when a named column is in none of the first `SEEN` rows."""
    return source if selection == Selection() else Selected(source, selection)


def _check_columns(source: Source, selection: Selection) -> None:
    wanted = [("--map", column) for column in selection.map.values()]
    wanted += [("--id", selection.id)] if selection.id is not None else []
    wanted += [("--keep", column) for column in selection.keep]
    if not wanted or (source.columns is None and (source.blocking or not source.repeatable)):
        return
    columns: Iterable[str] | None = source.columns
    where = "there is"
    if columns is None:
        columns = dict.fromkeys(name for row in islice(source, SEEN) for name in row.data or ())
        where = f"the first {SEEN:,} rows have"
    known = list(columns)
    for option, column in wanted:
        if known and column not in known:
            near = get_close_matches(column, known, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known[:20])}"
            raise DataError(f"{source.spec}: {where} no column {column!r} (named by {option}); {advice}")


def _sample(rows: Iterable[Row], size: int, seed: int, total: int | None) -> Iterator[Row]:
    """So many rows at random, in their order.

    With the total known only the numbers chosen are held; else the sample itself, until the rows have ended
    (Vitter's algorithm R).
    """
    chance = random.Random(seed)
    if total is not None:
        chosen = set(chance.sample(range(total), min(size, total)))
        yield from (row for row in rows if row.n in chosen)
        return
    held: list[Row] = []
    for seen, row in enumerate(rows):
        if seen < size:
            held.append(row)
        elif (place := chance.randrange(seen + 1)) < size:
            held[place] = row
    yield from sorted(held, key=lambda row: row.n)


def _named(rows: Iterable[Row], selection: Selection) -> Iterator[Row]:
    for row in rows:
        data = row.data
        problem = None if data is None else _problem(data, selection)
        if data is None:
            yield row
        elif problem:
            yield Row(n=row.n, error=f"{row.place} {problem}", file=row.file, line=row.line)
        elif selection.map:
            mapped = {name: data[column] for name, column in selection.map.items()}
            yield Row(n=row.n, data={**data, **mapped}, file=row.file, line=row.line)
        else:
            yield row


def _problem(data: dict[str, Any], selection: Selection) -> str | None:
    for name, column in selection.map.items():
        if column not in data:
            return f"lacks the column {column!r} (--map {name}={column})"
    if selection.id is not None:
        value = data.get(selection.id)
        if value is None or value == "":
            return f"has no {selection.id!r} (--id {selection.id})"
        if isinstance(value, bool) or not isinstance(value, int | str):
            return f"has {value!r:.60} as its {selection.id!r}, which is no text or whole number (--id)"
    return None
