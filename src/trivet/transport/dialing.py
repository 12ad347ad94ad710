"""Finding a host and connecting to it, for one event loop.

Names are looked up once for all who wait, in a thread. Addresses are tried in the system's order, the next
one while the last has not answered yet (RFC 8305), so that a broken IPv6 costs a quarter of a second. A server
is not knocked at by all at once: what its queue has no room for is dropped without a word, and tried again
seconds later.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import TypeVar

from aiohappyeyeballs import start_connection

from trivet.transport.requests import Origin

P = TypeVar("P", bound=asyncio.BaseProtocol)

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]

DNS_TTL = 60.0  # seconds
NEXT_ADDRESS = 0.25  # seconds after which another address is tried beside the first

AT_ONCE = 8
"""Connections begun to one server before one of them stands: short queues, of five say, overflow beyond."""

STEP = 0.001
"""Seconds after which one more is begun all the same, so that a server far away is not a slow one."""

BURST = 32
"""Of those, begun in one turn of the event loop at most."""


class Turns(AbstractAsyncContextManager[None]):
    """Lets `AT_ONCE` in at once, and one more each `STEP`; first come, first served.

    An event loop that was held up makes good for its steps, by `BURST` at most.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._stepped = 0.0

    async def __aenter__(self) -> None:
        if self._inside < AT_ONCE and not self._waiting:
            self._inside += 1
            return
        turn = self._loop.create_future()
        self._waiting.append(turn)
        if self._timer is None:
            self._stepped = self._loop.time()
            self._timer = self._loop.call_later(STEP, self._step)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:  # it was given the turn in the same moment
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._inside -= 1
        if self._inside < AT_ONCE:
            self._let_in()

    def _step(self) -> None:
        now = self._loop.time()
        for _ in range(min(BURST, max(1, round((now - self._stepped) / STEP)))):
            self._let_in()
        self._stepped = now
        self._timer = self._loop.call_later(STEP, self._step) if self._waiting else None

    def _let_in(self) -> None:
        for turn in self._waiting:
            if not turn.done():
                self._waiting.remove(turn)
                self._inside += 1
                turn.set_result(None)
                return


class Dialer:
    """Opens connections. `context`: gives the TLS context, which is costly to make, when one is needed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, context: Callable[[], ssl.SSLContext]) -> None:
        self._loop = loop
        self._context = context
        self._turns: dict[Origin, Turns] = {}
        self._found: dict[tuple[str, int], tuple[asyncio.Future[Sequence[Address]], float]] = {}

    async def dial(self, origin: Origin, protocol: Callable[[], P]) -> P:
        """A connection whose TLS handshake, where there is one, is done; raises `OSError`."""
        addresses = await self._addresses(origin)
        turns = self._turns.get(origin)
        if turns is None:
            turns = self._turns[origin] = Turns(self._loop)
        async with turns:
            connecting: socket.socket | None = await start_connection(
                addresses, happy_eyeballs_delay=NEXT_ADDRESS, interleave=1, loop=self._loop
            )
        try:
            _, made = await self._loop.create_connection(
                protocol,
                sock=connecting,
                ssl=self._context() if origin.tls else None,
                server_hostname=origin.host if origin.tls else None,
            )
            connecting = None
            return made
        finally:
            if connecting is not None:  # the event loop did not take it, or gives it up late
                with suppress(OSError):
                    connecting.close()

    async def _addresses(self, origin: Origin) -> Sequence[Address]:
        where = (origin.host, origin.port)
        with suppress(socket.gaierror):
            return _look_up(*where, flags=socket.AI_NUMERICHOST)  # no name, so nothing to wait for
        looking, until = self._found.get(where, (None, 0.0))
        if looking is None or self._loop.time() > until or (looking.done() and _failed(looking)):
            looking = self._loop.run_in_executor(None, _look_up, *where)
            looking.add_done_callback(_failed)  # nobody may be left to hear of it
            self._found[where] = looking, self._loop.time() + DNS_TTL
        return await asyncio.shield(looking)


def _look_up(host: str, port: int, flags: int = 0) -> Sequence[Address]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)  # type: ignore[return-value]


def _failed(looking: asyncio.Future[Sequence[Address]]) -> bool:
    return looking.cancelled() or looking.exception() is not None
