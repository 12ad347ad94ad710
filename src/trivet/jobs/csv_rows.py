"""Rows from CSV and TSV by the standard library's reader: every field is a string, no type is guessed.

The reader pulls exactly the lines of one row, so what is wrong with a line is known to belong to that row.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trivet.errors import DataError
from trivet.jobs.lines import MAX_LINE, ReadLine, read_lines, too_long
from trivet.jobs.rows import Row, Table, refuse_hopeless
from trivet.jobs.text_rows import decoded

if TYPE_CHECKING:
    from _csv import Reader


def read_csv(readline: ReadLine, name: str, first: int = 0, *, delimiter: str = ",") -> Table:
    """Read the header, and rows numbered from `first`; `DataError` if it can't be such a table.

    The header is the first line that is not blank; its names are unique, white space around them is dropped.
    """
    if csv.field_size_limit() < MAX_LINE:
        csv.field_size_limit(MAX_LINE)
    lines = _Lines(readline, name)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    columns = _header(lines, reader, name)
    rows = _rows(lines, reader, columns, name, first)
    return Table(columns, refuse_hopeless(rows, f"{name} was read as a table of {len(columns)} columns"))


def separator_hint(columns: tuple[str, ...], name: str) -> str | None:
    """What a header of one odd column suggests about the character between the fields."""
    for character, meant in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")):
        if len(columns) == 1 and character in columns[0]:
            return f"{name} has the one column {columns[0]!r}: are its fields separated by {meant}?"
    return None


class _Lines:
    """Text lines for the reader. `problem`: what is wrong with a line read since it was last cleared."""

    def __init__(self, readline: ReadLine, name: str) -> None:
        self._lines = read_lines(readline, name)
        self.problem: str | None = None

    def __iter__(self) -> Iterator[str]:
        for number, raw in self._lines:
            text, problem = ("", too_long()) if raw is None else decoded(raw)
            if problem:
                self.problem = self.problem or f"line {number} {problem}"
                text = "\n"
            yield text


def _header(lines: _Lines, reader: Iterator[list[str]], name: str) -> tuple[str, ...]:
    try:
        fields = next((fields for fields in reader if fields or lines.problem), [])
    except csv.Error as error:
        raise DataError(f"{name} has no readable header line: {_why(error)}") from None
    if lines.problem:
        raise DataError(f"{name} can't be read as a table: {lines.problem}")
    columns = tuple(field.strip() for field in fields)
    repeated = [column for column, times in Counter(columns).items() if times > 1]
    if repeated:
        raise DataError(f"{name} names the column {repeated[0]!r} more than once in its header")
    return columns


def _rows(lines: _Lines, reader: Reader, columns: tuple[str, ...], name: str, first: int) -> Iterator[Row]:
    width = len(columns)
    n = first
    while True:
        line = reader.line_num + 1
        problem = None
        fields: list[str] = []
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"is not valid CSV: {_why(error)}"
        if lines.problem:
            problem, lines.problem = f"can't be read: {lines.problem}", None
        elif problem is None:
            if not fields or (len(fields) == 1 < width and not fields[0].strip()):
                continue
            if len(fields) == width:
                yield Row(n=n, data=dict(zip(columns, fields, strict=True)), file=name, line=line)
                n += 1
                continue
            problem = f"has {len(fields)} fields where the header has {width}"
        yield Row(n=n, error=f"{name}:{line} {problem}{_span(line, reader.line_num)}", file=name, line=line)
        n += 1


def _why(error: csv.Error) -> str:
    """What the reader says; of a bare carriage return it speaks to programmers."""
    if "new-line character" in str(error):
        return r"a line ends with \r alone: write line ends as \n, for example with tr '\r' '\n'"
    return str(error)


def _span(first: int, last: int) -> str:
    if last <= first:
        return ""
    return f" (it was read to line {last}: is a quotation mark left open?)"
