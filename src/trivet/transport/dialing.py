"""Finding a host and connecting to it, for one event loop.

Names are looked up once for all who wait, in a thread. Addresses are tried in the system's order, the next
one while the last has not answered yet (RFC 8305), so that a broken IPv6 costs a quarter of a second.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from aiohappyeyeballs import start_connection

from trivet.transport.requests import Origin

P = TypeVar("P", bound=asyncio.BaseProtocol)

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]

DNS_TTL = 60.0  # seconds
NEXT_ADDRESS = 0.25  # seconds after which another address is tried beside the first


class Dialer:
    """Opens connections. `context`: gives the TLS context, which is costly to make, when one is needed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, context: Callable[[], ssl.SSLContext]) -> None:
        self._loop = loop
        self._context = context
        self._found: dict[tuple[str, int], tuple[asyncio.Future[Sequence[Address]], float]] = {}

    async def dial(self, origin: Origin, protocol: Callable[[], P]) -> P:
        """A connection whose TLS handshake, where there is one, is done; raises `OSError`."""
        addresses = await self._addresses(origin)
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
