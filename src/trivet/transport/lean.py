"""HTTP/1.1 straight on the event loop: a plain pool of connections, for servers that are reached directly.

It costs a fraction of a general HTTP client, because it knows one way to make a request, and knows by itself
whether one has left. A request that may have left is never repeated.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeVar

from trivet.errors import TransportError, TransportKind
from trivet.transport.decoding import PIECE, Decoder, DecodingError, decoder
from trivet.transport.dialing import Dialer
from trivet.transport.failures import closed, dropped, peer_of, told, too_long, unreadable, unusable
from trivet.transport.http1 import Connection, Failure, Incoming
from trivet.transport.protocol import MAX_BODY, TransportStatistics
from trivet.transport.requests import Origin, Target, target_of
from trivet.transport.sessions import Droppable, Session, Sessions
from trivet.types import HttpCall, HttpReply, HttpStream

T = TypeVar("T")

IDLE = 15.0  # seconds that a connection is kept unused; balancers and NATs forget longer ones silently


class LeanTransport:
    """Makes HTTP exchanges directly, from any number of event loops, threads and forked processes.

    `ssl_context` replaces the standard library's default context. There are as many connections as exchanges
    at once. It knows no proxy and no password in a URL: see `trivet.transport.routed`.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl_context = ssl_context
        self._target = lru_cache(maxsize=64)(target_of)  # a program has few addresses, and few sets of headers
        self._sessions = Sessions(self._open_session)

    def __repr__(self) -> str:
        n = self.statistics()
        return f"<LeanTransport exchanges={n.exchanges} connections={n.connections} open={n.open}>"

    def fetch(self, call: HttpCall) -> Coroutine[Any, Any, HttpReply]:
        """Send, and return the whole reply, whatever its status; failures are `TransportError`."""
        return self._exchange(call, streamed=False).whole()

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        """Send, and return the reply once its head has come; leaving early closes the connection."""
        return self._exchange(call, streamed=True)

    async def close(self) -> None:
        """Close every connection; exchanges under way fail, and later ones are refused."""
        await self._sessions.close()

    def statistics(self) -> TransportStatistics:
        """Counts since the start, over all event loops of this process."""
        return self._sessions.statistics()

    def _exchange(self, call: HttpCall, *, streamed: bool) -> _Exchange:
        try:
            target = self._target(call.method, call.url, tuple(call.headers.items()))
        except ValueError:
            target = None
        return _Exchange(call, target, self._sessions, streamed)

    def _open_session(self) -> _Session:
        return _Session(self._context)

    def _context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context


