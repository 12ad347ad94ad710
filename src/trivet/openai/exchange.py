"""One request of an asynchronous client, carried out over the transport that the SDK would have used.

A stream is read to its end as it comes and kept until then, so that several callers may read it, each from its
beginning, and none of them waits for another. When nobody reads any more, it is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import httpx2

from trivet.errors import RequestError
from trivet.openai.asking import Asked
from trivet.openai.attempt import answered, cut, deserted, failed
from trivet.openai.failures import EXCHANGE, transport_error
from trivet.openai.fast import ask_whole
from trivet.openai.raw import Raw, lower
from trivet.openai.reading import Watcher, read_whole, unread
from trivet.types import Reply, Request

RETRIES = "x-stainless-retry-count"


class Exchange:
    """Makes the attempts of one request. `leave`: gives back its place in the line, set by the layer that gave it."""

    def __init__(self, asked: Asked, http: httpx2.Request, inner: httpx2.AsyncBaseTransport) -> None:
        self.asked = asked
        self.leave: Callable[[], None] = _nothing
        self.tape: Tape | None = None
        self.head: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        self.readers = 1
        self.http = http
        self._inner = inner
        self._made = 0
        self._task: asyncio.Task[object] | None = None
        self._deserted = False

    async def make(self, request: Request) -> Reply:
        """One attempt; the reply or the error carries it."""
        if not self.readers:
            raise failed(deserted(), 0.0)
        self._task = asyncio.current_task()
        clock = asyncio.get_running_loop().time
        began = clock()
        count_retry(self.http, self._made)
        self._made += 1
        try:
            return await self._once(clock, began)
        except RequestError as error:
            raise failed(error, clock() - began) from error.__cause__
        except EXCHANGE as broken:
            raise failed(transport_error(broken, self.http), clock() - began) from broken
        except asyncio.CancelledError as cancelled:
            if self._deserted and self._task is not None:
                self._task.uncancel()
                raise failed(deserted(), clock() - began) from None
            raise cut(clock() - began, *cancelled.args) from None
        finally:
            self._task = None

    async def _once(self, clock: Callable[[], float], began: float) -> Reply:
        if self.asked.dialect is not None and not self.asked.streamed:
            ask_whole(self.http)
        response = await self._inner.handle_async_request(self.http)
        stream = cast(httpx2.AsyncByteStream, response.stream)
        raw = Raw(response.status_code, response.headers.raw, None, response.extensions, stream, response)
        if raw.status < 400:
            if self.asked.dialect is not None and is_event_stream(response.headers):
                return await self._watched(raw, stream, clock, began)
            if self.asked.dialect is None and not is_json(response.headers):
                return answered(unread(self.asked, raw, lower(raw.headers)), raw.status, clock() - began, None)
        try:
            body = b"".join([part async for part in stream])
        finally:
            await stream.aclose()
        raw = Raw(raw.status, raw.headers, body, raw.extensions, None, response)
        return answered(read_whole(self.asked, raw, body), raw.status, clock() - began, None)

    async def _watched(
        self, raw: Raw, stream: httpx2.AsyncByteStream, clock: Callable[[], float], began: float
    ) -> Reply:
        first: list[float] = []
        watcher = Watcher(self.asked, raw.status, lower(raw.headers), lambda: first.append(clock() - began))
        tape = self.tape = Tape()
        self.leave()
        if not self.head.done():
            self.head.set_result(raw)
        try:
            async for chunk in stream:
                tape.add(chunk)
                watcher.feed(chunk)
        except asyncio.CancelledError:
            if not (self._deserted and watcher.done and self._task is not None):
                raise
            self._task.uncancel()  # all that there is to read has been read
        except Exception as broken:
            tape.end(broken)
            if not isinstance(broken, EXCHANGE):
                raise
            error = transport_error(broken, self.http)
            error.retryable = False  # what was handed out can't be taken back
            raise error from broken
        finally:
            tape.end()
            await stream.aclose()
        return answered(watcher.finish(raw), raw.status, clock() - began, first[0] if first else None)

    def left(self) -> None:
        """A reader has gone; after the last one nothing more is asked for."""
        self.readers -= 1
        if self.readers <= 0 and self._task is not None and not self._deserted:
            self._deserted = True
            self._task.cancel()


class Tape:
    """What of a stream has come, for as many as want to read it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._over = False
        self._broken: Exception | None = None
        self._waiting: list[asyncio.Future[None]] = []

    def add(self, chunk: bytes) -> None:
        """One more piece."""
        self._chunks.append(chunk)
        self._wake()

    def end(self, broken: Exception | None = None) -> None:
        """No more will come; `broken` says what was in the way of the rest."""
        if not self._over:
            self._over, self._broken = True, broken
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for reader in waiting:
            if not reader.done():
                reader.set_result(None)

    async def read(self) -> AsyncIterator[bytes]:
        """All pieces from the first on, as they come."""
        place = 0
        while True:
            while place < len(self._chunks):
                place += 1
                yield self._chunks[place - 1]
            if self._over:
                break
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        if self._broken is not None:
            raise self._broken


class Reading(httpx2.AsyncByteStream):
    """One reader's view of a stream. `landed`: awaits the layers' end, so that what follows finds it kept."""

    def __init__(self, exchange: Exchange, landed: Callable[[], Awaitable[None]]) -> None:
        self._exchange: Exchange | None = exchange
        self._tape = exchange.tape
        self._landed = landed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._tape is not None:
            async for chunk in self._tape.read():
                yield chunk
        await self._landed()

    async def aclose(self) -> None:
        """Stop reading."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.left()
            if exchange.readers <= 0:
                await self._landed()

    def __del__(self) -> None:
        if self._exchange is not None:
            self._exchange.readers -= 1


def count_retry(http: httpx2.Request, made: int) -> None:
    """Tell the server how many attempts came before, as the SDK does, where the SDK does."""
    if made and http.headers.get(RETRIES) == str(made - 1):
        http.headers[RETRIES] = str(made)


def is_event_stream(headers: httpx2.Headers) -> bool:
    """Whether events follow."""
    return "event-stream" in headers.get("content-type", "").lower()


def is_json(headers: httpx2.Headers) -> bool:
    """Whether the body is one document, which the SDK reads whole as well."""
    return "json" in headers.get("content-type", "").lower()


def _nothing() -> None:
    """What there is to give back before a place was taken."""
