"""What was sent and has no record yet: the marks beside the records of a ledger, and what they add up to. Pure.

An attempt is marked before its bytes leave and is in flight until it has failed or the record of its row is written.
Whatever is in flight when a run is taken up again was lost with the process: nobody can tell whether the provider has
billed it. An attempt that has failed is marked with all that is known of it, so that a row over which a run is stopped,
which has no record, costs what it cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TypeAlias

import msgspec
from msgspec import Struct

from trivet.records import Record
from trivet.types import Attempt, Request, total


class Sent(Struct, frozen=True, kw_only=True, tag_field="mark", tag="sent", omit_defaults=True):
    """An attempt for row `n` is about to leave: all that its worst case depends on."""

    n: int
    size: int = 0  # bytes of the body
    cap: int | None = None  # output tokens it may cost at most
    tier: str | None = None
    after: int = 0  # bytes of the ledger when this was written: records before it are of earlier attempts


class Failed(Struct, frozen=True, kw_only=True, tag_field="mark", tag="failed", omit_defaults=True):
    """The latest attempt for row `n` has ended without an answer; `attempt` knows what it cost."""

    n: int
    attempt: Attempt
    after: int = 0


class TakenUp(Struct, frozen=True, kw_only=True, tag_field="mark", tag="taken_up", omit_defaults=True):
    """The run was taken up again, at this Unix time: what was in flight before this line is lost."""

    taken_up: float
    after: int = 0


Mark: TypeAlias = Sent | Failed | TakenUp

_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Mark] = msgspec.json.Decoder(Mark).decode


def encoded(mark: Mark) -> bytes:
    """The mark as a line."""
    return _encode(mark) + b"\n"


def decoded(line: bytes) -> Mark | None:
    """The mark that a line is; None when it is damaged."""
    try:
        return _decode(line)
    except (ValueError, RecursionError):
        return None


def mark_of(request: Request, attempt: Attempt | None, after: int = 0) -> Mark:
    """What a request's journal writes down; the request's label is the number of its row."""
    n = int(request.label)
    if attempt is not None:
        return Failed(n=n, attempt=attempt, after=after)
    cap = request.max_output if isinstance(request.max_output, int) and request.max_output > 0 else None
    return Sent(n=n, size=len(request.head) + len(request.tail), cap=cap, tier=request.tier, after=after)


class Ended(Struct, frozen=True):
    """A failed attempt of row `n` that no record tells of: what was sent, and what came of it."""

    sent: Sent
    attempt: Attempt


class InFlight:
    """What was sent and is in no record: attempts under way, those `lost` with their process, and failed ones."""

    def __init__(self) -> None:
        self.lost: list[Sent] = []
        self._open: dict[int, list[Sent]] = {}
        self._failed: dict[int, list[Ended]] = {}
        self._failed_before: list[list[Ended]] = []
        """By row, of processes that are gone: a record that comes later does not tell of them."""

    def mark(self, mark: Mark) -> None:
        """Take a mark into account, in the order they were written."""
        if isinstance(mark, Sent):
            self._open.setdefault(mark.n, []).append(mark)
        elif isinstance(mark, TakenUp):
            self.lost += self.open()
            self._failed_before += self._failed.values()
            self._open.clear()
            self._failed.clear()
        else:
            attempts = self._open.get(mark.n)
            sent = attempts.pop() if attempts else Sent(n=mark.n)
            if not attempts:
                self._open.pop(mark.n, None)
            self._failed.setdefault(mark.n, []).append(Ended(sent, mark.attempt))

    def settle(self, n: int) -> list[Sent]:
        """Row `n` has its record, which tells what became of all its attempts; returns what was sent for it."""
        sent = self._open.pop(n, [])
        return [ended.sent for ended in self._failed.pop(n)] + sent if n in self._failed else sent

    def open(self) -> list[Sent]:
        """What is in flight now."""
        return [attempt for attempts in self._open.values() for attempt in attempts]

    def ended(self) -> list[Ended]:
        """The failed attempts that no record tells of."""
        return [each for row in (*self._failed_before, *self._failed.values()) for each in row]

    def unfinished(self) -> Iterator[Record]:
        """What the failed attempts of rows without a record came to, as records that are of no row's end."""
        for row in (*self._failed_before, *self._failed.values()):
            attempts = tuple(ended.attempt for ended in row)
            yield Record(n=row[0].sent.n, source="provider", attempts=attempts, cost=total(attempts))

    @property
    def unsettled(self) -> bool:
        """Whether a record may still come for something."""
        return bool(self._open or self._failed)

    def __len__(self) -> int:
        """How many attempts may be billed without anything known of their end."""
        return len(self.lost) + sum(map(len, self._open.values()))


def spent(lines: Iterable[Record | Mark], worst_case: Callable[[Sent], Decimal | None]) -> Decimal:
    """US dollars that a run has cost at most: what is known, and the worst case of what is *possibly billed*.

    A worst case that is not known counts as nothing: no budget holds there, and none is accepted.
    """
    flying = InFlight()
    sum_ = Decimal(0)
    for line in lines:
        if not isinstance(line, Record):
            flying.mark(line)
            continue
        sent = flying.settle(line.n)
        if not line.attempts:
            sum_ += line.cost or 0
        for attempt in line.attempts:
            if attempt.cost is not None:
                sum_ += attempt.cost
            elif sent:  # all attempts of a row send the same bytes
                sum_ += worst_case(sent[0]) or 0
    for ended in flying.ended():
        cost = ended.attempt.cost
        sum_ += (worst_case(ended.sent) or 0) if cost is None else cost
    return sum_ + sum((worst_case(sent) or Decimal(0) for sent in (*flying.lost, *flying.open())), Decimal(0))
