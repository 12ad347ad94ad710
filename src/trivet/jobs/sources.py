"""Where rows come from: files, standard input, or what a program holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from trivet.errors import DataError
from trivet.jobs import files
from trivet.jobs.csv_rows import separator_hint
from trivet.jobs.formats import checked_format, count_rows, format_of, read
from trivet.jobs.lines import ReadLine
from trivet.jobs.objects import ObjectSource
from trivet.jobs.parquet import ParquetFile
from trivet.jobs.rows import PROBE, Row, Source
from trivet.jobs.stdin import StandardInput

__all__ = ["FileSource", "ObjectSource", "Row", "Source", "StandardInput", "open_source"]

SCAN = 256 * 1024 * 1024
"""Bytes of a file that are looked through to count its rows; beyond, the count is an estimate."""


def open_source(
    spec: str | os.PathLike[str] | Iterable[Any], *, format: str | None = None, stdin: BinaryIO | None = None
) -> Source:
    """Rows from a path, a glob, `-` (`stdin`, not read from yet), a DataFrame, or any iterable of rows.

    A row in Python is a dict, or a text that becomes `{"text": ...}`. `format` stands in for the extension of
    a file. Raises `DataError` where the data can't be read at all, `MissingExtra` for Parquet without DuckDB.
    """
    if format is not None:
        checked_format(format)
    if not isinstance(spec, str | os.PathLike):
        return ObjectSource(spec)
    if spec != "-":
        return FileSource(os.fspath(spec), format)
    if stdin is None:
        raise DataError("there is no standard input to read: name a file")
    return StandardInput(stdin, format or "jsonl")


class FileSource(Source):
    """Rows of one file, or of all files that a glob matches, one after the other."""

    def __init__(self, spec: str, format: str | None = None) -> None:
        self.spec = spec
        self.paths = tuple(files.find(spec))
        single = len(self.paths) == 1
        self._files = [_open_file(path, spec if single else str(path), format) for path in self.paths]
        self.columns = _common([file.columns for file in self._files])
        self.hint = next((file.hint for file in self._files if file.hint), None)

    def __iter__(self) -> Iterator[Row]:
        n = 0
        for file in self._files:
            for row in file.rows(n):
                n = row.n + 1
                yield row

    def fingerprint(self) -> str | None:
        """`size-sha256` of the content; of several files, over all of them."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return files.digest(self.paths)

    def count(self, *, exact: bool = False) -> int | None:
        """How many rows; unless `exact`, an estimate for files over `SCAN`, or None if they are packed."""
        counts = [file.count(exact) for file in self._files]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None


def _common(columns: list[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    known = [names for names in columns if names is not None]
    if not known or len(known) < len(columns):
        return None
    return tuple(name for name in known[0] if all(name in names for names in known))


class _LinesFile:
    """A file that is read line by line."""

    def __init__(self, path: Path, name: str, format: str) -> None:
        self._path = path
        self._name = name
        self._format = format
        with files.opened(path, name) as file:
            table = read(format, file.readline, name)
            next(islice(table.rows, PROBE - 1, None), None)  # refuses what is not of that format
        self.columns = table.columns
        self.hint = separator_hint(self.columns, name) if self.columns else None

    def rows(self, first: int) -> Iterator[Row]:
        with files.opened(self._path, self._name) as file:
            yield from read(self._format, file.readline, self._name, first).rows

    def count(self, exact: bool) -> int | None:
        with files.opened(self._path, self._name) as file:
            scan = _Scan(file.readline, None if exact else SCAN)
            rows = count_rows(self._format, scan.readline, self._name)
        if not scan.cut:
            return rows
        if self._path.suffix.lower() == ".gz":
            return None
        return round(rows * self._path.stat().st_size / scan.read)


class _Scan:
    """Lines until so many bytes were read."""

    def __init__(self, readline: ReadLine, bound: int | None) -> None:
        self._readline = readline
        self._bound = bound
        self.read = 0
        self.cut = False

    def readline(self, limit: int) -> bytes:
        if self._bound is not None and self.read >= self._bound:
            self.cut = True
            return b""
        raw = self._readline(limit)
        self.read += len(raw)
        return raw


class _ParquetRows:
    """A Parquet file."""

    def __init__(self, path: Path, name: str) -> None:
        self._file = ParquetFile(path, name)
        self.columns: tuple[str, ...] | None = self._file.columns
        left_out = ", ".join(self._file.left_out)
        self.hint = f"columns of bytes are left out: {left_out}" if left_out else None
        self.rows: Callable[[int], Iterator[Row]] = self._file.rows

    def count(self, exact: bool) -> int | None:
        return self._file.count()


def _open_file(path: Path, name: str, format: str | None) -> _LinesFile | _ParquetRows:
    chosen = format or format_of(path, name)
    return _ParquetRows(path, name) if chosen == "parquet" else _LinesFile(path, name, chosen)
