"""Rows from Parquet files, by DuckDB, in batches.

What JSON has no type for becomes text: dates and times in ISO 8601, decimals and intervals as they are
written. Columns of bytes are left out: they are no text, and any encoding of them would be a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trivet.errors import DataError, MissingExtra, TrivetError
from trivet.jobs.rows import Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 1024
"""Rows fetched at a time."""

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_PLAIN = frozenset({"BOOLEAN", "VARCHAR", *_INTEGERS, *(f"U{kind}" for kind in _INTEGERS)})
_FLOATS = frozenset({"FLOAT", "DOUBLE"})


def require(what: str) -> None:
    """Raise `MissingExtra` unless DuckDB is installed."""
    if find_spec("duckdb") is None:
        raise MissingExtra(what, "lab")


@contextmanager
def connect(what: str, error: type[TrivetError] = DataError) -> Iterator[DuckDBPyConnection]:
    """A DuckDB that downloads nothing and keeps to bounds; what it can't do is raised as `error`."""
    require(what)
    import duckdb  # an optional part

    options: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": "256MB",
        "threads": 1,
    }
    try:
        with duckdb.connect(":memory:", config=options) as database:
            database.execute("SET TimeZone = 'UTC'")
            yield database
    except duckdb.Error as failed:
        reason = str(failed).split("\n", 1)[0]
        raise error(f"{what} failed: {reason}") from None


def pattern(path: Path) -> str:
    """The path where DuckDB takes a glob: a*.parquet is that file, and not its neighbours too."""
    return escape(str(path.resolve()))


def quoted(text: str, mark: str) -> str:
    """The text as SQL quotes names (") and values (')."""
    return mark + text.replace(mark, mark * 2) + mark


class ParquetFile:
    """One Parquet file. `columns`: what its rows hold; `left_out`: its columns of bytes."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        with self._query("DESCRIBE SELECT *") as described:
            self._types = {str(column): str(kind) for column, kind, *_ in described.fetchall()}
        self.left_out = tuple(column for column, kind in self._types.items() if "BLOB" in kind)
        self.columns = tuple(column for column in self._types if column not in self.left_out)

    def count(self) -> int:
        """How many rows there are; exact, from the file's footer."""
        with self._query("SELECT count(*)") as counted:
            return int((counted.fetchone() or (0,))[0])

    def rows(self, first: int = 0) -> Iterator[Row]:
        """The rows, numbered from `first`; `DataError` where the file is damaged."""
        types = [self._types[column] for column in self.columns]
        chosen = ", ".join(map(_expression, self.columns, types)) or "NULL"
        fields = list(zip(self.columns, map(_conversion, types), strict=True))
        n = first
        with self._query(f"SELECT {chosen}") as selected:
            while batch := selected.fetchmany(BATCH):
                for values in batch:
                    data = {
                        column: value if value is None or convert is None else convert(value)
                        for (column, convert), value in zip(fields, values, strict=False)
                    }
                    n += 1
                    yield Row(n=n - 1, data=data, file=self._name, line=n - first)

    @contextmanager
    def _query(self, select: str) -> Iterator[DuckDBPyConnection]:
        with connect(f"reading Parquet ({self._name})") as database:
            source = "read_parquet(?, hive_partitioning = false)"
            yield database.execute(f"{select} FROM {source}", [pattern(self._path)])


def _expression(column: str, kind: str) -> str:
    name = quoted(column, '"')
    if kind in _PLAIN or kind in _FLOATS:
        return name
    if _nested(kind):
        return f"to_json({name})"
    text = f"CAST({name} AS VARCHAR)"
    return f"replace({text}, ' ', 'T')" if kind.startswith("TIMESTAMP") else text


def _conversion(kind: str) -> Callable[[Any], Any] | None:
    if kind in _FLOATS:
        return _finite
    return msgspec.json.decode if _nested(kind) else None


def _nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "JSON"))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
