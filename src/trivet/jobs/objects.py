"""Rows that a program holds: dicts or texts in any iterable, and DataFrames of pandas and polars.

DataFrames are known by their methods, so neither library is imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from trivet.errors import DataError
from trivet.jobs.rows import Row, Source, refuse_hopeless
from trivet.jobs.text_rows import COLUMN


class ObjectSource(Source):
    """Rows of a list, an iterator (read once, and never ahead of need) or a DataFrame."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._size = len(rows) if isinstance(rows, Sized) else None
        self._started = False
        self.spec = type(rows).__name__
        self._items: Callable[[], Iterator[Any]]
        if isinstance(rows, Mapping | bytes) or not isinstance(rows, Iterable):
            raise DataError(f"{_article(rows)} is not rows: give a path, a DataFrame or an iterable of dicts")
        if _is_frame(rows):
            self.columns = _columns(rows)
            self._items = lambda: _frame_rows(rows)
        else:
            self.blocking = self._size is None
            self.repeatable = not isinstance(rows, Iterator)
            self._items = lambda: iter(rows)

    def __iter__(self) -> Iterator[Row]:
        if self._started and not self.repeatable:
            raise DataError(f"the rows of this {self.spec} were read before: give a list, or a new iterator")
        self._started = True
        return refuse_hopeless(self._rows(), f"{_article(self)} was read as rows")

    def _rows(self) -> Iterator[Row]:
        for n, item in enumerate(self._items()):
            if type(item) is dict and all(type(key) is str for key in item):
                yield Row(n=n, data=item)
            elif isinstance(item, str):
                yield Row(n=n, data={COLUMN: item})
            elif isinstance(item, Mapping) and all(isinstance(key, str) for key in item):
                yield Row(n=n, data=dict(item))
            else:
                what = "a dict with keys that are not text" if isinstance(item, Mapping) else _article(item)
                yield Row(n=n, error=f"row {n} is {what}, not a dict or a text")

    def count(self, *, exact: bool = False) -> int | None:
        """How many rows, None of an iterator."""
        return self._size


def _article(value: Any) -> str:
    name = value.spec if isinstance(value, ObjectSource) else type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _is_frame(rows: Any) -> bool:
    return hasattr(rows, "columns") and (hasattr(rows, "itertuples") or hasattr(rows, "iter_rows"))


def _columns(frame: Any) -> tuple[str, ...]:
    columns = tuple(str(column) for column in frame.columns)
    repeated = [column for column, times in Counter(columns).items() if times > 1]
    if repeated:
        raise DataError(f"the DataFrame has the column {repeated[0]!r} more than once")
    return columns


def _frame_rows(frame: Any) -> Iterator[dict[str, Any]]:
    columns = _columns(frame)
    polars = hasattr(frame, "iter_rows")
    for values in frame.iter_rows() if polars else frame.itertuples(index=False, name=None):
        yield dict(zip(columns, map(_plain, values), strict=True))


def _plain(value: Any) -> Any:
    """The value as JSON has it: missing ones are None, dates are ISO 8601, decimals are text."""
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, Decimal | timedelta):
        return str(value)
    if type(value).__name__ in ("NAType", "NaTType"):  # NaT is a datetime too
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float):
        return value if value - value == 0 else None  # neither NaN nor infinite
    return value.tolist() if hasattr(value, "tolist") else value
