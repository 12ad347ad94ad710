"""HTTP by aiohttp: one session per event loop and process, opened on first use, closed as its loop ends.

Two things are done here rather than by aiohttp. An exchange that ends early aborts its socket, where aiohttp
closes it, which first waits for what is unsent. Content codings are undone here, because aiohttp takes a
gzip body that was cut for a whole one. A request that may have left is never repeated.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from trivet.errors import TransportError
from trivet.transport.connections import Connector, Flight, current, tracing
from trivet.transport.decoding import PIECE, Decoder, DecodingError, decoder
from trivet.transport.failures import closed, dropped, explain, final, peer_of, unreadable
from trivet.transport.protocol import MAX_BODY, TransportStatistics
from trivet.transport.proxies import go_direct
from trivet.transport.sessions import Droppable, Session, Sessions
from trivet.types import HttpCall, HttpReply, HttpStream, Timeouts

T = TypeVar("T")

FAILURES = (aiohttp.ClientError, aiohttp.EofStream, HttpProcessingError, OSError, RuntimeError, ValueError)
"""Everything that the library raises; cancellation is none of it."""

MAX_HEADER = 64 * 1024  # bytes of one header
MAX_HEADERS = 1000
LARGE_BODY = 1024 * 1024  # bytes from which aiohttp wants a request's body as a file
IDLE = 15.0  # seconds that a connection is kept unused; balancers and NATs forget longer ones silently
DNS_TTL = 60  # seconds
ACCEPTED = {"accept-encoding": "gzip, deflate"}
AUTOMATIC = frozenset({"accept", "content-type", "user-agent"})  # what aiohttp would add


class AiohttpTransport:
    """Makes HTTP exchanges over aiohttp, from any number of event loops, threads and forked processes.

    `proxies` names the proxy for a URL, or None (see `trivet.transport.proxies.proxy_for`). `ssl_context`
    replaces the standard library's default context. There are as many connections as exchanges at once.
    """

    def __init__(
        self,
        *,
        proxies: Callable[[str], str | None] = go_direct,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._proxy_for = lru_cache(maxsize=256)(proxies)
        self._ssl_context = ssl_context
        self._sessions = Sessions(self._open_session)

    def __repr__(self) -> str:
        n = self.statistics()
        return f"<AiohttpTransport exchanges={n.exchanges} connections={n.connections} open={n.open}>"

    async def fetch(self, call: HttpCall) -> HttpReply:
        """Send, and return the whole reply, whatever its status; failures are `TransportError`."""
        return await self._exchange(call).whole()

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        """Send, and return the reply once its head has come; leaving early closes the connection."""
        return self._exchange(call)

    async def close(self) -> None:
        """Close every connection; exchanges under way fail, and later ones are refused."""
        await self._sessions.close()

    def statistics(self) -> TransportStatistics:
        """Counts since the start, over all event loops of this process."""
        return self._sessions.statistics()

    def _exchange(self, call: HttpCall) -> _Exchange:
        return _Exchange(call, self._sessions, self._proxy_for)

    def _open_session(self) -> _Session:
        return _Session(self._ssl_context)


class _Session(Session):
    """aiohttp's session of one event loop."""

    def __init__(self, ssl_context: ssl.SSLContext | None) -> None:
        super().__init__()
        self.connector = Connector(
            ssl=ssl_context or True,
            keepalive_timeout=IDLE,
            ttl_dns_cache=DNS_TTL,
            resolver=aiohttp.ThreadedResolver(),
        )
        self.http = aiohttp.ClientSession(
            connector=self.connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            trace_configs=[tracing()],
        )

    @property
    def closed(self) -> bool:
        """Whether nothing more can be done with it."""
        return self.http.closed

    @property
    def opened(self) -> int:
        """Connections opened so far."""
        return self.connector.opened

    async def shut(self) -> None:
        """Close every connection."""
        await self.http.close()


