"""What was sent and has no record yet: the marks beside the records of a ledger, and what they add up to. Pure.

An attempt is marked before its bytes leave and is in flight until the record of its row is written. Once it has
failed in a way that is surely not billed, it is marked as that. Whatever is in flight when a run is taken up
again was lost with the process: nobody can tell whether the provider has billed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TypeAlias

import msgspec
from msgspec import Struct

from trivet.records import Record


class Sent(Struct, frozen=True, kw_only=True, tag_field="mark", tag="sent", omit_defaults=True):
    """An attempt for row `n` is about to leave: all that its worst case depends on."""

    n: int
    size: int = 0  # bytes of the body
    cap: int | None = None  # output tokens it may cost at most
    tier: str | None = None
    after: int = 0  # bytes of the ledger when this was written: records before it are of earlier attempts


class Unbilled(Struct, frozen=True, kw_only=True, tag_field="mark", tag="unbilled", omit_defaults=True):
    """The latest attempt for row `n` came back with an error that costs nothing."""

    n: int
    after: int = 0


class TakenUp(Struct, frozen=True, kw_only=True, tag_field="mark", tag="taken_up", omit_defaults=True):
    """The run was taken up again, at this Unix time: what was in flight before this line is lost."""

    taken_up: float
    after: int = 0


Mark: TypeAlias = Sent | Unbilled | TakenUp

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


class InFlight:
    """Attempts that were sent and not accounted for: those under way, and `lost`, those of processes that are gone."""

    def __init__(self) -> None:
        self.lost: list[Sent] = []
        self._open: dict[int, list[Sent]] = {}

    def mark(self, mark: Mark) -> None:
        """Take a mark into account, in the order they were written."""
        if isinstance(mark, Sent):
            self._open.setdefault(mark.n, []).append(mark)
        elif isinstance(mark, TakenUp):
            self.lost += self.open()
            self._open.clear()
        elif attempts := self._open.get(mark.n):
            attempts.pop()
            if not attempts:
                del self._open[mark.n]

    def settle(self, n: int) -> list[Sent]:
        """Row `n` has its record, which tells what became of its attempts; returns those that may be billed."""
        return self._open.pop(n, [])

    def open(self) -> list[Sent]:
        """What is in flight now."""
        return [attempt for attempts in self._open.values() for attempt in attempts]

    def __len__(self) -> int:
        """How many attempts may be billed without any record of it."""
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
    return sum_ + sum((worst_case(sent) or Decimal(0) for sent in (*flying.lost, *flying.open())), Decimal(0))
