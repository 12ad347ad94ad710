"""Transport conformance: every failure has its kind, and says whether the request may have been billed."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from unittest import SkipTest

from trivet.errors import TransportError, TransportKind
from trivet.testing.servers import Peer, always, chunk, gzipped, head, once, reply, silent
from trivet.testing.transport_case import TransportCase, call, fails, left, runs_out
from trivet.transport.protocol import MAX_BODY, Transport

LONG = f"http://{'a' * 70}.invalid/"  # a label of more than 63 characters (RFC 1035)
CHUNKED = "Transfer-Encoding: chunked"


class FailuresCase(TransportCase):
    """Servers that are not there, too slow, too large, or wrong."""

    async def broken(self, kind: TransportKind, *pieces: bytes, reset: bool = False) -> str:
        """The message of the failure when this is all that a server sends."""
        async with self.talking(once(*pieces, reset=reset)) as (transport, server):
            error = await fails(transport.fetch(call(server.url())), kind, sent=True)
            assert f"127.0.0.1:{server.port}" in str(error)
            assert len(server.requests) == 1
            return str(error)

    async def test_a_refused_connection_was_not_sent(self) -> None:
        """Nobody listens: kind connect, not sent, may be tried again, with the address and what to do."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            transport = self.make()
            error = await fails(transport.fetch(call(f"http://127.0.0.1:{port}/v1")), "connect", sent=False)
            await transport.close()
        assert error.retryable
        assert str(error) == (
            f"could not connect to 127.0.0.1:{port}: connection refused; is the server running, and is base_url right?"
        )

    async def test_a_host_that_does_not_exist_was_not_sent(self) -> None:
        """A name under .invalid (RFC 2606) is not found: kind connect, not sent."""
        transport = self.make()
        error = await fails(transport.fetch(call("http://no.such.invalid/v1", connect=5)), "connect", sent=False)
        assert "no.such.invalid:80" in str(error)
        await transport.close()

    async def test_what_can_not_be_sent_is_refused_for_good(self) -> None:
        """A URL or a header that HTTP forbids fails at once, unsent, not retryable, and is not repeated."""
        async with self.talking(always(reply())) as (transport, server):
            for url in ("http://[::1/v1", "ftp://127.0.0.1/", "127.0.0.1", "", "http://", "http://a:99999/", LONG):
                error = await fails(transport.fetch(call(url)), "connect", sent=False)
                assert not error.retryable, url
            smuggled = call(server.url(), headers={"x": "a\r\nauthorization: sk-other"})
            assert not (await fails(transport.fetch(smuggled), "connect", sent=False)).retryable
            await transport.fetch(call(server.url("/with space/ü")))
            assert [got.target for got in server.requests] == ["/with%20space/%C3%BC"]

    async def test_connecting_takes_no_longer_than_allowed(self) -> None:
        """A listener whose queue is full lets a connection hang: kind timeout, not sent, after `connect`."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            fillers = await _fill(listener.getsockname())
            transport = self.make()
            try:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
                began = asyncio.get_running_loop().time()
                error = await fails(transport.fetch(call(url, connect=0.1)), "timeout", sent=False)
                assert 0.09 <= asyncio.get_running_loop().time() - began < 5
                assert "within 0.1 s" in str(error) and error.retryable
            finally:
                await transport.close()
                for filler in fillers:
                    filler.close()

    async def test_a_server_that_never_answers_times_out_as_sent(self) -> None:
        """Nothing comes for `read` seconds: kind timeout, sent, and the server sees the connection close."""
        async with self.talking(silent) as (transport, server):
            error = await fails(transport.fetch(call(server.url(), read=0.1)), "timeout", sent=True)
            assert "0.1 s" in str(error)
            await left(server)

    async def test_a_body_that_stalls_times_out(self) -> None:
        """The gap between two reads counts, not the time since the start."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(head(CHUNKED))
            for _ in range(5):
                await peer.send(chunk(b"."))
                await asyncio.sleep(0.06)
            await peer.gone()

        async with self.talking(script) as (transport, server):
            await fails(transport.fetch(call(server.url(), read=0.2)), "timeout", sent=True)
            await left(server)

    async def test_a_trickle_is_bounded_by_the_total(self) -> None:
        """A byte now and then defeats `read`, but not `total`, in the head as in the body."""
        for first in (b"HTTP/1.1 200 O", head("Content-Length: 100000")):

            async def script(peer: Peer, first: bytes = first) -> None:
                await peer.request()
                await peer.send(first)
                while True:
                    await peer.send(b"K")
                    await asyncio.sleep(0.02)

            async with self.talking(script) as (transport, server):

                async def ask(total: float, transport: Transport = transport, url: str = server.url()) -> object:
                    return await transport.fetch(call(url, total=total))

                await runs_out(ask)

    async def test_the_total_counts_while_connecting_and_was_not_sent(self) -> None:
        """When the total is over before there is a connection, nothing was sent."""

        async def script(peer: Peer) -> None:
            await peer.gone()

        async with self.talking(script) as (transport, server):
            url = server.url().replace("http:", "https:")  # no TLS handshake is ever answered
            await fails(transport.fetch(call(url, total=0.1)), "timeout", sent=False)
            await left(server)

    async def test_a_reset_may_have_been_billed(self) -> None:
        """A reset before the reply, in its head and in its body, whatever delimits it: kind reset, sent."""
        await self.broken("reset", reset=True)
        await self.broken("reset", b"HTTP/1.1 20", reset=True)
        starts = [head("Content-Length: 10") + b"hel", head(CHUNKED) + chunk(b"hel"), head() + b"hel"]
        for start in starts:
            await self._reset_later(start)

    async def _reset_later(self, start: bytes) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(start)
            await read.wait()
            peer.reset()

        read = asyncio.Event()
        async with self.streaming(script) as (chunks, _):
            assert await anext(chunks)
            read.set()
            await fails(anext(chunks), "reset", sent=True)

    async def test_a_reply_that_ends_early_is_no_reply(self) -> None:
        """A FIN before the reply, in its head or before its body is whole: kind closed, sent."""
        await self.broken("closed")
        await self.broken("closed", b"HTTP/1.1 200 OK\r\nContent-Le")
        await self.broken("closed", head("Content-Length: 10") + b"hello")
        await self.broken("closed", head(CHUNKED) + chunk(b"hello"))
        await self.broken("closed", head(CHUNKED) + chunk(b"hello") + b"ff\r\nhel")

    async def test_what_is_not_http_is_told_from_a_broken_connection(self) -> None:
        """Garbage in place of a head, a length or a chunk is of kind encoding, which no retry mends."""
        for garbage in (
            b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
            "🦊 שלום\r\n\r\n".encode(),
            b"\x15\x03\x01\x00\x02\x02\x46" * 5 + b"\r\n\r\n",
            b"HTTP/1.1 abc Odd\r\n\r\n",
            head("Content-Length: -5"),
            head("Content-Length: 5", "Content-Length: 7") + b"hello",
            head(CHUNKED) + b"zzz\r\nhello\r\n",
        ):
            assert "SSH" not in await self.broken("encoding", garbage)

    async def test_garbage_in_the_middle_of_a_body_is_noticed_at_once(self) -> None:
        """A chunk that breaks the coding, long after the head, fails the read instead of hanging it."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(head(CHUNKED) + chunk(b"hello"))
            await read.wait()
            await peer.send(b"not a size\r\n")
            await peer.gone()

        read = asyncio.Event()
        async with self.streaming(script) as (chunks, _):
            assert await anext(chunks) == b"hello"
            read.set()
            began = asyncio.get_running_loop().time()
            await fails(anext(chunks), "encoding", sent=True)
            assert asyncio.get_running_loop().time() - began < 5

    async def test_headers_without_end_are_refused(self) -> None:
        """A header of a megabyte is too large; a head of ten thousand headers is refused for good."""
        await self.broken("too_large", head("X-Large: " + "a" * 1_000_000))
        crowd = head(*[f"X-{n}: a" for n in range(10_000)])
        async with self.talking(once(crowd)) as (transport, server):
            with suppress(TransportError):
                await transport.fetch(call(server.url()))
                raise AssertionError("ten thousand headers were accepted")

    async def test_a_body_over_the_limit_is_refused(self) -> None:
        """Announced, it is refused at once; unannounced, when the limit is passed."""
        await self.broken("too_large", head(f"Content-Length: {MAX_BODY + 1}"))
        megabyte = chunk(bytes(1024 * 1024))
        await self.broken("too_large", head(CHUNKED), *[megabyte] * (MAX_BODY // 1024**2 + 1))

    async def test_a_bomb_is_refused(self) -> None:
        """A gzip body that grows over the limit is of kind too_large; one that just fits passes."""
        for size, fits in ((MAX_BODY, True), (MAX_BODY + 1, False)):
            bomb = reply(gzipped(bytes(size)), "Content-Encoding: gzip")
            async with self.talking(always(bomb)) as (transport, server):
                if fits:
                    assert len((await transport.fetch(call(server.url()))).body) == size
                else:
                    await fails(transport.fetch(call(server.url())), "too_large", sent=True)
        bomb = reply(gzipped(gzipped(bytes(MAX_BODY))), "Content-Encoding: gzip, gzip")
        await self.broken("encoding", bomb)

    async def test_a_broken_coding_is_no_body(self) -> None:
        """What is not gzip, was cut, damaged, has junk behind it, or has an unknown coding: encoding."""
        whole = gzipped(b"hello " * 100)
        for body, coding in (
            (b"plain text", "gzip"),
            (whole[:-4], "gzip"),
            (whole[:20], "gzip"),
            (whole + b"junk", "gzip"),
            (whole[:12] + b"\xff\xff\xff\xff" + whole[16:], "gzip"),
            (b"\x78\x9c\xff\xff", "deflate"),
            (b"anything", "br"),
        ):
            await self.broken("encoding", reply(body, f"Content-Encoding: {coding}"))


async def _fill(address: tuple[str, int]) -> list[socket.socket]:
    """Connect until a connection hangs; the sockets that keep it so."""
    loop = asyncio.get_running_loop()
    fillers: list[socket.socket] = []
    for _ in range(64):
        filler = socket.socket()
        filler.setblocking(False)
        fillers.append(filler)
        try:
            async with asyncio.timeout(0.1):
                await loop.sock_connect(filler, address)
        except TimeoutError:
            return fillers
    raise SkipTest("this system accepts connections beyond a listener's queue, so that none hangs")
