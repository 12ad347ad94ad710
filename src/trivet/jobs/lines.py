"""Lines of a byte stream, each within a bound, whatever the stream holds."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import NamedTuple

from trivet.errors import DataError

MAX_LINE = 64 * 1024 * 1024
"""Bytes of one line beyond which it is a bad row."""

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


ReadLine = Callable[[int], bytes]
"""The next line with its end, at most so many bytes of it; empty at the end. A file's `readline` is one."""


class Line(NamedTuple):
    """A line as it came, its end included; `raw` is None when it is over the bound."""

    number: int
    raw: bytes | None


def read_lines(readline: ReadLine, name: str, limit: int = MAX_LINE) -> Iterator[Line]:
    """All lines numbered from 1, without a byte order mark; `DataError` for UTF-16."""
    number = 0
    while raw := readline(limit + 1):
        number += 1
        if number == 1:
            raw = without_mark(raw, name)
        if len(raw) > limit and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = readline(1024 * 1024)
            yield Line(number, None)
        else:
            yield Line(number, raw)


def without_mark(raw: bytes, name: str) -> bytes:
    """The first line without the mark that some editors put before UTF-8."""
    if raw.startswith(UTF16):
        raise DataError(f"{name} is in UTF-16: save it as UTF-8, for example iconv -f UTF-16 -t UTF-8")
    return raw.removeprefix(codecs.BOM_UTF8)


def too_long(limit: int = MAX_LINE) -> str:
    """What is said of a line over the bound."""
    return f"is longer than {limit // (1024 * 1024)} MB"
