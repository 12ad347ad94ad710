"""Servers on raw sockets that do what a script says, right or wrong, for tests of HTTP clients.

A script is an async function that is called with each connection (`Peer`); what the client sent is kept.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from msgspec import Struct

Script = Callable[["Peer"], Awaitable[None]]

HEAD_LIMIT = 4 * 1024 * 1024


class Received(Struct, frozen=True, kw_only=True):
    """One request as it came; header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Peer:
    """One connection, seen from the server."""

    def __init__(self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = server.connections
        self.reader = reader
        self.writer = writer
        self._server = server

    async def request(self) -> Received | None:
        """The next request, or None when the client has closed."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        received = Received(method=method, target=target, headers=headers, body=body)
        self._server.requests.append(received)
        return received

    async def send(self, *pieces: bytes) -> None:
        """Write the pieces, each on its own; a client that is gone is a `ConnectionError`."""
        for piece in pieces:
            try:
                self.writer.write(piece)
            except RuntimeError:  # uvloop's word for it
                raise ConnectionResetError from None
            await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the client has closed or reset the connection."""
        try:
            while await self.reader.read(65536):
                pass
        except OSError:
            pass
        self._server.gone += 1

    def finish(self) -> None:
        """Close with a FIN, after what was sent."""
        self.writer.close()

    def reset(self) -> None:
        """Close with a RST."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


class ScriptedServer:
    """A server on a loopback port of its own. `gone` counts the clients that `Peer.gone` saw leave."""

    def __init__(self, script: Script, scheme: str) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.gone = 0
        self.port = 0
        self._script = script
        self._scheme = scheme
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, path: str = "/v1/responses") -> str:
        """The address of a path on this server."""
        return f"{self._scheme}://127.0.0.1:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run the script for one connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._script(Peer(self, reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client is gone
        except asyncio.CancelledError:
            if not self._closing:
                raise
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        """End every connection and its script."""
        self._closing = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@asynccontextmanager
async def serving(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """A server that runs `script` for each connection, closed on leaving."""
    server = ScriptedServer(script, "https" if tls else "http")
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=HEAD_LIMIT, backlog=4096, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.close()


def always(*pieces: bytes) -> Script:
    """Every request on every connection gets the same reply, sent in these pieces."""

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(*pieces)

    return script


def once(*pieces: bytes, reset: bool = False) -> Script:
    """One request gets these bytes, and the connection ends: with a FIN, or with a RST."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)
        if reset:
            peer.reset()

    return script


async def silent(peer: Peer) -> None:
    """Read a request and never answer, until the client leaves."""
    await peer.request()
    await peer.gone()


def reply(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """A whole reply with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def head(*headers: str, status: str = "200 OK") -> bytes:
    """Status line and headers alone."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers]).encode("latin-1") + b"\r\n\r\n"


def chunked(*pieces: bytes) -> bytes:
    """Pieces in the chunked coding, with the last chunk."""
    return b"".join(chunk(piece) for piece in pieces) + b"0\r\n\r\n"


def chunk(piece: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def gzipped(body: bytes) -> bytes:
    """The gzip coding, the same for the same body."""
    return gzip.compress(body, mtime=0)


def tunnel(upstreams: Mapping[str, int]) -> Script:
    """An HTTP proxy: answers plain requests itself, and tunnels CONNECT to a loopback port by `host:port`."""

    async def script(peer: Peer) -> None:
        request = await peer.request()
        while request is not None and request.method != "CONNECT":
            await peer.send(reply(b"from the proxy"))
            request = await peer.request()
        if request is None:
            return
        port = upstreams.get(request.target)
        if port is None:
            await peer.send(reply(status="502 Bad Gateway"))
            return
        await peer.send(head(status="200 Connection established"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pipe(peer.reader, writer))
                group.create_task(_pipe(reader, peer.writer))
        finally:
            writer.close()

    return script


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()
