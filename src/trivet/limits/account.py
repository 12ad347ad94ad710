"""A budget's books: money is reserved before it can be spent, and settled when it is known.

    settled + reserved <= budget, always

A call whose worst case does not fit is told to *wait* while reservations of others stand in its way (they
settle to less as a rule), and to *stop* when settled spend alone leaves no room for it. Pure and synchronous:
between a decision and its booking nothing else can run, in this thread or another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import Enum
from threading import Lock

from msgspec import Struct


class Room(Enum):
    """Whether an amount fits."""

    RESERVED = "reserved"
    WAIT = "wait"
    STOP = "stop"


class AccountStatistics(Struct, frozen=True, kw_only=True):
    """US dollars: the budget, what is settled, what is reserved for calls under way."""

    budget: Decimal | None
    settled: Decimal
    reserved: Decimal


class Account:
    """The books of one budget; `budget=None` counts without a bound. `settled`: spent by earlier runs.

    May be shared by event loops in several threads.
    """

    def __init__(self, budget: Decimal | None, settled: Decimal = Decimal(0)) -> None:
        self.budget = budget
        self._settled = settled
        self._reserved = Decimal(0)
        self._lock = Lock()
        self._listeners: list[Callable[[], None]] = []

    def reserve(self, amount: Decimal) -> Room:
        """Set `amount` aside if it fits."""
        with self._lock:
            if self.budget is not None:
                if self._settled + amount > self.budget:
                    return Room.STOP
                if self._settled + self._reserved + amount > self.budget:
                    return Room.WAIT
            self._reserved += amount
            return Room.RESERVED

    def settle(self, reserved: Decimal, actual: Decimal) -> None:
        """Replace a reservation by what was really spent."""
        with self._lock:
            self._reserved -= reserved
            self._settled += actual
            listeners = tuple(self._listeners)
        for tell in listeners:
            tell()

    @contextmanager
    def settlements(self, tell: Callable[[], None]) -> Iterator[None]:
        """Have `tell` called after each settlement, in the thread that settled."""
        with self._lock:
            self._listeners.append(tell)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(tell)

    def spend(self, amount: Decimal) -> None:
        """Count what was spent elsewhere, by an earlier run of the same work."""
        self.settle(Decimal(0), amount)

    def left(self) -> Decimal | None:
        """What settled spend leaves of the budget; None without one."""
        return None if self.budget is None else self.budget - self._settled

    def statistics(self) -> AccountStatistics:
        """The books now."""
        with self._lock:
            return AccountStatistics(budget=self.budget, settled=self._settled, reserved=self._reserved)

    def __repr__(self) -> str:
        return f"Account(budget={self.budget}, settled={self._settled}, reserved={self._reserved})"
