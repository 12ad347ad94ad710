"""Keeps what came back on the shelf, before anybody is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from trivet.engine.shelf import Shelf
from trivet.types import Reply, Request


class Keep:
    """Stores replies to requests that have a key; which may be stored is the shelf's to say."""

    def __init__(self, inner: Callable[[Request], Awaitable[Reply]], shelf: Shelf) -> None:
        self._inner = inner
        self._shelf = shelf

    async def __call__(self, request: Request) -> Reply:
        """The inner call's reply, kept by then."""
        reply = await self._inner(request)
        if request.key:
            await self._shelf.keep(request, reply)
        return reply