class _Exchange(Droppable, AbstractAsyncContextManager[HttpStream], AsyncIterator[bytes]):
    """One exchange: entering it sends and waits for the head, iterating it yields the body."""

    def __init__(
        self,
        call: HttpCall,
        sessions: Sessions[_Session],
        proxy_for: Callable[[str], str | None],
    ) -> None:
        self._call = call
        self._sessions = sessions
        self._proxy_for = proxy_for
        self._proxy: str | None = None
        self._session: _Session | None = None
        self._flight = Flight(has_body=bool(call.body))
        self._response: aiohttp.ClientResponse | None = None
        self._content: aiohttp.StreamReader = aiohttp.EMPTY_PAYLOAD
        self._decoder: Decoder | None = None
        self._scope: asyncio.Timeout | None = None
        self._deadline = 0.0
        self._dropped = False
        self._ends_with_connection = False
        self._read = 0
        self._decoded = 0

    async def whole(self) -> HttpReply:
        """Send, and return the whole reply."""
        session = await self._begin()
        try:
            return await self._bounded(self._fetch(session))
        finally:
            self._end()

    async def __aenter__(self) -> HttpStream:
        session = await self._begin()
        try:
            status, headers = await self._bounded(self._send(session))
        except BaseException:
            self._end()
            raise
        return HttpStream(status=status, headers=headers, chunks=self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    async def __anext__(self) -> bytes:
        if chunk := await self._bounded(self._next_chunk()):
            return chunk
        raise StopAsyncIteration

    def drop(self) -> None:
        """The transport closes: fail at the next step, at once where one is awaited."""
        self._dropped = True
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0.0)

    async def _begin(self) -> _Session:
        if self._sessions.closed:
            raise closed()
        session = self._session = await self._sessions.here()
        self._deadline = asyncio.get_running_loop().time() + self._call.timeouts.total
        session.exchanges += 1
        session.under_way.add(self)
        return session

    async def _bounded(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` within the total time, its failures as `TransportError`."""
        scope = asyncio.timeout_at(self._deadline)
        try:
            async with scope:
                self._scope = scope
                return await work
        except DecodingError as error:
            failure = unreadable(peer_of(self._call.url), str(error), "encoding")
        except FAILURES as error:
            failure = self._explain(error, scope.expired())
        finally:
            self._scope = None
        # Raised out here it carries no exception of the library, which holds the request's headers.
        raise failure

    async def _fetch(self, session: _Session) -> HttpReply:
        status, headers = await self._send(session)
        chunks = []
        while chunk := await self._next_chunk():
            chunks.append(chunk)
        return HttpReply(status=status, headers=headers, body=b"".join(chunks))

    async def _send(self, session: _Session) -> tuple[int, dict[str, str]]:
        """The status and the headers of the reply."""
        call = self._call
        self._proxy = self._proxy_for(call.url)
        if self._proxy is not None and not self._proxy.startswith(("http://", "https://")):
            raise final(
                f"the proxy {peer_of(self._proxy)} is neither http:// nor https://: check HTTPS_PROXY",
                kind="connect",
                sent=False,
            )
        token = current.set(self._flight)
        try:
            response = self._response = await session.http.request(
                call.method,
                call.url,
                headers={**ACCEPTED, **call.headers},
                data=io.BytesIO(call.body) if len(call.body) > LARGE_BODY else call.body or None,
                proxy=self._proxy,
                allow_redirects=False,
                timeout=_limits(call.timeouts),
                skip_auto_headers=AUTOMATIC - call.headers.keys() or None,
                trace_request_ctx=self._flight,
            )
        finally:
            current.reset(token)
        self._content = self._flight.content = response.content
        return response.status, self._read_head(response)

    def _read_head(self, response: aiohttp.ClientResponse) -> dict[str, str]:
        """The headers as they hold for the body that is handed out."""
        headers: dict[str, str] = {}
        if len(response.headers) > MAX_HEADERS:
            raise unreadable(peer_of(self._call.url), f"it has {len(response.headers)} headers", "too_large")
        for name, value in response.headers.items():
            name, value = name.lower(), value.strip()
            if not value.isascii():  # what is no UTF-8 came as surrogates, which nothing could write down
                value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        length = headers.get("content-length")
        self._ends_with_connection = length is None and "transfer-encoding" not in headers
        if length is not None and int(length) > MAX_BODY:
            raise unreadable(peer_of(self._call.url), f"its body of {length} bytes is over {MAX_BODY}", "too_large")
        self._decoder = decoder(headers.get("content-encoding", ""))
        if self._decoder is not None:
            del headers["content-encoding"]
            headers.pop("content-length", None)
        return headers

    async def _next_chunk(self) -> bytes:
        """What came since the last one, decoded; empty at the end."""
        while True:
            if self._decoder is not None and (piece := self._decoder.pull()):
                self._decoded = self._counted(self._decoded, piece)
                if len(piece) == PIECE:
                    await asyncio.sleep(0)  # more may follow without a wait, and others want to run
                return piece
            data = await self._content.readany()
            if self._dropped:
                raise self._closed()
            self._read = self._counted(self._read, data)
            if not data:
                self._check_whole()
            if not data or self._decoder is None:
                return data
            self._decoder.feed(data)

    def _counted(self, so_far: int, data: bytes) -> int:
        if so_far + len(data) > MAX_BODY:
            raise unreadable(peer_of(self._call.url), f"its body is over {MAX_BODY} bytes", "too_large")
        return so_far + len(data)

    def _check_whole(self) -> None:
        lost_by = self._flight.lost_by()
        if self._ends_with_connection and isinstance(lost_by, OSError):
            raise lost_by  # a reset, which aiohttp takes for the end
        if self._decoder is not None:
            self._decoder.finish()

    def _explain(self, error: BaseException, expired: bool) -> TransportError:
        call, flight = self._call, self._flight
        if self._dropped:
            return self._closed()
        lost_by = flight.lost_by()
        if isinstance(error, aiohttp.ClientPayloadError) and isinstance(lost_by, OSError):
            error = lost_by  # the body was cut by more than a close
        return explain(
            error,
            peer=peer_of(call.url),
            proxy=peer_of(self._proxy) if self._proxy else None,
            sent=flight.sent,
            timeouts=call.timeouts,
            expired=expired,
        )

    def _closed(self) -> TransportError:
        return dropped(peer_of(self._call.url), sent=self._flight.sent)

    def _end(self) -> None:
        """Leave nothing behind: a connection that is not back in the pool is closed at once."""
        session, response = self._session, self._response
        if session is not None:
            session.under_way.discard(self)
            session.connector.leave(self._flight)
        if response is None or response.connection is not None:
            self._flight.abort()
        if response is not None:
            response.close()


@lru_cache(maxsize=64)
def _limits(timeouts: Timeouts) -> aiohttp.ClientTimeout:
    """What the library watches: not the total, nor a read that may take as long as the total."""
    read = timeouts.read if timeouts.read < timeouts.total else None
    return aiohttp.ClientTimeout(total=None, connect=timeouts.connect, sock_read=read)