class _Session(Session):
    """The connections of one event loop: those in use know their exchange, those at rest lie here."""

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self._dialer = Dialer(self.loop, context)
        self._idle: dict[Origin, list[Connection]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._opened = 0
        self._shut = False

    @property
    def closed(self) -> bool:
        """Whether nothing more can be done with it."""
        return self._shut or self.pid != os.getpid() or self.loop.is_closed()

    @property
    def opened(self) -> int:
        """Connections opened so far."""
        return self._opened

    def take(self, origin: Origin) -> Connection | None:
        """The connection that was used last, if the server still wants it."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_quiet():
                return connection
            connection.abort()
        return None

    async def open(self, origin: Origin) -> Connection:
        """A new connection; raises `OSError`."""
        connection = await self._dialer.dial(origin, lambda: Connection(self.loop, origin, self._release))
        self._opened += 1
        return connection

    def _release(self, connection: Connection) -> None:
        if self._shut:
            connection.abort()
            return
        self._idle.setdefault(connection.origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(IDLE, self._sweep)

    def _sweep(self) -> None:
        """Close what has lain unused for too long; the least used lie first."""
        self._sweeper = None
        too_old = self.loop.time() - IDLE
        for origin, idle in list(self._idle.items()):
            self._idle[origin] = kept = [c for c in idle if c.idle_since > too_old and not c.lost]
            for connection in set(idle).difference(kept):
                connection.abort()
            if not kept:
                del self._idle[origin]
        if self._idle:
            self._sweeper = self.loop.call_later(IDLE / 2, self._sweep)

    async def shut(self) -> None:
        """Close every connection."""
        self._shut = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)  # an aborted socket is closed in the event loop's next turn


class _Exchange(Droppable, AbstractAsyncContextManager[HttpStream], AsyncIterator[bytes]):
    """One exchange: entering it sends and waits for the head, iterating it yields the body."""

    def __init__(self, call: HttpCall, target: Target | None, sessions: Sessions[_Session], streamed: bool) -> None:
        self._call = call
        self._target = target
        self._sessions = sessions
        self._streamed = streamed
        self._session: _Session | None = None
        self._connection: Connection | None = None
        self._incoming: Incoming | None = None
        self._decoder: Decoder | None = None
        self._decoded = 0
        self._scope: asyncio.Timeout | None = None
        self._dropped = False

    async def whole(self) -> HttpReply:
        """Send, and return the whole reply."""
        try:
            session, incoming = await self._send()
            while not incoming.over:
                await incoming.news(session.loop)
            if incoming.failure is not None:
                raise self._failed(incoming.failure)
            headers = self._head(incoming)
            body = incoming.take()
            if self._decoder is not None:
                self._decoder.feed(body)
                body = b"".join([piece async for piece in self])
        finally:
            self._end()
        waited = incoming.first_byte - incoming.sent
        return HttpReply(status=incoming.status, headers=headers, body=body, first_byte=waited)

    async def __aenter__(self) -> HttpStream:
        try:
            session, incoming = await self._send()
            while not incoming.status and not incoming.over:
                await incoming.news(session.loop)
            if incoming.failure is not None:
                raise self._failed(incoming.failure)
            headers = self._head(incoming)
        except BaseException:
            self._end()
            raise
        waited = incoming.first_byte - incoming.sent
        return HttpStream(status=incoming.status, headers=headers, chunks=self, first_byte=waited)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    async def __anext__(self) -> bytes:
        incoming, session, undo = self._incoming, self._session, self._decoder
        while incoming is not None and session is not None:
            if undo is not None and (piece := self._undone(undo.pull)):
                self._count(piece)
                if len(piece) == PIECE:
                    await asyncio.sleep(0)  # more may follow without a wait, and others want to run
                return piece
            if incoming.parts:  # what came before a failure may be all that is needed
                data = incoming.take()
                if self._connection is not None and not incoming.complete:
                    self._connection.resume()
                if undo is None:
                    return data
                undo.feed(data)
            elif incoming.failure is not None:
                raise self._failed(incoming.failure)
            elif incoming.complete:
                if undo is not None:
                    self._undone(undo.finish)
                raise StopAsyncIteration
            else:
                await incoming.news(session.loop)
        raise StopAsyncIteration  # it was never entered

    def drop(self) -> None:
        """The transport closes: fail at the next step, at once where one is awaited."""
        self._dropped = True
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0.0)
        if self._connection is not None and self._incoming is not None:
            self._incoming.parts.clear()
            self._incoming.failure = Failure("closed")
            self._incoming.wake()
            self._connection.leave(self._incoming)

    async def _send(self) -> tuple[_Session, Incoming]:
        """Send the request, on a connection that waits or a new one."""
        call, target = self._call, self._target
        if self._sessions.closed:
            raise closed()
        if target is None:
            raise unusable(peer_of(call.url))
        session = self._session = self._sessions.found() or await self._sessions.here()
        session.exchanges += 1
        session.under_way.add(self)
        deadline = session.loop.time() + call.timeouts.total
        connection = session.take(target.origin)
        if connection is None:
            connection = await self._open(session, target.origin, deadline)
        self._connection = connection
        self._incoming = incoming = Incoming(
            read=call.timeouts.read,
            deadline=deadline,
            streamed=self._streamed,
            head_only=target.method == "HEAD",
        )
        connection.begin(incoming, target.request(len(call.body)), call.body)
        return session, incoming

    async def _open(self, session: _Session, origin: Origin, deadline: float) -> Connection:
        now = session.loop.time()
        self._scope = scope = asyncio.timeout_at(min(now + self._call.timeouts.connect, deadline))
        try:
            async with scope:
                connection = await session.open(origin)
            self._scope = None
            if not connection.lost:
                return connection
            error: Exception = connection.lost_by or ConnectionResetError()
        except (OSError, ValueError) as failure:  # a name that IDNA forbids is a ValueError
            error = failure
        finally:
            self._scope = None
        # Raised out here it carries no exception, whose frames would hold the request.
        raise self._not_connected(error, scope.expired(), deadline <= now + self._call.timeouts.connect)

    def _not_connected(self, error: Exception, expired: bool, by_total: bool) -> TransportError:
        call, peer = self._call, peer_of(self._call.url)
        if self._dropped:
            return dropped(peer, sent=False)
        if expired and by_total:
            return too_long(peer, False, call.timeouts)
        kind: TransportKind = "timeout" if expired else "tls" if isinstance(error, ssl.SSLError) else "connect"
        return told(kind, error, peer=peer, sent=False, timeouts=call.timeouts)

    def _failed(self, failure: Failure) -> TransportError:
        call, peer = self._call, peer_of(self._call.url)
        if self._dropped:
            return dropped(peer, sent=True)
        if failure.late:
            return too_long(peer, True, call.timeouts)
        if failure.reason:
            return unreadable(peer, failure.reason, failure.kind)
        return told(failure.kind, failure.error or Exception(), peer=peer, sent=True, timeouts=call.timeouts)

    def _head(self, incoming: Incoming) -> dict[str, str]:
        """The headers as they hold for the body that is handed out."""
        headers = incoming.headers
        coding = headers.get("content-encoding")
        if coding:
            self._decoder = self._undone(lambda: decoder(coding))
            if self._decoder is not None:
                del headers["content-encoding"]
                headers.pop("content-length", None)
        return headers

    def _undone(self, step: Callable[[], T]) -> T:
        """A step of the decoder, its failure as a `TransportError`."""
        try:
            return step()
        except DecodingError as error:
            failure = unreadable(peer_of(self._call.url), str(error), "encoding")
        raise failure

    def _count(self, piece: bytes) -> None:
        self._decoded += len(piece)
        if self._decoded > MAX_BODY:
            raise unreadable(peer_of(self._call.url), f"its body is over {MAX_BODY} bytes", "too_large")

    def _end(self) -> None:
        """Leave nothing behind: a connection that is not back in the pool is closed at once."""
        if self._session is not None:
            self._session.under_way.discard(self)
        if self._connection is not None and self._incoming is not None:
            self._connection.leave(self._incoming)
