"""One HTTP/1.1 connection of a client: a request goes out, one reply comes in, and it may serve again.

Parsing is httptools'. Time is kept by one timer a connection, which is set anew only when it fires or when it
would fire too late: an exchange that ends in time costs none.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from typing import cast

import httptools
from msgspec import Struct

from trivet.errors import TransportKind
from trivet.transport.protocol import MAX_BODY
from trivet.transport.requests import Origin

MAX_HEAD = 64 * 1024  # bytes of a head that is not whole yet
MAX_HEADERS = 1000
MAX_INTERIM = 100  # replies with a status below 200 before the one that counts
WINDOW = 256 * 1024  # bytes of a stream that wait for their reader before the server is made to wait
JOINED = 64 * 1024  # bytes of a body that are copied to leave in one piece with their head
TICK = 0.001  # seconds by which a timer may be early

_BODILESS = (204, 304)
_NAMES: dict[bytes, str] = {}
_MOST_NAMES = 512


class Failure(Struct, frozen=True):
    """Why no whole reply came: its kind, the exception behind it, or what can't be read; `late`: the total is over."""

    kind: TransportKind
    error: BaseException | None = None
    reason: str = ""
    late: bool = False


class Incoming:
    """One reply on its way in. `streamed`: its reader is woken by the head and by each piece, not by the end alone.

    `sent`: seconds of the loop's clock at which the request left, `first_byte`: at which the reply began; 0
    until then. `at_end`: the body ends with its connection.
    """

    __slots__ = (
        "at_end", "complete", "deadline", "failure", "first_byte", "head_only", "headers", "heard", "parts", "read",
        "sent", "size", "status", "streamed", "waiter", "waiting",
    )  # fmt: skip

    def __init__(self, *, read: float, deadline: float, streamed: bool, head_only: bool) -> None:
        self.read = read
        self.deadline = deadline
        self.streamed = streamed
        self.head_only = head_only
        self.sent = self.first_byte = self.heard = 0.0
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.size = self.waiting = 0
        self.at_end = self.complete = False
        self.failure: Failure | None = None
        self.waiter: asyncio.Future[None] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.complete or self.failure is not None

    def take(self) -> bytes:
        """What came since the last time."""
        data = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts.clear()
        self.waiting = 0
        return data

    def wake(self) -> None:
        """Let the reader look."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def news(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until the reader is woken."""
        self.waiter = loop.create_future()
        self.heard = max(self.heard, loop.time())
        try:
            await self.waiter
        finally:
            self.waiter = None


