"""One request of a blocking client: the layers decide in their own thread, the caller's thread makes the exchange.

So the SDK's connections, signals and context variables are where they would be without trivet. A stream is read where
it is read by its caller; what has come of it is kept until its end, so that several threads may read it, each from its
beginning: whoever needs the next piece fetches it for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock
from time import monotonic
from typing import cast

import httpx2

from trivet.errors import RequestError
from trivet.openai.asking import Asked
from trivet.openai.attempt import answered, cut, deserted, failed
from trivet.openai.exchange import count_retry, is_event_stream, is_json
from trivet.openai.failures import EXCHANGE, transport_error
from trivet.openai.raw import Raw, lower
from trivet.openai.reading import Watcher, read_whole, unread
from trivet.types import Reply, Request


class Turn:
    """Leave to make one attempt; the layers wait for what it comes to."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[Reply] = self._loop.create_future()
        self.began = monotonic()

    async def outcome(self) -> Reply:
        """The reply, or the error."""
        return await self._outcome

    def answered(self, reply: Reply, status: int, ttft: float | None = None) -> None:
        """From any thread: a reply came."""
        self._call(lambda: self._outcome.set_result(answered(reply, status, monotonic() - self.began, ttft)))

    def failed(self, error: BaseException) -> None:
        """From any thread: none came."""
        told = failed(error, monotonic() - self.began) if isinstance(error, RequestError) else error
        self._call(lambda: self._outcome.set_exception(told))

    def soon(self, do: Callable[[], None]) -> None:
        """Have something done where the layers live."""
        with suppress(RuntimeError):  # that loop may be over
            self._loop.call_soon_threadsafe(do)

    def _call(self, do: Callable[[], None]) -> None:
        self.soon(lambda: None if self._outcome.done() else do())


class BlockingExchange:
    """Makes the attempts of one request. `leave`: gives back its place in the line, set by the layer that gave it."""

    def __init__(self, asked: Asked, http: httpx2.Request, inner: httpx2.BaseTransport) -> None:
        self.asked = asked
        self.leave: Callable[[], None] = lambda: None
        self.news: SimpleQueue[Turn | SharedTape | None] = SimpleQueue()
        self.http = http
        self._inner = inner
        self._made = 0
        self._gone = False
        self._lock = Lock()
        self._tape: SharedTape | None = None
        self._others: list[SimpleQueue[Turn | SharedTape | None]] = []

    async def make(self, request: Request) -> Reply:
        """One attempt, by the thread that asked; by another where that has left and somebody else still waits."""
        turn = Turn()
        try:
            if self._gone:
                await asyncio.to_thread(self._alone, turn)
            else:
                self.news.put(turn)
            return await turn.outcome()
        except asyncio.CancelledError as cancelled:
            raise cut(monotonic() - turn.began, *cancelled.args) from None

    def carry_out(self, turn: Turn) -> SharedTape | None:
        """One attempt, here and now; the tape of a stream that has begun."""
        count_retry(self.http, self._made)
        self._made += 1
        try:
            return self._once(turn)
        except RequestError as error:
            turn.failed(error)
        except EXCHANGE as broken:
            turn.failed(transport_error(broken, self.http))
        except Exception as broken:  # noqa: BLE001 - whatever a transport of the user's raises is for the user
            turn.failed(broken)
        except BaseException:
            turn.failed(deserted())
            raise
        return None

    def _once(self, turn: Turn) -> SharedTape | None:
        response = self._inner.handle_request(self.http)
        stream = cast(httpx2.SyncByteStream, response.stream)
        raw = Raw(response.status_code, response.headers.raw, None, response.extensions, stream, response)
        if raw.status < 400:
            if self.asked.dialect is not None and is_event_stream(response.headers):
                return self._begin(turn, raw, stream)
            if self.asked.dialect is None and not is_json(response.headers):
                turn.answered(unread(self.asked, raw, lower(raw.headers)), raw.status)
                return None
        try:
            body = b"".join(stream)
        finally:
            stream.close()
        raw = Raw(raw.status, raw.headers, body, raw.extensions, None, response)
        turn.answered(read_whole(self.asked, raw, body), raw.status)
        return None

    def _begin(self, turn: Turn, raw: Raw, stream: httpx2.SyncByteStream) -> SharedTape:
        tape = SharedTape(self, turn, raw, stream)
        turn.soon(self.leave)
        with self._lock:
            self._tape = tape
            others, self._others = self._others, []
        for news in others:
            tape.join()
            news.put(tape)
        return tape

    def join(self, news: SimpleQueue[Turn | SharedTape | None]) -> None:
        """Have another caller told of the tape as soon as there is one."""
        with self._lock:
            tape = self._tape
            if tape is None:
                self._others.append(news)
                return
        tape.join()
        news.put(tape)

    def gone(self) -> None:
        """The thread that asked waits no longer."""
        self._gone = True
        while not self.news.empty():
            turn = self.news.get()
            if isinstance(turn, Turn):
                turn.failed(deserted())

    def _alone(self, turn: Turn) -> None:
        tape = self.carry_out(turn)
        if tape is not None:
            for _ in tape.read():
                pass


