"""One flight for identical requests of several processes: whoever holds the lease of a key asks, the others wait.

A process takes the lease of the key it is about to ask for. Whoever finds it taken looks again, after 50 ms and
then less and less often, every time for both: the value, and the lease. So

- an answer is there within half a second of being kept, and no message can be missed;
- a lease is renewed while its flight is under way. A process that dies stops renewing, its lease expires, and one
  of those who wait has it at its next look;
- a flight that failed, or brought back what is not kept, gives its lease back, and *one* of those who wait asks in its
  turn. A failure is not passed on to other processes: it may be of the one (its key, its network, its deadline),
  and is never multiplied, because they ask one after the other.

A lease saves calls and nothing more: one that was lost (a process that stood still for too long, a Redis that
restarted) costs a call made twice, never a wrong answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from trivet.engine.flights import Flights
from trivet.engine.shelf import Shelf
from trivet.types import Reply, Request

if TYPE_CHECKING:
    from trivet.store.redis import Leases

FIRST_LOOK = 0.05
LAST_LOOK = 0.5
RENEWALS = 3
"""A lease is renewed so many times in its length."""


class Lease:
    """Shares flights by key among all who share the leases. `draw`: uniform random numbers in [0, 1)."""

    def __init__(
        self,
        inner: Callable[[Request], Awaitable[Reply]],
        leases: Leases,
        shelf: Shelf,
        renewing: Flights[None],
        draw: Callable[[], float],
    ) -> None:
        self._inner = inner
        self._leases = leases
        self._shelf = shelf
        self._renewing = renewing
        self._draw = draw
        self._held: dict[bytes, bytes] = {}

    async def __call__(self, request: Request) -> Reply:
        """The reply that another process brings, or the inner call's, which keeps it. A stream flies alone."""
        if not request.key or request.watch is not None:
            return await self._inner(request)
        token = self._leases.token()
        look = FIRST_LOOK
        while True:
            claim = await self._leases.claim(request.key, token)
            found = None if claim.value is None else self._shelf.read(request, claim.value)
            if claim.mine:
                return await self._lead(request, token, found)
            if found is not None:
                return _brought(found)
            await asyncio.sleep(look * (0.75 + 0.5 * self._draw()))
            look = min(LAST_LOOK, 1.5 * look)

    async def _lead(self, request: Request, token: bytes, found: Reply | None) -> Reply:
        self._held[request.key] = token
        try:
            if found is not None:  # kept between our own lookup and the claim
                return _brought(found)
            self._renew()
            return await self._inner(request)
        finally:
            del self._held[request.key]
            await self._leases.release(request.key, token)

    def _renew(self) -> None:
        flight = self._renewing.get(b"")
        if flight is None or flight.done():
            self._renewing.start(b"", self._renew_all)

    async def _renew_all(self) -> None:
        while self._held:
            await asyncio.sleep(self._leases.seconds / RENEWALS)
            await self._leases.extend(self._held)


def _brought(reply: Reply) -> Reply:
    """Another's reply, as one that joined a flight of its own process has it; the meter knows what it saved."""
    return replace(reply, source="coalesced", stored_at=None)
