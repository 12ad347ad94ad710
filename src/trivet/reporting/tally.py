"""A run's figures from its records, in one pass over the ledger and in memory that does not grow with text.

Rows are counted by the last record of each, money and calls by all records, as the run's own summary counts them. A
row that has two records is found when the second one comes; the pass then begins again, knowing which rows to count
later. Most ledgers have none.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from decimal import Decimal
from heapq import heappush, heapreplace
from pathlib import Path

from trivet.jobs.files import BUFFER
from trivet.jobs.ledger import MAX_ROWS, NAME
from trivet.jobs.record_lines import decoded
from trivet.jobs.rowset import RowSet
from trivet.jobs.summary import Totals, is_plain
from trivet.prices.book import Book
from trivet.records import Record
from trivet.reporting.bill import Bill
from trivet.reporting.timeline import Pace

LISTED = 10
"""Rows in the lists of the slowest and of the dearest."""

EXAMPLES = 5
"""Rows shown for each reason of failure."""

MOST_CODES = 50

QUEUED = 0.001
"""Seconds below which a call has not waited for its permit."""


class Top:
    """The records with the largest of some figure."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Record]] = []
        self.least = 0.0

    def add(self, figure: float, record: Record) -> float:
        """Take a record in, whose figure is larger than `least`; what a figure must exceed from now on."""
        entry = (figure, -record.n, record)
        if len(self._heap) < LISTED:
            heappush(self._heap, entry)
        else:
            heapreplace(self._heap, entry)
        if len(self._heap) == LISTED:
            self.least = self._heap[0][0]
        return self.least

    def records(self) -> list[Record]:
        """The largest first; one record a row."""
        return [record for _, _, record in sorted(self._heap, key=lambda entry: (-entry[0], -entry[1]))]


class Reason:
    """Rows that failed alike."""

    __slots__ = ("count", "records", "usd")

    def __init__(self) -> None:
        self.count = 0
        self.usd: Decimal | None = Decimal(0)
        self.records: list[Record] = []

    def add(self, record: Record) -> None:
        """Count a failed row."""
        self.count += 1
        self.usd = None if self.usd is None or record.cost is None else self.usd + record.cost
        if len(self.records) < EXAMPLES:
            self.records.append(record)


class Tally:
    """Everything that one pass over a ledger finds out. `origin`: the Unix time of the start."""

    def __init__(self, prices: Book, origin: float) -> None:
        self.totals = Totals()
        self.bill = Bill(prices)
        self.pace = Pace(origin)
        self.slowest = Top()
        self.dearest = Top()
        self.reasons: dict[str, Reason] = {}
        self.queued = array("d")
        self.waited = False
        self.simulated = False
        self.damaged = 0
        self.ends = 0.0

    def add(self, record: Record, *, last: bool) -> None:
        """Count a record; `last`: no later one is of the same row."""
        if last:
            self.totals.add(record)
            if record.error is not None:
                self._fail(record)
        else:
            self.totals.add_replaced(record)
        self.bill.add(record)
        if record.at > self.ends:
            self.ends = record.at
        if record.source == "provider":
            self.pace.add(record)
            self._look([record])
            if last:
                self._place([record])

    def add_all(self, records: list[Record]) -> None:
        """Count records that are all the last ones of their rows: the many that are alike at once."""
        plain: list[Record] = []
        others: list[Record] = []
        for record in records:
            (plain if is_plain(record) else others).append(record)
        self.totals.add_plain(plain)
        self.bill.add_plain(plain)
        self.pace.add_plain(plain)
        self._look(plain)
        self._place(plain)
        if plain:
            self.ends = max(self.ends, max([record.at for record in plain]))
        for record in others:
            self.add(record, last=True)

    def _look(self, records: list[Record]) -> None:
        if not self.simulated:
            self.simulated = any(record.simulated for record in records)
        queued = [record.queued for record in records]
        self.queued.extend(queued)
        self.waited = self.waited or any(seconds > QUEUED for seconds in queued)

    def _place(self, records: list[Record]) -> None:
        """Take in those that are among the slowest or the dearest."""
        slow, dear = self.slowest.least, self.dearest.least
        for record in records:
            if record.latency is not None and record.latency > slow:
                slow = self.slowest.add(record.latency, record)
            if record.cost is not None and record.cost > dear:
                dear = self.dearest.add(float(record.cost), record)

    def _fail(self, record: Record) -> None:
        code = record.error.code if record.error is not None else ""
        if code not in self.reasons and len(self.reasons) >= MOST_CODES:
            code = "other"
        self.reasons.setdefault(code, Reason()).add(record)


class _Twice(Exception):
    """A row has two records."""


def tally(folder: Path, prices: Book, origin: float) -> Tally:
    """The figures of a run folder's ledger, whether or not a process is writing it; empty where there is none."""
    path = folder / NAME
    if not path.exists():
        return Tally(prices, origin)
    size = path.stat().st_size  # what is written meanwhile is left to the next report
    try:
        return _once(path, size, Tally(prices, origin))
    except _Twice:
        return _pass(path, size, Tally(prices, origin))


def _once(path: Path, size: int, found: Tally) -> Tally:
    new = RowSet().add
    for records, damaged in _batches(path, size):
        found.damaged += damaged
        if not all(map(new, [record.n for record in records])):
            raise _Twice
        found.add_all(records)
    return found


def _pass(path: Path, size: int, found: Tally) -> Tally:
    left = _repeated(path, size)
    for records, damaged in _batches(path, size):
        found.damaged += damaged
        for record in records:
            n = record.n
            if n in left:
                left[n] -= 1
            found.add(record, last=not left.get(n))
    return found


def _repeated(path: Path, size: int) -> dict[int, int]:
    """Rows with more than one record, and how many each has."""
    new = RowSet().add
    found: dict[int, int] = {}
    for records, _ in _batches(path, size):
        for record in records:
            if not new(record.n):
                found[record.n] = found.get(record.n, 1) + 1
    return found


def _batches(path: Path, size: int) -> Iterator[tuple[list[Record], int]]:
    """The records in the first `size` bytes, many at a time, and how many lines among them are none."""
    with path.open("rb", buffering=BUFFER) as file:
        while size > 0 and (lines := file.readlines(min(BUFFER, size))):
            size -= sum(map(len, lines))
            if not lines[-1].endswith(b"\n"):  # a process is writing it, or was cut off
                lines.pop()
            try:
                records = [decoded(line) for line in lines]
            except (ValueError, RecursionError):
                records = [record for line in lines if (record := _record(line)) is not None]
            if records and not 0 <= min(r.n for r in records) <= max(r.n for r in records) <= MAX_ROWS:
                records = [record for record in records if 0 <= record.n <= MAX_ROWS]
            yield records, len(lines) - len(records)


def _record(line: bytes) -> Record | None:
    try:
        return decoded(line)
    except (ValueError, RecursionError):
        return None
