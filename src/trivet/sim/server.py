"""The simulated provider on a real socket: an ASGI application on uvicorn with httptools."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trivet.errors import SettingsError
from trivet.sim.constants import MAX_BODY
from trivet.sim.core import Core
from trivet.sim.exchange import Exchange
from trivet.sim.scenario import Scenario

_TRANSPORT = "trivet.transport"


class _Protocol(HttpToolsProtocol):
    """Hands the connection to the application, which breaks some on purpose."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[_TRANSPORT] = self.transport


class _Gone(Exception):
    """The client went away."""


class Application:
    """The ASGI application; plays the exchanges of a core."""

    def __init__(self, scenario: Scenario) -> None:
        self.core = Core(scenario)
        self._epoch = time.time() - time.monotonic()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One HTTP exchange."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        arrived = time.monotonic()
        body = await _body(headers, receive)
        if body is None:
            exchange = self.core.too_big()
            exchange.headers["connection"] = "close"
        else:
            now = self._epoch + arrived
            exchange = self.core.handle(scope["method"], scope["path"], headers, body, now)
        delivered = False
        try:
            await _play(exchange, arrived, scope[_TRANSPORT], receive, send)
            delivered = True
        except _Gone:
            pass
        finally:
            if exchange.generation:
                self.core.left(delivered=delivered)


async def _body(headers: dict[str, str], receive: Any) -> bytes | None:
    """The request's body; None when it is over the limit."""
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY.value:
        return None
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY.value:
            return None
    return b"".join(parts)


async def _play(exchange: Exchange, arrived: float, transport: Any, receive: Any, send: Any) -> None:
    """Send the exchange's chunks at their times, then end it as it says."""
    started = False
    waiting: list[bytes] = []
    for offset, data in exchange.chunks:
        delay = arrived + offset - time.monotonic()
        if delay > 0:
            if waiting:
                await send({"type": "http.response.body", "body": b"".join(waiting), "more_body": True})
                waiting = []
            await _wait(delay, receive)
        if not started:
            started = True
            await send(_head(exchange))
        waiting.append(data)
    if exchange.end == "done":
        await send({"type": "http.response.body", "body": b"".join(waiting), "more_body": False})
        return
    if waiting:
        await send({"type": "http.response.body", "body": b"".join(waiting), "more_body": True})
    if exchange.end == "hang":
        await _wait(None, receive)
    if exchange.after:
        await _wait(exchange.after, receive)
    if exchange.end == "reset":
        if started:  # let what was written reach the client before the reset discards it
            await _wait(0.01, receive)
        _reset(transport)
    else:
        transport.close()
    with contextlib.suppress(_Gone):
        await _wait(None, receive)


def _head(exchange: Exchange) -> dict[str, Any]:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in exchange.headers.items()]
    if exchange.length is not None:
        headers.append((b"content-length", str(exchange.length).encode()))
    return {"type": "http.response.start", "status": exchange.status, "headers": headers}


async def _wait(delay: float | None, receive: Any) -> None:
    """Sleep, or raise `_Gone` as soon as the client has gone; None waits for that alone."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(delay):
            while True:
                if (await receive())["type"] == "http.disconnect":
                    raise _Gone


def _reset(transport: Any) -> None:
    """End the connection with a TCP reset: linger of zero, then close."""
    duplicate = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    try:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    finally:
        duplicate.close()
    transport.abort()


class _Server(uvicorn.Server):
    """Says when it listens, and ends without noise."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Requests that hang on purpose are cancelled here, and each would be logged as a failure.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def warning(host: str) -> str | None:
    """A sentence to show when the host is reachable from other machines; None when it is not."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return None
    if host == "localhost":
        return None
    return f"the simulator listens on {host}, where other machines can reach it; it accepts any key"


def serve(
    scenario: Scenario,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] | None = None,
    until_eof: int | None = None,
) -> None:
    """Serve until interrupted; `ready` gets the base URL once it listens.

    `until_eof`: a file descriptor at whose end the server stops. SettingsError when the port is taken or the
    host is not of this machine.
    """
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listener.getsockname()[1]}/v1"
    application = Application(scenario)
    application.core.load()
    config = uvicorn.Config(
        application,
        http=_Protocol,
        ws="none",
        loop="auto",
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=600,
        timeout_graceful_shutdown=1,
        backlog=4096,
    )

    def listening() -> None:
        if until_eof is not None:
            _stop_with_parent(server, until_eof)
        if ready is not None:
            ready(url)

    server = _Server(config, listening)
    with contextlib.suppress(KeyboardInterrupt), listener:
        server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise SettingsError(f"the simulator cannot listen on port {port}; a port is at most 65535")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise SettingsError(f"the simulator cannot listen on {host}:{port}: {error}") from None
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(4096)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} on {host} is in use; choose another with --port, or 0 for any free one"
            raise SettingsError(message) from None
        raise SettingsError(f"the simulator cannot listen on {host}:{port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener


_WATCH_S = 1.0


def _stop_with_parent(server: uvicorn.Server, descriptor: int) -> None:
    """Stop at the descriptor's end, or when the process that started this one is gone."""
    loop = asyncio.get_running_loop()
    parent = os.getppid()

    def stop() -> None:
        server.should_exit = True
        server.force_exit = True

    def readable() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            stop()

    def watch() -> None:
        if os.getppid() != parent:
            stop()
        else:
            loop.call_later(_WATCH_S, watch)

    os.set_blocking(descriptor, False)
    loop.add_reader(descriptor, readable)
    loop.call_later(_WATCH_S, watch)
