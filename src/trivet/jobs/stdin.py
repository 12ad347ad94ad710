"""Rows from standard input, kept on disk as they are read, so that an interrupted run can be resumed.

While the input is read its copy is called `input.jsonl.part` (or `.csv.part`, ...); the name loses the last
part when the input has ended, which is how a later run knows that the copy is complete.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from trivet.errors import DataError, MachineError
from trivet.jobs.files import BUFFER
from trivet.jobs.formats import read
from trivet.jobs.lines import ReadLine
from trivet.jobs.rows import Row, Source
from trivet.jobs.writing import machine_errors, write_all


class StandardInput(Source):
    """Rows of a byte stream that can be read once. `keep_in` says where a copy is kept."""

    blocking = True
    repeatable = False

    def __init__(self, stream: BinaryIO, format: str = "jsonl") -> None:
        if format == "parquet":
            raise DataError("Parquet can't be read from standard input: save it to a file and name that")
        self.spec = "-"
        self._stream = stream
        self._format = format
        self._folder: Path | None = None

    def keep_in(self, folder: Path) -> None:
        """Keep a copy in this folder; one that an interrupted run left there is what the input is held to."""
        self._folder = folder

    def __iter__(self) -> Iterator[Row]:
        with _own_reader(self._stream) as stream, ExitStack() as open_files:
            readline: ReadLine = stream.readline
            if self._folder is not None:
                kept = KeptInput(stream, self._folder / f"input.{self._format}")
                readline = open_files.enter_context(closing(kept)).readline
            yield from read(self._format, readline, "standard input").rows


class KeptInput:
    """Lines of a stream, each in the copy before it is handed out; a copy begun before must agree with them.

    A complete copy also stands in for a stream that has nothing to say (a terminal, an empty input).
    """

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._complete = path.exists()
        self._number = 0
        self._replaying = True
        try:
            self._fd = -1 if self._complete else os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._kept = (path if self._complete else self._part).open("rb", buffering=BUFFER)
            if not self._complete:
                _drop_torn_line(self._fd, self._part)
        except OSError as error:
            raise MachineError(f"{self._part} can't be opened: {error.strerror}") from None
        self._alone = self._complete and stream.isatty()

    def readline(self, limit: int) -> bytes:
        """The next line, at most `limit` bytes of it; `DataError` where it is not the line that was kept."""
        self._number += 1
        if self._replaying:
            kept = self._kept.readline(limit)
            if kept or self._complete:
                return self._held_to(kept, limit)
            self._replaying = False
        line = self._stream.readline(limit)
        if line:
            write_all(self._fd, line, self._part)
        else:
            self._finish()
        return line

    def _held_to(self, kept: bytes, limit: int) -> bytes:
        if self._alone:
            return kept
        line = self._stream.readline(limit)
        if line == kept:
            return kept
        if not line and self._number == 1:
            if self._complete:
                self._alone = True
                return kept
            raise DataError(
                "the interrupted run had not read all of standard input, and now there is none: "
                "pipe the same input in again, or use --fresh"
            )
        raise DataError(
            f"standard input differs from what the interrupted run read at line {self._number}: "
            "pipe the same input in again, or use --fresh"
        )

    def _finish(self) -> None:
        if not self._complete:
            with machine_errors(self._path):
                self._part.rename(self._path)
            self._complete = True

    def close(self) -> None:
        """Let go of the copy."""
        self._kept.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _drop_torn_line(fd: int, path: Path) -> None:
    """Cut off what follows the last whole line: the end of a line may have been lost with the process."""
    end = os.fstat(fd).st_size
    while end > 0:
        start = max(0, end - BUFFER)
        block = os.pread(fd, end - start, start)
        newline = block.rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    os.ftruncate(fd, end)


@contextmanager
def _own_reader(stream: BinaryIO) -> Iterator[BinaryIO]:
    """A reader of our own on the same file, where the stream has one.

    At exit the interpreter takes the lock of `sys.stdin`'s buffer, and aborts the process when a thread holds
    it in a read; nobody asks for this one's.
    """
    try:
        raw = io.FileIO(os.dup(stream.fileno()))
    except (OSError, io.UnsupportedOperation):
        yield stream
    else:
        with io.BufferedReader(raw, BUFFER) as reader:
            yield reader
