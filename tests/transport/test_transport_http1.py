"""What the lean transport alone promises: sent and first byte, bounds, connections that are not used again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.testing.servers import Peer, Script, ScriptedServer, always, chunk, chunked, head, once, reply, serving
from trivet.testing.transport_case import call, fails, until
from trivet.transport.http1 import MAX_HEAD, MAX_INTERIM, read_headers
from trivet.transport.lean import LeanTransport
from trivet.transport.requests import target_of

CHUNKED = "Transfer-Encoding: chunked"


@asynccontextmanager
async def talking(script: Script) -> AsyncIterator[tuple[LeanTransport, ScriptedServer]]:
    async with asyncio.timeout(15), serving(script) as server:
        transport = LeanTransport()
        try:
            yield transport, server
            assert transport.statistics().open == 0
        finally:
            await transport.close()


async def test_the_first_byte_is_told_apart_from_the_last() -> None:
    """`first_byte` is the wait for the reply's beginning, whole or streamed, on new connections and kept ones."""

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await asyncio.sleep(0.05)
            await peer.send(head(CHUNKED))
            await asyncio.sleep(0.15)
            await peer.send(chunked(b"body"))

    async with talking(script) as (transport, server):
        for _ in range(2):
            whole = await transport.fetch(call(server.url()))
            async with transport.stream(call(server.url())) as streamed:
                assert [piece async for piece in streamed.chunks] == [b"body"]
            for got in (whole, streamed):
                assert got.first_byte is not None and 0.045 <= got.first_byte < 0.15


@pytest.mark.parametrize("surplus", [b"\r\nHTTP/1.1 200 OK\r\n", reply(b"of nobody"), b"garbage\r\n\r\n", b"\0" * 9])
async def test_what_follows_a_reply_spoils_its_connection_and_nothing_else(surplus: bytes) -> None:
    """A reply with more behind it is whole; the connection is not used again."""
    async with talking(always(reply(b"body") + surplus)) as (transport, server):
        for turn in range(3):
            assert (await transport.fetch(call(server.url()))).body == b"body"
            assert server.connections == turn + 1


async def test_an_answer_before_the_question_has_left_ends_the_connection() -> None:
    """A server that answers early, without reading: its answer counts, and what is unsent goes nowhere."""

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(reply(b"too much", status="413 Content Too Large"))
        await peer.gone()

    async with talking(script) as (transport, server):
        got = await transport.fetch(call(server.url(), body=bytes(32 * 1024 * 1024)))
        assert (got.status, got.body) == (413, b"too much")
        await until(lambda: server.gone == 1)


async def test_interim_replies_and_heads_have_a_bound() -> None:
    """A server that never comes to its answer is refused, however it spins it out."""
    interim = head(status="103 Early Hints")
    for pieces, kind in (
        ((interim * (MAX_INTERIM + 1),), "encoding"),
        ((head(status="101 Switching Protocols"),), "encoding"),
        ([b"HTTP/1.1 200 OK\r\n", *[b"x: %b\r\n" % (b"a" * 1000)] * (MAX_HEAD // 1000 + 1)], "too_large"),
    ):
        async with talking(once(*pieces)) as (transport, server):
            await fails(transport.fetch(call(server.url())), kind, sent=True)  # type: ignore[arg-type]


async def test_a_slow_reader_makes_the_server_wait() -> None:
    """A stream that nobody reads does not fill the memory, does not time out, and is whole once it is read."""
    piece, pieces, sent = bytes(256 * 1024), 150, 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(head(CHUNKED))
        for _ in range(pieces):
            await peer.send(chunk(piece))
            sent += 1
        await peer.send(b"0\r\n\r\n")

    async with (
        talking(script) as (transport, server),
        transport.stream(call(server.url(), read=0.2)) as answer,
    ):
        await asyncio.sleep(0.5)  # longer than `read`, which counts while somebody waits
        assert sent < pieces
        assert sum([len(got) async for got in answer.chunks]) == pieces * len(piece)


async def test_what_came_before_a_break_is_handed_out() -> None:
    """The end of an answer that arrives together with a reset is not lost to it."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head(CHUNKED) + chunk(b"first"))
        await peer.request()

    async with talking(script) as (transport, server), transport.stream(call(server.url())) as answer:
        assert await anext(answer.chunks) == b"first"
        connection = answer.chunks._connection  # type: ignore[attr-defined]
        connection.data_received(chunk(b"the answer"))
        connection.connection_lost(ConnectionResetError())
        assert await anext(answer.chunks) == b"the answer"
        await fails(anext(answer.chunks), "reset", sent=True)


async def test_names_are_looked_up_once_and_ipv6_is_an_address() -> None:
    """`localhost` and `[::1]` both lead to a server; a host that does not answer by one address does by another."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on this machine")
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1])
        writer.write(reply(b"body", "Connection: close"))
        writer.close()

    server = await asyncio.start_server(serve, "::1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = LeanTransport()
    assert (await transport.fetch(call(f"http://[::1]:{port}/v1", body=b""))).body == b"body"
    assert seen == [f"host: [::1]:{port}"]
    await transport.close()
    server.close()


async def test_a_connection_that_lay_too_long_is_closed_and_not_used() -> None:
    """What the pool holds is swept; the next call opens a connection of its own."""
    async with talking(always(reply(b"body"))) as (transport, server):
        await transport.fetch(call(server.url()))
        session = transport._sessions.found()
        assert session is not None
        (idle,) = session._idle.values()
        idle[0].idle_since -= 60
        session._sweep()
        assert (await transport.fetch(call(server.url()))).body == b"body"
        assert server.connections == 2


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "connection", "a b", "", "ä"])
def test_a_header_that_frames_the_message_is_refused(name: str) -> None:
    """Two lengths, or a name that is none, are how requests are smuggled (RFC 9112, section 11.2)."""
    with pytest.raises(ValueError):
        target_of("POST", "http://host/", [(name, "1")])


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_no_text_breaks_out_of_the_head(path: str, value: str, headers: dict[str, str]) -> None:
    """Whatever the parts hold, a head is refused or is the lines that were meant, and no more."""
    given_headers = {**headers, "x-value": value}
    try:
        made = target_of("POST", f"http://host/{path}", given_headers.items()).request(7)
    except ValueError:
        return
    lines = made.split(b"\r\n")
    assert lines[0].count(b" ") == 2 and lines[0].endswith(b" HTTP/1.1")
    assert made.count(b"\r\n\r\n") == 1 and made.endswith(b"content-length: 7\r\n\r\n")


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=20))
def test_headers_are_text_that_can_be_written(fields: list[tuple[bytes, bytes]]) -> None:
    """Any bytes become lower-case names and values of valid Unicode, joined in order."""
    headers = read_headers(fields)
    assert len(headers) == len({name.decode("latin-1").lower() for name, _ in fields})
    for value in headers.values():
        assert value.encode().decode() == value
