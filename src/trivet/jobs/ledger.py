"""The ledger of a run: one record a line, written before anybody is told, read again when the run resumes.

Beside it, in a file of their own, are the marks of `intents`: a line before each attempt is sent, so that a crash
leaves word of what was in flight. When `append` or `mark` returns, the line is as far as this process can take
it: it survives the death of the process; a power cut takes what the disk does not have yet, unless `sync` was
called. The row of a line torn by a crash is asked again.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from trivet.errors import MachineError, RunError
from trivet.jobs import intents
from trivet.jobs.intents import InFlight, Mark, TakenUp
from trivet.jobs.line_file import LineFile, scan
from trivet.jobs.record_lines import decoded, encoded
from trivet.jobs.rowset import RowSet
from trivet.jobs.runs import owner
from trivet.jobs.writing import machine_errors
from trivet.records import Record

NAME = "ledger.jsonl"
MARKS = "sent.jsonl"

MAX_ROWS = 2**32
"""A row's number beyond which a record is taken for damaged, not for a reason to reserve gigabytes."""

log = logging.getLogger("trivet.jobs")


class _Numbered(Struct):
    """What is asked of a line that is known to be a record."""

    n: int


_row_of = msgspec.json.Decoder(_Numbered).decode


class Ledger:
    """The records of a run, and which rows they are of.

    `done`: rows with a record. `failed`: those of them whose last record is a failure. `damaged`: lines that
    could not be read. `in_flight`: attempts without a record. Memory: a quarter of a byte for each row; `ordered`
    takes 8 bytes more while it runs.
    """

    def __init__(self, folder: Path, records: LineFile, marks: LineFile) -> None:
        self.folder = folder
        self.path = records.path
        self.done = RowSet()
        self.failed = RowSet()
        self.in_flight = InFlight()
        self.damaged = 0
        self._lines = 0
        self._records = records
        self._marks = marks

    @classmethod
    def open(cls, folder: Path, now: float = 0.0) -> Ledger:
        """Open the ledger of a run folder, new or not, for this process alone. `now`: Unix time.

        What an earlier process left in flight is `in_flight.lost` from here on, and is marked as that. Raises
        `RunError` when another process has it, `MachineError` when it can't be read or written.
        """
        records = LineFile(folder / NAME)
        try:
            _lock(records.fd, folder)
            ledger = cls(folder, records, LineFile(folder / MARKS))
        except BaseException:
            records.close()
            raise
        try:
            ledger._read(now)
        except BaseException:
            ledger._close_files()
            raise
        return ledger

    def _read(self, now: float) -> None:
        self._records.mend(lambda line: _record(line) is not None)
        self._marks.mend(lambda line: False)  # what was not wholly marked was not sent
        with machine_errors(self.path):
            for offset, line in _merged(self.folder):
                if isinstance(line, Record):
                    self._note(line)
                elif line is not None:
                    self.in_flight.mark(line)
                else:
                    self.damaged += 1
                    log.warning("%s is damaged at byte %d: the row of that line has no record", self.path, offset)
        if self.in_flight.unsettled:
            self.mark(TakenUp(taken_up=now, after=self.size))

    def _note(self, record: Record) -> None:
        self._lines += 1
        self.in_flight.settle(record.n)
        self.done.add(record.n)
        if record.error is not None:
            self.failed.add(record.n)
        else:
            self.failed.discard(record.n)

    @property
    def size(self) -> int:
        """Bytes of all records: what a mark that is written now comes after."""
        return self._records.size

    def append(self, record: Record) -> None:
        """Write a record; `MachineError` when the disk does not take it, and then nothing of it is left."""
        self._records.append(encoded(record))
        self._note(record)

    def mark(self, mark: Mark) -> None:
        """Write a mark; `MachineError` when the disk does not take it. Nothing once the ledger is closed."""
        if self._marks.fd < 0:  # a shared call may outlive the run that began it
            return
        self._marks.append(intents.encoded(mark))
        self.in_flight.mark(mark)

    def records(self) -> Iterator[Record]:
        """All records in the order they were written, those that a later one of the same row replaces too."""
        return read_records(self.folder)

    def lines(self) -> Iterator[Record | Mark]:
        """All records and marks in the order they were written."""
        return (line for _, line in _merged(self.folder) if line is not None)

    def ordered(self) -> Iterator[Record]:
        """The last record of each row, in the order of the rows."""
        with self._index() as index:
            for n in self.done:
                record = _record(self._records.at(index.offset(n)))
                if record is None or record.n != n:
                    raise MachineError(f"{self.path} was damaged after it was opened: check the disk")
                yield record

    def replaced(self) -> Iterator[Record]:
        """The records that are no row's last one: failures of rows that were asked again."""
        if self._lines == len(self.done):
            return
        with self._index() as index:
            for offset, line in scan(self.path):
                record = _record(line)
                if record is not None and index.offset(record.n) != offset:
                    yield record

    def spent_in_vain(self) -> Iterator[Record]:
        """What is money but no row's last word: `replaced`, and failed attempts of rows the run was stopped over."""
        yield from self.replaced()
        yield from self.in_flight.unfinished()

    def look(self) -> None:
        """`MachineError` when the run folder is no longer where it was."""
        self._records.look()

    def _index(self) -> _Index:
        # each line was read whole or written by this object, so that all are records unless one was found damaged
        return _Index(self.path, self.done, _number if self.damaged else _known_number)

    def sync(self) -> None:
        """Return when the disk has what was written; `MachineError` when it fails."""
        self._marks.sync()
        self._records.sync()

    def close(self) -> None:
        """Ask the disk to keep what was written, and let others have the ledger."""
        if self._records.fd < 0:
            return
        try:
            self.sync()
        finally:
            self._close_files()

    def _close_files(self) -> None:
        self._marks.close()
        self._records.close()

    def __repr__(self) -> str:
        return f"Ledger({str(self.path)!r}, done={len(self.done)}, failed={len(self.failed)})"


