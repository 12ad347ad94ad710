"""One flight for identical requests under way.

The flight survives the cancellation of every caller, its failure reaches all of them, and the cancellation of
one touches none of the others. Its attempts and its cost go to exactly one of them, the first who is still
there, so that sums over replies are neither short nor double.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trivet.engine.flights import Flights, landing
from trivet.errors import RequestError
from trivet.types import Reply, Request


class CoalesceStatistics(Struct, frozen=True, kw_only=True):
    """Flights under way, and callers that joined somebody else's."""

    flights: int
    joined: int


@dataclass(slots=True)
class Landing:
    """What a flight came to, and whether a caller has it for its own already."""

    result: Reply | RequestError
    taken: bool = False


class Coalesce:
    """Shares flights by key."""

    def __init__(self, inner: Callable[[Request], Awaitable[Reply]], flights: Flights[Landing]) -> None:
        self._inner = inner
        self._flights = flights
        self._joined = 0

    async def __call__(self, request: Request) -> Reply:
        """Join the flight of the same key, or start it. Streams have events of their own and fly alone."""
        if not request.key or request.watch is not None:
            return await self._inner(request)
        name = request.key + request.apart
        flight = self._flights.get(name)
        if flight is None:
            flight = self._flights.start(name, lambda: self._fly(request))
        else:
            self._joined += 1
        landed = await landing(flight)
        first, landed.taken = not landed.taken, True
        if isinstance(landed.result, RequestError):
            # an object of its own for each caller, because layers above write on it
            raise landed.result.copy() if first else _shared(landed.result)
        return landed.result if first else _coalesced(landed.result)

    async def _fly(self, request: Request) -> Landing:
        try:
            return Landing(await self._inner(request))
        except RequestError as error:
            error.__traceback__ = None  # each caller raises its own; the frames of the flight are held by none
            return Landing(error)

    def statistics(self) -> CoalesceStatistics:
        """Counts now and so far."""
        return CoalesceStatistics(flights=len(self._flights), joined=self._joined)

    def __repr__(self) -> str:
        return f"Coalesce(flights={len(self._flights)}, joined={self._joined})"


def _coalesced(reply: Reply) -> Reply:
    # what another process brought has no cost here; the meter knows its worth
    saved = reply.cost if reply.source == "provider" else None
    return replace(reply, source="coalesced", attempts=(), queued=0.0, cost=Decimal(0), saved=saved, ttft=None)


def _shared(error: RequestError) -> RequestError:
    twin = error.copy()
    twin.attempts, twin.queued, twin.cost = (), 0.0, Decimal(0)
    twin.usage, twin.possibly_billed = None, False
    return twin
