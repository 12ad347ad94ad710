"""Rows from plain text: each line that is not blank is `{"text": line}`."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.errors import DataError
from trivet.jobs.lines import ReadLine, read_lines, too_long
from trivet.jobs.rows import PROBE, Row, refuse_hopeless

COLUMN = "text"
NUL = "holds a NUL byte, as binary files and UTF-16 do"


def read_text(readline: ReadLine, name: str, first: int = 0) -> Iterator[Row]:
    """The rows, numbered from `first`; `DataError` if it is not text in UTF-8."""
    return refuse_hopeless(_rows(readline, name, first), f"{name} was read as text")


def _rows(readline: ReadLine, name: str, first: int) -> Iterator[Row]:
    n = first
    for number, raw in read_lines(readline, name):
        error = None
        text = ""
        if raw is None:
            error = too_long()
        elif raw.isspace() or not raw:
            continue
        else:
            text, error = decoded(raw)
        if error == NUL and n - first < PROBE:  # any bytes make lines: only this tells
            raise DataError(f"{name} can't be read as text: line {number} {error}")
        if error:
            yield Row(n=n, error=f"{name}:{number} {error}", file=name, line=number)
        else:
            yield Row(n=n, data={COLUMN: text.rstrip("\r\n")}, file=name, line=number)
        n += 1


def decoded(raw: bytes) -> tuple[str, str | None]:
    """The line's text, and what is wrong with it, if anything is."""
    if b"\0" in raw:
        return "", NUL
    try:
        return raw.decode(), None
    except UnicodeDecodeError:
        return "", "is not valid UTF-8"
