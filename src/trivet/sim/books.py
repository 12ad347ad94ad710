"""The provider's own account of what it served and would bill, so that a client's can be held against it."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from trivet.sim.response import Generated


class Billed(Struct, kw_only=True):
    """Tokens billed for one model at one tier; `cached_input` and the writes are parts of `input`."""

    requests: int = 0
    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    cache_write_12h: int = 0
    output: int = 0
    reasoning: int = 0


class Statement(Struct, frozen=True, kw_only=True):
    """The books at one moment: `GET /v1/trivet/books`.

    `requests`: generation requests that arrived; `billed`: tokens by "model/tier", of every request whose
    answer was generated, delivered or not; `refused`: error answers by code (or type); `faults`: by name.
    """

    requests: int
    in_flight: int
    max_in_flight: int
    billed: dict[str, Billed]
    refused: dict[str, int]
    faults: dict[str, int]
    disconnected: int


class Books:
    """Counts as the requests come and go."""

    def __init__(self) -> None:
        self._requests = 0
        self._in_flight = 0
        self._max_in_flight = 0
        self._disconnected = 0
        self._billed: dict[str, Billed] = {}
        self._refused: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()

    def arrived(self) -> None:
        """A generation request came in."""
        self._requests += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)

    def left(self, *, delivered: bool) -> None:
        """Its exchange is over; `delivered` is False when the client went away before the end."""
        self._in_flight -= 1
        self._disconnected += not delivered

    def refused(self, code: str) -> None:
        """It was answered with an error."""
        self._refused[code] += 1

    def faulted(self, name: str) -> None:
        """A fault of the scenario befell it."""
        self._faults[name] += 1

    def bill(self, model: str, tier: str, made: Generated) -> None:
        """Its answer was generated, and is charged."""
        line = self._billed.setdefault(f"{model}/{tier}", Billed())
        line.requests += 1
        line.input += made.input
        line.cached_input += made.cache.read
        line.cache_write += made.cache.written
        line.cache_write_12h += made.cache.written_12h
        line.output += made.output
        line.reasoning += made.reasoning

    def statement(self) -> Statement:
        """The books now."""
        return Statement(
            requests=self._requests,
            in_flight=self._in_flight,
            max_in_flight=self._max_in_flight,
            billed=dict(self._billed),
            refused=dict(self._refused),
            faults=dict(self._faults),
            disconnected=self._disconnected,
        )