def read_records(folder: Path) -> Iterator[Record]:
    """The readable records of a run folder in the order they were written; another process may be writing."""
    for _, line in scan(folder / NAME):
        record = _record(line)
        if record is not None:
            yield record


def read_in_flight(folder: Path) -> InFlight:
    """What a run folder tells of attempts that no record does; another process may be writing."""
    in_flight = InFlight()
    if not (folder / MARKS).is_file() or not (folder / NAME).is_file():
        return in_flight
    for _, line in _merged(folder):
        if isinstance(line, Record):
            in_flight.settle(line.n)
        elif line is not None:
            in_flight.mark(line)
    return in_flight


def _lock(fd: int, folder: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"{folder} is being run by {owner(folder)}: wait for it, or stop it") from None
    except OSError as error:
        raise MachineError(f"{folder / NAME} can't be locked: {error.strerror}; choose a local disk") from None


def _merged(folder: Path) -> Iterator[tuple[int, Record | Mark | None]]:
    """Records and marks in the order they were written, None for a damaged record, each with a record's place."""
    marks = (intents.decoded(line) for _, line in scan(folder / MARKS))
    known = (mark for mark in marks if mark is not None)
    mark = next(known, None)
    for offset, line in scan(folder / NAME):
        while mark is not None and mark.after <= offset:
            yield offset, mark
            mark = next(known, None)
        yield offset, _record(line)
    while mark is not None:
        yield mark.after, mark
        mark = next(known, None)


def _record(line: bytes) -> Record | None:
    try:
        record = decoded(line)
    except (ValueError, RecursionError):
        return None
    return record if 0 <= record.n <= MAX_ROWS else None


def _number(line: bytes) -> int | None:
    record = _record(line)
    return None if record is None else record.n


def _known_number(line: bytes) -> int | None:
    try:
        return _row_of(line).n
    except ValueError:
        return None


class _Index:
    """Where the last record of each row begins. The memory of rows without a record is never touched."""

    def __init__(self, path: Path, done: RowSet, number: Callable[[bytes], int | None]) -> None:
        self._map = mmap.mmap(-1, 8 * max(1, done.bound))
        self._offsets = memoryview(self._map).cast("q")
        for offset, line in scan(path):
            n = number(line)
            if n is not None:
                self._offsets[n] = offset

    def offset(self, n: int) -> int:
        return self._offsets[n]

    def __enter__(self) -> _Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._offsets.release()
        self._map.close()
