"""aiohttp's pool of connections, watched: what became of a connection is known to the exchange that uses it.

- An idle connection that the server has closed, or has written to unasked, is not used again: its socket is
  looked at before each use. aiohttp looks only at what its event loop has already read.
- The loss of a connection reaches the reader of a body. aiohttp wakes no reader when a body breaks HTTP
  half-way, and stops its read timeout with it.
"""

from __future__ import annotations

import asyncio
import os
import select
from contextvars import ContextVar
from functools import partial
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace


class Flight:
    """What is known of one exchange's way through its connection."""

    def __init__(self, *, has_body: bool) -> None:
        self.has_body = has_body
        self.reused = False
        self.sent = False
        self.protocol: ResponseHandler | None = None
        self.transport: asyncio.Transport | None = None
        self.content: aiohttp.StreamReader | None = None

    def lost_by(self) -> BaseException | None:
        """Why the connection ended, or None while it lasts."""
        return None if self.protocol is None else self.protocol.exception()

    def abort(self) -> None:
        """Close the socket now, whatever is still unsent."""
        if self.transport is not None:
            self.transport.abort()

    def write(self) -> None:
        """The next thing that happens is a write to the socket."""
        if self.transport is not None and not self.transport.is_closing():
            self.sent = True

    def lose(self) -> None:
        """The connection is gone: a body that is not whole by now never will be."""
        content = self.content
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(self.lost_by() or aiohttp.ClientPayloadError())


current: ContextVar[Flight] = ContextVar("flight")
"""The flight of the running task, for the pool to find."""


class Connector(aiohttp.TCPConnector):
    """The pool: any number of connections, of which none that the server has done with is handed out."""

    def __init__(self, **options: Any) -> None:
        self._pid = os.getpid()
        self._users: dict[ResponseHandler, Flight] = {}
        self.opened = 0
        super().__init__(limit=0, **options)

    @property
    def closed(self) -> bool:
        """Whether nothing more can be done with it: also when its event loop is over, or a parent process's."""
        return super().closed or self._loop.is_closed() or self._pid != os.getpid()

    def __del__(self, *arguments: Any) -> None:
        if not self.closed:  # a forked child shares the sockets with its parent, and must leave them alone
            super().__del__(*arguments)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,
    ) -> Connection:
        """A connection for the current flight; see `aiohttp.BaseConnector.connect`."""
        flight = current.get()
        connection = await super().connect(req, traces, timeout)
        while flight.reused and not _is_quiet(connection):
            connection.close()
            connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if protocol is not None:
            flight.protocol, flight.transport = protocol, connection.transport
            self._users[protocol] = flight
            if not flight.reused:
                self._watch(protocol)
        return connection

    def leave(self, flight: Flight) -> None:
        """The flight is over; by now its connection may be another's."""
        if flight.protocol is not None and self._users.get(flight.protocol) is flight:
            del self._users[flight.protocol]

    def _watch(self, protocol: ResponseHandler) -> None:
        self.opened += 1
        if (closed := protocol.closed) is not None:
            closed.add_done_callback(partial(self._lost, protocol))

    def _lost(self, protocol: ResponseHandler, closed: asyncio.Future[None]) -> None:
        if not closed.cancelled():
            closed.exception()  # else asyncio reports it as never retrieved
        if (flight := self._users.get(protocol)) is not None:
            flight.lose()


def _is_quiet(connection: Connection) -> bool:
    """Whether the server has neither closed an idle connection nor sent what nobody asked for."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing() or protocol.should_close:
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return not poll.poll(0)


def tracing() -> aiohttp.TraceConfig:
    """Tells each request's `trace_request_ctx`, which is its flight, what happens to it."""
    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(_created)
    config.on_connection_reuseconn.append(_reused)
    config.on_request_headers_sent.append(_head_leaves)
    config.on_request_chunk_sent.append(_body_leaves)
    return config


async def _created(http: aiohttp.ClientSession, context: SimpleNamespace, parameters: object) -> None:
    context.trace_request_ctx.reused = False


async def _reused(http: aiohttp.ClientSession, context: SimpleNamespace, parameters: object) -> None:
    context.trace_request_ctx.reused = True


async def _head_leaves(http: aiohttp.ClientSession, context: SimpleNamespace, parameters: object) -> None:
    flight: Flight = context.trace_request_ctx
    if not flight.has_body:  # else the head waits for the body, and leaves with it
        flight.write()


async def _body_leaves(http: aiohttp.ClientSession, context: SimpleNamespace, parameters: object) -> None:
    flight: Flight = context.trace_request_ctx
    flight.write()
