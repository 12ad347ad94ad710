"""What the parts of the transport conformance suite share."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from ssl import SSLContext

from trivet.errors import TransportError, TransportKind
from trivet.testing.servers import Script, ScriptedServer, serving
from trivet.transport.protocol import Transport
from trivet.types import HttpCall, Timeouts

PATIENCE = 15.0
"""Seconds after which a test that should have ended long ago fails."""

SECRET = "Bearer sk-a-key-that-no-message-may-hold"  # noqa: S105 - a canary, not a key


class TransportCase(ABC):
    """Base of the suite's parts: `make` is what an implementation gives."""

    @abstractmethod
    def make(
        self,
        *,
        proxies: Callable[[str], str | None] | None = None,
        ssl_context: SSLContext | None = None,
    ) -> Transport:
        """A new transport; without `proxies` it goes direct, without `ssl_context` it trusts the default."""

    @asynccontextmanager
    async def talking(
        self, script: Script, patience: float = PATIENCE
    ) -> AsyncIterator[tuple[Transport, ScriptedServer]]:
        """A transport and a server; on leaving, no exchange of the transport may be open any more."""
        async with asyncio.timeout(patience), serving(script) as server:
            transport = self.make()
            try:
                yield transport, server
                assert transport.statistics().open == 0
            finally:
                await transport.close()

    @asynccontextmanager
    async def streaming(self, script: Script) -> AsyncIterator[tuple[AsyncIterator[bytes], ScriptedServer]]:
        """The chunks of a streamed reply, and the server."""
        async with (
            self.talking(script) as (transport, server),
            transport.stream(call(server.url())) as answer,
        ):
            yield answer.chunks, server


def call(
    url: str,
    *,
    method: str = "POST",
    body: bytes = b'{"input": "hello"}',
    headers: Mapping[str, str] | None = None,
    connect: float = 10.0,
    read: float = 10.0,
    total: float = 10.0,
) -> HttpCall:
    """A call with a key in its headers."""
    return HttpCall(
        method=method,
        url=url,
        headers={"authorization": SECRET, "content-type": "application/json", **(headers or {})},
        body=body,
        timeouts=Timeouts(connect=connect, read=read, total=total),
    )


async def fails(work: Awaitable[object], kind: TransportKind, *, sent: bool) -> TransportError:
    """Await work that must fail in this way, with a message that names no key and a cause that holds none."""
    try:
        result = await work
    except TransportError as error:
        return _checked(error, kind, sent=sent)
    raise AssertionError(f"expected a failure of kind {kind}, got {result!r}")


async def runs_out(ask: Callable[[float], Awaitable[object]]) -> TransportError:
    """Ask with a time limit that must end what was sent, and that the message must tell.

    A machine may stall until the limit is over and nothing has been sent; then a longer one is tried.
    """
    for limit in (0.2, 2.0, PATIENCE / 2):
        try:
            result = await ask(limit)
        except TransportError as error:
            if error.sent or limit == PATIENCE / 2:
                assert f"{limit:g} s" in str(error)
                return _checked(error, "timeout", sent=True)
        else:
            raise AssertionError(f"expected a timeout, got {result!r}")
    raise AssertionError


def _checked(error: TransportError, kind: TransportKind, *, sent: bool) -> TransportError:
    assert (error.kind, error.sent) == (kind, sent), (error.kind, error.sent, str(error))
    assert error.possibly_billed == sent
    assert "sk-" not in str(error) and "\n" not in str(error) and len(str(error)) < 300
    assert error.__cause__ is None and error.__context__ is None
    return error


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for may happen in the kernel
            await asyncio.sleep(0.002)


async def left(server: ScriptedServer, clients: int = 1) -> None:
    """Let the event loop run until this many clients have been seen to leave."""
    await until(lambda: server.gone == clients)
