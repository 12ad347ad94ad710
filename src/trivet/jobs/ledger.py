"""The ledger of a run: one record a line, written before anybody is told, read again when the run resumes.

When `append` returns, the record is as far as this process can take it: one `write` to a file opened for
appending, which survives the death of the process. A line torn by a crash is cut off when the file is opened
again, and its row is asked again.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from trivet.errors import MachineError, RunError
from trivet.jobs.files import BUFFER
from trivet.jobs.rowset import RowSet
from trivet.jobs.runs import owner
from trivet.jobs.writing import machine_errors, write_all
from trivet.records import Record

NAME = "ledger.jsonl"

MAX_ROWS = 2**32
"""A row's number beyond which a record is taken for damaged, not for a reason to reserve gigabytes."""

_BLOCK = 2048
"""Bytes read for one record, before more are."""

log = logging.getLogger("trivet.jobs")


_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(Record).decode


class Ledger:
    """The records of a run, and which rows they are of.

    `done`: rows with a record. `failed`: those of them whose last record is a failure. `damaged`: lines that
    could not be read. Memory: a quarter of a byte for each row; `ordered` takes 8 bytes more while it runs.
    """

    def __init__(self, folder: Path, fd: int) -> None:
        self.folder = folder
        self.path = folder / NAME
        self.done = RowSet()
        self.failed = RowSet()
        self.damaged = 0
        self._lines = 0
        self._fd = fd

    @classmethod
    def open(cls, folder: Path) -> Ledger:
        """Open the ledger of a run folder, new or not, for this process alone.

        Raises `RunError` when another process has it, `MachineError` when it can't be read or written.
        """
        path = folder / NAME
        with machine_errors(path):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _lock(fd, folder)
            ledger = cls(folder, fd)
            with machine_errors(path):
                _mend_end(fd)
                ledger._read()
        except BaseException:
            os.close(fd)
            raise
        return ledger

    def _read(self) -> None:
        for offset, record in _scan(self.path):
            if record is not None:
                self._note(record.n, failed=record.error is not None)
            else:
                self.damaged += 1
                log.warning("%s is damaged at byte %d: the row of that line has no record", self.path, offset)

    def _note(self, n: int, *, failed: bool) -> None:
        self._lines += 1
        self.done.add(n)
        if failed:
            self.failed.add(n)
        else:
            self.failed.discard(n)

    def append(self, record: Record) -> None:
        """Write a record; `MachineError` when the disk does not take it, and then nothing of it is left."""
        write_all(self._fd, encoded(record), self.path)
        self._note(record.n, failed=record.error is not None)

    def records(self) -> Iterator[Record]:
        """All records in the order they were written, those that a later one of the same row replaces too."""
        return read_records(self.folder)

    def ordered(self) -> Iterator[Record]:
        """The last record of each row, in the order of the rows."""
        with _Index(self.path, self.done) as index:
            for n in self.done:
                record = _record(_line_at(self._fd, index.offset(n)))
                if record is None:
                    raise MachineError(f"{self.path} was damaged after it was opened: check the disk")
                yield record

    def replaced(self) -> Iterator[Record]:
        """The records that are no row's last one: failures of rows that were asked again."""
        if self._lines == len(self.done):
            return
        with _Index(self.path, self.done) as index:
            for offset, record in _scan(self.path):
                if record is not None and index.offset(record.n) != offset:
                    yield record

    def close(self) -> None:
        """Ask the disk to keep what was written, and let others have the ledger."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            with machine_errors(self.path):
                os.fsync(fd)
        finally:
            os.close(fd)

    def __repr__(self) -> str:
        return f"Ledger({str(self.path)!r}, done={len(self.done)}, failed={len(self.failed)})"


def read_records(folder: Path) -> Iterator[Record]:
    """The readable records of a run folder in the order they were written; another process may be writing."""
    for _, record in _scan(folder / NAME):
        if record is not None:
            yield record


def encoded(record: Record) -> bytes:
    """The record as a line; what JSON has no type for is written as text."""
    try:
        return _encode(record) + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair, which Python can hold and UTF-8 can't
        return _encode(_without_surrogates(msgspec.to_builtins(record, enc_hook=str))) + b"\n"


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def _lock(fd: int, folder: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"{folder} is being run by {owner(folder)}: wait for it, or stop it") from None
    except OSError as error:
        raise MachineError(f"{folder / NAME} can't be locked: {error.strerror}; choose a local disk") from None


def _mend_end(fd: int) -> None:
    """Leave whole lines only: a last one that lacks just its end gets it, a torn one goes."""
    size = os.fstat(fd).st_size
    start = size
    while start > 0:
        low = max(0, start - BUFFER)
        newline = os.pread(fd, start - low, low).rfind(b"\n")
        start = low
        if newline >= 0:
            start = low + newline + 1
            break
    if start == size:
        return
    if _record(os.pread(fd, size - start, start)) is None:
        os.ftruncate(fd, start)
    else:
        os.write(fd, b"\n")


def _scan(path: Path) -> Iterator[tuple[int, Record | None]]:
    """Where each whole line begins, and its record, None if it is damaged."""
    offset = 0
    with path.open("rb", buffering=BUFFER) as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield offset, _record(line)
            offset += len(line)


def _record(line: bytes) -> Record | None:
    try:
        record = _decode(line)
    except (ValueError, RecursionError):
        return None
    return record if 0 <= record.n <= MAX_ROWS else None


def _line_at(fd: int, offset: int) -> bytes:
    size = _BLOCK
    while True:
        block = os.pread(fd, size, offset)
        end = block.find(b"\n")
        if end >= 0:
            return block[:end]
        if len(block) < size:
            return block
        size *= 8


class _Index:
    """Where the last record of each row begins. The memory of rows without a record is never touched."""

    def __init__(self, path: Path, done: RowSet) -> None:
        self._map = mmap.mmap(-1, 8 * max(1, done.bound))
        self._offsets = memoryview(self._map).cast("q")
        for offset, record in _scan(path):
            if record is not None:
                self._offsets[record.n] = offset

    def offset(self, n: int) -> int:
        return self._offsets[n]

    def __enter__(self) -> _Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._offsets.release()
        self._map.close()
