"""Rows that a program holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from trivet.errors import DataError
from trivet.jobs.sources import open_source


class PandasLike:
    """A DataFrame with what is used of pandas': `columns`, `itertuples` and a length."""

    def __init__(self, columns: list[Any], rows: list[tuple[Any, ...]]) -> None:
        self.columns = columns
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.columns)

    def itertuples(self, *, index: bool, name: str | None) -> Iterator[tuple[Any, ...]]:
        assert not index
        assert name is None
        return iter(self._rows)


class PolarsLike(PandasLike):
    def iter_rows(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)


class Scalar:
    """A number of another library."""

    def tolist(self) -> int:
        return 7


def test_dicts_and_texts_are_rows() -> None:
    source = open_source([{"a": 1}, "words", OrderedDict(a=2)])
    assert [row.data for row in source] == [{"a": 1}, {"text": "words"}, {"a": 2}]
    assert source.count() == 3
    assert source.fingerprint() is None
    assert not source.blocking
    assert len(list(source)) == 3


def test_anything_else_is_a_bad_row() -> None:
    rows = list(open_source([{"a": 1}, (1, 2), None, {1: 2}]))
    assert [row.error for row in rows] == [
        None,
        "row 1 is a tuple, not a dict or a text",
        "row 2 is a NoneType, not a dict or a text",
        "row 3 is a dict with keys that are not text, not a dict or a text",
    ]
    assert rows[1].place == "row 1"


def test_a_list_of_something_else_is_refused() -> None:
    with pytest.raises(DataError, match="row 0 is an int, not a dict or a text"):
        list(open_source([1, 2, 3]))


@pytest.mark.parametrize("wrong", [{"a": 1}, b"bytes", 7])
def test_what_holds_no_rows_is_refused(wrong: Any) -> None:
    with pytest.raises(DataError, match="is not rows"):
        open_source(wrong)


def test_an_iterator_is_read_once_and_not_ahead() -> None:
    taken = []

    def produce() -> Iterator[dict[str, int]]:
        for n in range(3):
            taken.append(n)
            yield {"a": n}

    source = open_source(produce())
    assert source.blocking
    assert source.count() is None
    rows = iter(source)
    assert next(rows).data == {"a": 0}
    assert taken == [0]
    list(rows)
    with pytest.raises(DataError, match="were read before"):
        iter(source)


@pytest.mark.parametrize("frame", [PandasLike, PolarsLike])
def test_a_dataframe_is_read_as_json_has_it(frame: type[PandasLike]) -> None:
    values = (
        1,
        0.5,
        float("nan"),
        None,
        date(2024, 1, 2),
        datetime(2024, 1, 2, 3),
        Decimal("1.10"),
        Scalar(),
    )
    source = open_source(frame([*"abcdefg", 8], [values]))  # type: ignore[arg-type]
    (row,) = source
    assert row.data == {
        "a": 1,
        "b": 0.5,
        "c": None,
        "d": None,
        "e": "2024-01-02",
        "f": "2024-01-02T03:00:00",
        "g": "1.10",
        "8": 7,
    }
    assert source.columns == (*"abcdefg", "8")
    assert source.count() == 1


def test_a_dataframe_that_names_a_column_twice_is_refused() -> None:
    with pytest.raises(DataError, match="the column 'a' more than once"):
        open_source(PandasLike(["a", "a"], []))  # type: ignore[arg-type]
