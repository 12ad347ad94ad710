"""One pass over the rows: how many there are, which are bad, which ask the same, and a sample of the questions.

The sample is of distinct questions: those with the smallest digests ("bottom k", Cohen and Kaplan, 2007). A digest is
as good as a random number, so the sample is uniform, needs no second pass and is the same every time; and since a
question that is kept has been kept from its first appearance on, it is known exactly how often each of them was asked.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Callable, Iterable
from hashlib import blake2b
from heapq import heappop, heappush

import msgspec
from msgspec import Struct

from trivet.errors import DataError
from trivet.jobs.rows import Row
from trivet.tasks.task import Task
from trivet.types import Request

MOST_ROWS = 20_000
"""Distinct questions in the sample."""

MOST_BYTES = 12_000_000
"""Bytes of questions in the sample."""

SHOWN = 5
"""Bad rows that are told one by one."""

_PARTS = 256


class Question(Struct, kw_only=True):
    """A row of the sample, what is asked for it, and how many rows ask the same."""

    row: Row
    request: Request
    times: int = 1


class Survey(Struct, frozen=True, kw_only=True):
    """What a pass over the rows found.

    `rows`: all; `bad`: those that can't be asked, the first of them with their `complaints`; `exact`: rows that ask
    just what an earlier one asks; `normalised`: further rows that differ from an earlier one by white space and Unicode
    form alone; `distinct`: questions that are different for the cache; `sample`: some of these, or all.
    """

    rows: int
    bad: int
    complaints: tuple[str, ...]
    exact: int
    normalised: int
    distinct: int
    sample: tuple[Question, ...]

    @property
    def good(self) -> int:
        """Rows that can be asked."""
        return self.rows - self.bad

    @property
    def whole(self) -> bool:
        """Whether the sample is everything there is."""
        return len(self.sample) == self.distinct


class Distinct:
    """Counts different 64-bit digests in 8 bytes each, whatever they stand for."""

    def __init__(self) -> None:
        self._parts = [array("Q") for _ in range(_PARTS)]

    def add(self, digest: int) -> None:
        """Count a digest."""
        self._parts[digest >> 56].append(digest)

    def count(self) -> int:
        """How many different ones there were; two that collide count as one (once in 10^19 pairs)."""
        return sum(len(set(part)) for part in self._parts)


class Sketch:
    """The questions with the smallest digests, so many of them or so many bytes."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._held: dict[int, Question] = {}
        self._largest: list[int] = []  # a heap of the digests, negated
        self._bound = 1 << 64

    def add(self, digest: int, row: Row, request: Request) -> None:
        """Take a question in, if its digest is small enough."""
        held = self._held.get(digest)
        if held is not None:
            held.times += 1
            return
        if digest >= self._bound:
            return
        self._held[digest] = Question(row=row, request=request)
        self._bytes += len(request.head)
        heappush(self._largest, -digest)
        while len(self._held) > 1 and (len(self._held) > self._most or self._bytes > self._most_bytes):
            self._bound = -heappop(self._largest)
            self._bytes -= len(self._held.pop(self._bound).request.head)

    def questions(self) -> tuple[Question, ...]:
        """The sample, by digest: any first part of it is a random sample, too."""
        return tuple(self._held[digest] for digest in sorted(self._held))


def survey(
    task: Task,
    rows: Iterable[Row],
    *,
    most: int = MOST_ROWS,
    most_bytes: int = MOST_BYTES,
    tick: Callable[[int], None] | None = None,
) -> Survey:
    """Read the rows once, in memory that grows by 16 bytes a row. `tick` hears of every thousandth row."""
    n = bad = 0
    complaints: list[str] = []
    exact, folded, sketch = Distinct(), Distinct(), Sketch(most, most_bytes)
    plain = task.with_(normalise=False) if task.normalise else task  # half the work; folded here all the same
    for row in rows:
        n += 1
        if tick is not None and n % 1000 == 0:
            tick(n)
        request, complaint = _asked(plain, row)
        if request is None:
            bad += 1
            if len(complaints) < SHOWN:
                complaints.append(complaint)
            continue
        own, alike = _digest(request.head), _digest(_folded(request.head))
        exact.add(own)
        folded.add(alike)
        sketch.add(alike if task.normalise else own, row, request)
    one_by_one, together = exact.count(), folded.count()
    return Survey(
        rows=n,
        bad=bad,
        complaints=tuple(complaints),
        exact=n - bad - one_by_one,
        normalised=one_by_one - together,
        distinct=together if task.normalise else one_by_one,
        sample=tuple(_keyed(task, question) for question in sketch.questions()),
    )


def _asked(task: Task, row: Row) -> tuple[Request | None, str]:
    if row.data is None:
        return None, row.error or f"{row.place} can't be read"
    try:
        return task.request(row.data), ""
    except DataError as error:
        return None, f"{row.place}: {error}"


def _keyed(task: Task, question: Question) -> Question:
    """The question with the request that a run would make of it, so that it has its key."""
    if task.normalise and question.row.data is not None:
        question.request = task.request(question.row.data)
    return question


def _digest(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def _folded(head: bytes) -> bytes:
    """What is asked, with white space and Unicode form folded as the normalised key does it."""
    texts = _texts.decode(head + b"}")
    both = f"{texts.instructions}\0{texts.input}"
    if not both.isascii():
        both = unicodedata.normalize("NFC", both)
    return " ".join(both.split()).encode("utf-8", "surrogatepass")


class _Texts(Struct):
    input: str
    instructions: str = ""


_texts = msgspec.json.Decoder(_Texts)
