"""Between the SDK's HTTP client and its transport: what bears a note goes through the layers, the rest straight on.

The transport below is the one that was there, with its proxies, certificates and limits; so are the mounts. A client
that belongs to the user may be shared with the plain SDK, whose requests bear no note.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from types import TracebackType
from typing import Self, cast

import httpx2

from trivet.errors import SettingsError
from trivet.openai.blocking import blocking_of
from trivet.openai.layers import Layers
from trivet.openai.notes import EXTENSION, Note


class AsyncThrough(httpx2.AsyncBaseTransport):
    """Wraps one asynchronous transport."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self.inner = inner
        self._loop: asyncio.AbstractEventLoop | None = None
        _all.add(self)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer by way of the layers, or hand on."""
        loop = _loop()
        if self._loop is not loop:
            if self._loop is not None and self._loop.is_closed():
                _let_go(self.inner)  # its connections went with it
            self._loop = loop
        note = request.extensions.get(EXTENSION)
        if not isinstance(note, Note):
            return await self.inner.handle_async_request(request)
        if loop is None:
            raise SettingsError("trivet.openai runs on asyncio: use the SDK's own class on another kind of event loop")
        return await cast(Layers, note.layers).answer(note, request, self.inner)

    async def aclose(self) -> None:
        """Close what is below."""
        if self._loop is not None and self._loop.is_closed():
            _let_go(self.inner)
        await self.inner.aclose()

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.inner.__aexit__(exc_type, exc_value, traceback)


class Through(httpx2.BaseTransport):
    """Wraps one blocking transport."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner
        _all.add(self)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer by way of the layers, or hand on."""
        note = request.extensions.get(EXTENSION)
        if not isinstance(note, Note):
            return self.inner.handle_request(request)
        return blocking_of(cast(Layers, note.layers)).answer(note, request, self.inner)

    def close(self) -> None:
        """Close what is below."""
        self.inner.close()

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.inner.__exit__(exc_type, exc_value, traceback)


def put_under_async(client: httpx2.AsyncClient) -> None:
    """Put the layers' door under every route of a client, once."""
    client._transport = _async(client._transport)
    for pattern, mounted in client._mounts.items():
        client._mounts[pattern] = None if mounted is None else _async(mounted)


def put_under(client: httpx2.Client) -> None:
    """The same of a blocking one."""
    client._transport = _blocking(client._transport)
    for pattern, mounted in client._mounts.items():
        client._mounts[pattern] = None if mounted is None else _blocking(mounted)


def _async(transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
    return transport if isinstance(transport, AsyncThrough) else AsyncThrough(transport)


def _blocking(transport: httpx2.BaseTransport) -> httpx2.BaseTransport:
    return transport if isinstance(transport, Through) else Through(transport)


_all: weakref.WeakSet[Through | AsyncThrough] = weakref.WeakSet()


def _after_fork() -> None:
    """In the child: idle connections are the parent's, whose replies would be mixed up with ours; open new ones."""
    for through in list(_all):
        _let_go(through.inner)


def _loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _let_go(transport: object) -> None:
    """Forget the idle connections of httpx2's pool; other transports look after theirs."""
    connections = getattr(getattr(transport, "_pool", None), "_connections", None)
    if isinstance(connections, list):
        connections.clear()


os.register_at_fork(after_in_child=_after_fork)
