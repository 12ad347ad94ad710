"""Answers from the shelf what was answered before; a hit takes no permit and no money."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from trivet.engine.shelf import Shelf
from trivet.keys import Keys
from trivet.types import Reply, Request
from trivet.wire.stream import replay


class Cache:
    """Gives each cacheable request its key, and looks it up. What is not cacheable goes through untouched."""

    def __init__(self, inner: Callable[[Request], Awaitable[Reply]], shelf: Shelf, keys: Keys) -> None:
        self._inner = inner
        self._shelf = shelf
        self._keys = keys

    async def __call__(self, request: Request) -> Reply:
        """The stored reply, marked as a hit, or the inner call's."""
        if not request.cacheable:
            return await self._inner(request)
        if not request.key:
            request = replace(request, key=self._keys.key(request))
        hit = await self._shelf.find(request)
        if hit is None:
            return await self._inner(request)
        if request.watch is not None:
            for event in replay(hit)[:-1]:  # the door hands out the last event, with the finished reply
                request.watch(event)
        return hit

    def look(self, request: Request) -> Reply | None:
        """The stored reply without a wait, from any thread; None says only that it must be asked for."""
        if not request.cacheable:
            return None
        return self._shelf.look(request if request.key else replace(request, key=self._keys.key(request)))