class SharedTape:
    """What of a stream has come, for as many threads as want to read it."""

    def __init__(self, exchange: BlockingExchange, turn: Turn, raw: Raw, stream: httpx2.SyncByteStream) -> None:
        self.raw = raw
        self._exchange = exchange
        self._turn = turn
        self._stream = stream
        self._pieces = iter(stream)
        self._chunks: list[bytes] = []
        self._over = False
        self._broken: Exception | None = None
        self._readers = 1
        self._lock = Lock()
        self._count = Lock()
        self._ttft: float | None = None
        self._watcher = Watcher(exchange.asked, raw.status, lower(raw.headers), self._saw_text)

    def _saw_text(self) -> None:
        self._ttft = monotonic() - self._turn.began

    def join(self) -> None:
        """One more reads."""
        with self._count:
            self._readers += 1

    def read(self) -> Iterator[bytes]:
        """All pieces from the first on."""
        place = 0
        while True:
            with self._lock:
                if place >= len(self._chunks) and not self._over:
                    self._pull()
                if place >= len(self._chunks):
                    break
                chunk = self._chunks[place]
            place += 1
            yield chunk
        if self._broken is not None:
            raise self._broken

    def _pull(self) -> None:
        try:
            chunk = next(self._pieces, None)
        except Exception as broken:  # noqa: BLE001 - it is raised again for every reader
            self._broken = broken
            error: Exception = broken
            if isinstance(broken, EXCHANGE):
                error = transport_error(broken, self._exchange.http)
                error.retryable = False  # what was handed out can't be taken back
            self._end(error)
            return
        except BaseException:
            self._end(deserted())
            raise
        if chunk is None:
            self._end(None)
            return
        self._chunks.append(chunk)
        self._watcher.feed(chunk)

    def _end(self, error: Exception | None) -> None:
        self._over = True
        with suppress(Exception):
            self._stream.close()
        if error is None:
            self._turn.answered(self._watcher.finish(self.raw), self.raw.status, self._ttft)
        else:
            self._turn.failed(error)

    def left(self) -> bool:
        """A reader has gone; after the last one the stream is closed. Whether it was the last."""
        with self._count:
            self._readers -= 1
            if self._readers > 0:
                return False
        if not self._over:
            self._end(None if self._watcher.done else deserted())
        return True


class BlockingReading(httpx2.SyncByteStream):
    """One reader's view of a stream. `landed`: waits for the layers' end, so that what follows finds it kept."""

    def __init__(self, tape: SharedTape, landed: Callable[[], None]) -> None:
        self._tape: SharedTape | None = tape
        self._landed = landed

    def __iter__(self) -> Iterator[bytes]:
        if self._tape is not None:
            yield from self._tape.read()
            self._landed()

    def close(self) -> None:
        """Stop reading."""
        tape, self._tape = self._tape, None
        if tape is not None and tape.left():
            self._landed()

    def __del__(self) -> None:
        if self._tape is not None:
            self._tape.left()