class Connection(asyncio.Protocol):
    """A connection to `origin`; `release` takes it back when it can serve again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, origin: Origin, release: Callable[[Connection], None]) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self.lost = False
        self.lost_by: Exception | None = None
        self._loop = loop
        self._release = release
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._parser: httptools.HttpResponseParser | None = None
        self._incoming: Incoming | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_size = self._interim = 0
        self._surplus = self._paused = self._lasting = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    # What the exchange asks for.

    def begin(self, incoming: Incoming, head: bytes, body: bytes) -> None:
        """Send a request, whose reply goes to `incoming`. Only on a connection that is quiet."""
        if self._transport is None:
            raise RuntimeError("the connection is lost")
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._incoming = incoming
        self._head_size = self._interim = 0
        incoming.sent = incoming.heard = self._loop.time()
        if len(body) <= JOINED:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        due = min(incoming.heard + incoming.read, incoming.deadline)
        if self._timer is None or self._timer_due > due:
            self._set_timer(due)

    def leave(self, incoming: Incoming) -> None:
        """The exchange is over; a connection that is still busy with it is closed at once."""
        if self._incoming is incoming:
            self._incoming = None
            self.abort()

    def resume(self) -> None:
        """The reader has caught up."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def is_quiet(self) -> bool:
        """Whether the server has neither closed an idle connection nor sent what nobody asked for."""
        transport = self._transport
        return not (self.lost or transport is None or transport.is_closing() or self._poll.poll(0))

    def abort(self) -> None:
        """Close the socket now, whatever is still unsent."""
        self.lost = True
        self._clear_timer()
        if self._transport is not None:
            self._transport.abort()

    def fail(self, failure: Failure) -> None:
        """End the exchange, if there is one, and the connection."""
        incoming, self._incoming = self._incoming, None
        self.abort()
        if incoming is not None:
            incoming.failure = incoming.failure or failure
            incoming.wake()

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        incoming = self._incoming
        if incoming is None or self._parser is None:  # nobody asked
            self.abort()
            return
        incoming.heard = self._loop.time()
        if not incoming.first_byte:
            incoming.first_byte = incoming.heard
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not incoming.complete:
                self.fail(incoming.failure or Failure("encoding", error))
                return
            self._surplus = True
        if incoming.failure is not None:
            self.fail(incoming.failure)
        elif incoming.complete:
            self._finish(incoming)
        elif incoming.status == 0:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self.fail(Failure("too_large"))
        elif incoming.streamed:
            self._hand_on(incoming)

    def eof_received(self) -> bool:
        self._end(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_by = exc
        self._end(exc)
        self._parser = self._transport = None  # the parser and this object hold each other

    def _end(self, error: Exception | None) -> None:
        incoming = self._incoming
        if incoming is not None and error is None and incoming.status and incoming.at_end:
            incoming.complete = True
            self._surplus = True
            self._finish(incoming)
            return
        self.fail(Failure(_kind_of(error), error))

    def _finish(self, incoming: Incoming) -> None:
        transport = self._transport
        self._incoming = None
        if (
            self._surplus
            or transport is None
            or not self._lasting
            or transport.is_closing()
            or transport.get_write_buffer_size()  # answered before all of the question had left
        ):
            self.abort()
        else:
            if incoming.head_only:
                self._parser = None  # it waits for a body that never comes
            self.idle_since = incoming.heard
            self._release(self)
        incoming.wake()

    def _hand_on(self, incoming: Incoming) -> None:
        if not self._paused and incoming.waiting > WINDOW and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        incoming.wake()

    # What the parser tells.

    def on_message_begin(self) -> None:
        self._fields = []
        self._surplus = self._incoming is None or self._incoming.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        incoming, parser = self._incoming, self._parser
        if incoming is None or parser is None or incoming.over:
            return
        status = parser.get_status_code()
        if status < 200:
            self._interim += 1
            if status == 101 or self._interim > MAX_INTERIM:
                incoming.failure = Failure("encoding")
            return
        if len(self._fields) > MAX_HEADERS:
            incoming.failure = Failure("too_large", reason=f"it has {len(self._fields)} headers")
            return
        incoming.headers = headers = read_headers(self._fields)
        incoming.status = status
        self._lasting = parser.should_keep_alive()  # it forgets with the end of the message
        if incoming.head_only:
            incoming.complete = True
            return
        length = headers.get("content-length")
        if length is not None:
            if int(length) > MAX_BODY:
                incoming.failure = Failure("too_large", reason=f"its body of {length} bytes is over {MAX_BODY}")
        elif status not in _BODILESS:
            incoming.at_end = not headers.get("transfer-encoding", "").lower().endswith("chunked")

    def on_body(self, data: bytes) -> None:
        incoming = self._incoming
        if incoming is None or incoming.over:
            self._surplus = True
            return
        incoming.size += len(data)
        if incoming.size > MAX_BODY:
            incoming.failure = Failure("too_large", reason=f"its body is over {MAX_BODY} bytes")
            return
        incoming.waiting += len(data)
        incoming.parts.append(data)

    def on_message_complete(self) -> None:
        if self._incoming is not None and self._incoming.status:
            self._incoming.complete = True

    # Time.

    def _set_timer(self, due: float) -> None:
        self._clear_timer()
        self._timer_due = due
        self._timer = self._loop.call_at(due, self._tick)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        incoming = self._incoming
        if incoming is None:
            return
        now, due = self._loop.time() + TICK, incoming.deadline
        if incoming.waiter is not None:  # a reader that is busy is no fault of the server
            due = min(due, incoming.heard + incoming.read)
        elif not incoming.over:
            due = min(due, now + incoming.read)
        if due > now:
            self._set_timer(due)
        else:
            self.fail(Failure("timeout", late=incoming.deadline <= now))


def read_headers(fields: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name, repeated ones joined; what is no UTF-8 is replaced, so that it can be written."""
    headers: dict[str, str] = {}
    for raw, value in fields:
        name = _NAMES.get(raw) or _name(raw)
        text = value.decode("utf-8", "replace").strip()
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _name(raw: bytes) -> str:
    name = raw.decode("latin-1").lower()
    if len(_NAMES) < _MOST_NAMES:
        _NAMES[raw] = name
    return name


def _kind_of(error: Exception | None) -> TransportKind:
    if error is None:
        return "closed"
    return "tls" if isinstance(error, ssl.SSLError) else "reset"
