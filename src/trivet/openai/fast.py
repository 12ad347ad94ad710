"""trivet's own connections as a transport of httpx2: for many requests at once, where httpx2's pool is slow.

HTTP/1.1 alone; proxies from the environment; certificates as httpx2 finds them by default are the system's here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TypeVar, cast

import httpx2
import openai

from trivet.errors import SettingsError, TransportError
from trivet.settings import proxies
from trivet.transport.open import open_transport
from trivet.types import HttpCall, Timeouts

T = TypeVar("T")

_WHOLE = "trivet.whole"
_FRAMING = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")
_UNDONE = ("content-encoding", "content-length", "transfer-encoding")
_FOREVER = 7 * 86400.0


class FastTransport(httpx2.AsyncBaseTransport):
    """Exchanges over trivet's connections, for any number of event loops."""

    def __init__(self) -> None:
        self._transport = open_transport(proxies())

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send, and return the reply, whole where nobody reads it piece by piece."""
        body = await request.aread()
        call = HttpCall(
            method=request.method,
            url=str(request.url),
            headers={name: value for name, value in request.headers.items() if name not in _FRAMING},
            body=body,
            timeouts=_timeouts(request.extensions.get("timeout") or {}),
        )
        try:
            if request.extensions.get(_WHOLE):
                reply = await self._transport.fetch(call)
                headers = [(name, value) for name, value in reply.headers.items() if name not in _UNDONE]
                return httpx2.Response(reply.status, headers=headers, content=reply.body)
            opened = AsyncExitStack()
            stream = await opened.enter_async_context(self._transport.stream(call))
        except TransportError as error:
            raise _as_httpx2(error) from error
        headers = [(name, value) for name, value in stream.headers.items() if name not in _UNDONE]
        return httpx2.Response(stream.status, headers=headers, stream=_Chunks(stream.chunks, opened))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.close()


class _Chunks(httpx2.AsyncByteStream):
    def __init__(self, chunks: AsyncIterator[bytes], opened: AsyncExitStack) -> None:
        self._chunks = chunks
        self._opened = opened

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                yield chunk
        except TransportError as error:
            raise _as_httpx2(error) from error

    async def aclose(self) -> None:
        await self._opened.aclose()


def ask_whole(request: httpx2.Request) -> None:
    """Tell this transport that the reply is wanted whole."""
    request.extensions[_WHOLE] = True


def faster(arguments: T) -> T:
    """The SDK's arguments with this transport; `SettingsError` where the user has brought a client."""
    given = cast(dict[str, object], arguments)
    if given.get("http_client") is not None:
        raise SettingsError("fast=True brings its own connections: leave it out, or http_client")
    return cast(T, {**given, "http_client": openai.DefaultAsyncHttpxClient(transport=FastTransport())})


def _timeouts(told: dict[str, float | None]) -> Timeouts:
    read = told.get("read")
    connect = told.get("connect")
    return Timeouts(
        connect=_FOREVER if connect is None else connect, read=_FOREVER if read is None else read, total=_FOREVER
    )


def _as_httpx2(error: TransportError) -> httpx2.RequestError:
    if error.kind == "timeout":
        return httpx2.ReadTimeout(str(error)) if error.sent else httpx2.ConnectTimeout(str(error))
    if error.kind in ("connect", "tls"):
        return httpx2.ConnectError(str(error))
    if error.kind in ("encoding", "too_large"):
        return httpx2.RemoteProtocolError(str(error))
    return httpx2.ReadError(str(error))
