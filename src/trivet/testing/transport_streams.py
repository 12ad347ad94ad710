"""Transport conformance: chunks come when they arrive, and whoever leaves early leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import zlib
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from trivet.testing.servers import Peer, always, chunk, chunked, head, once, reply, silent
from trivet.testing.transport_case import TransportCase, call, fails, left, runs_out, until
from trivet.transport.protocol import MAX_BODY, Transport

CHUNKED = "Transfer-Encoding: chunked"


class StreamsCase(TransportCase):
    """Streamed replies, and cancellation."""

    async def test_the_head_and_each_chunk_come_as_they_arrive(self) -> None:
        """The server sends on only when the client has seen what came before: head, one byte, an event."""
        seen = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            for piece in (head(CHUNKED), chunk(b"a"), chunk("data: 🦊\n\n".encode()), b"0\r\n\r\n"):
                await peer.send(piece)
                await seen.wait()
                seen.clear()

        async with (
            self.talking(script) as (transport, server),
            transport.stream(call(server.url())) as answer,
        ):
            assert (answer.status, answer.headers["transfer-encoding"]) == (200, "chunked")
            for expected in (b"a", "data: 🦊\n\n".encode()):
                seen.set()
                assert await anext(answer.chunks) == expected
            seen.set()
            assert [piece async for piece in answer.chunks] == []
            seen.set()

    async def test_compressed_chunks_come_as_they_arrive(self) -> None:
        """What a server flushed out of its compressor is handed out before it sends on."""
        seen = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            deflate = zlib.compressobj(wbits=31)
            await peer.send(head(CHUNKED, "Content-Encoding: gzip"))
            for piece in (b"one", b"two"):
                await peer.send(chunk(deflate.compress(piece) + deflate.flush(zlib.Z_SYNC_FLUSH)))
                await seen.wait()
                seen.clear()
            await peer.send(chunk(deflate.flush()) + b"0\r\n\r\n")

        async with self.streaming(script) as (chunks, _):
            for expected in (b"one", b"two"):
                assert await anext(chunks) == expected
                seen.set()
            assert [piece async for piece in chunks] == []

    async def test_a_stream_of_many_chunks_is_whole(self) -> None:
        """Ten thousand events come in order, nothing lost, nothing twice; the connection serves on."""
        events = [b"data: %d\n\n" % n for n in range(10_000)]
        async with self.talking(always(head(CHUNKED), chunked(*events))) as (transport, server):
            for _ in range(2):
                async with transport.stream(call(server.url())) as answer:
                    assert b"".join([piece async for piece in answer.chunks]) == b"".join(events)
            assert server.connections == 1

    async def test_an_error_status_streams_its_body(self) -> None:
        """A refusal of a streamed call is a reply like any other."""
        refusing = always(reply(b"no", status="429 Slow"))
        async with (
            self.talking(refusing) as (transport, server),
            transport.stream(call(server.url())) as answer,
        ):
            assert answer.status == 429
            assert [piece async for piece in answer.chunks] == [b"no"]

    async def test_leaving_a_stream_early_closes_it(self) -> None:
        """After the head, in the middle of the body, by an error of the consumer: the server sees the end."""
        for read in (0, 1):
            async with self.talking(_endless) as (transport, server):
                try:
                    async with transport.stream(call(server.url())) as answer:
                        for _ in range(read):
                            await anext(answer.chunks)
                        raise KeyError("the consumer's own")
                except KeyError:
                    pass
                await left(server)
                assert transport.statistics().open == 0

    async def test_a_stream_that_is_left_does_not_spoil_the_next(self) -> None:
        """A reply of which a part was read is never taken for the answer to the next request."""
        async with self.talking(_echo_after_rubbish) as (transport, server):
            for n in range(20):
                async with transport.stream(call(server.url(f"/left/{n}"))) as answer:
                    await anext(answer.chunks)
                whole = await transport.fetch(call(server.url(f"/read/{n}")))
                assert whole.body.endswith(b"/read/%d" % n)

    async def test_the_total_bounds_a_stream(self) -> None:
        """A stream that never ends fails at the total, as sent."""
        async with self.talking(_endless) as (transport, server):

            async def read(total: float) -> None:
                async with transport.stream(call(server.url(), total=total)) as answer:
                    async for _ in answer.chunks:
                        pass

            await runs_out(read)
            await left(server)

    async def test_an_endless_stream_is_too_large(self) -> None:
        """The limit of a body holds for a stream as well, so that no server can fill the memory."""
        megabyte = chunk(bytes(1024 * 1024))

        async def read() -> int:
            async with transport.stream(call(server.url())) as answer:
                return sum([len(piece) async for piece in answer.chunks])

        script = once(head(CHUNKED), *[megabyte] * (MAX_BODY // 1024**2 + 1), b"0\r\n\r\n")
        async with self.talking(script) as (transport, server):
            await fails(read(), "too_large", sent=True)

    async def test_cancelling_closes_the_connection_at_once(self) -> None:
        """Before the head, after it and within the body, whole or streamed: the server sees the end."""
        for script in (silent, _head_only, _endless):
            for work in (_fetch, _drain):
                async with self.talking(script) as (transport, server):
                    await _cancelled(work, transport, server.url(), partial(bool, server.requests))
                    await left(server)

    async def test_cancelling_while_sending_closes_the_connection_at_once(self) -> None:
        """A server that does not read keeps no socket of a cancelled call, however much is unsent."""
        accepted, over = asyncio.Event(), asyncio.Event()

        async def deaf(peer: Peer) -> None:
            accepted.set()
            await over.wait()

        async with self.talking(deaf) as (transport, server):
            files = _open_files()
            async with asyncio.TaskGroup() as group:
                work = group.create_task(_fetch(transport, server.url(), bytes(48 * 1024 * 1024)))
                await accepted.wait()
                await asyncio.sleep(0.05)  # fill the buffers of the kernel
                assert _open_files() == files + 2
                work.cancel()
            await until(lambda: _open_files() == files + 1)  # the server's end alone
            over.set()

    async def test_cancelling_while_connecting_leaves_nothing(self) -> None:
        """A handshake that hangs is given up with its socket."""

        async def script(peer: Peer) -> None:
            accepted.set()
            await peer.gone()

        accepted = asyncio.Event()
        async with self.talking(script) as (transport, server):
            url = server.url().replace("http:", "https:")
            await _cancelled(_fetch, transport, url, accepted.is_set)
            await left(server)

    async def test_cancelling_at_any_moment_leaves_nothing(self) -> None:
        """However many steps a call has made when it is cancelled, no task, exchange or socket stays."""
        async with self.talking(always(reply(b"body"))) as (transport, server):
            tasks = len(asyncio.all_tasks())
            for steps in range(30):
                async with asyncio.TaskGroup() as group:
                    work = group.create_task(_fetch(transport, server.url()))
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    work.cancel()
                assert transport.statistics().open == 0
                assert (await transport.fetch(call(server.url()))).body == b"body"
            gc.collect()
            await until(lambda: len(asyncio.all_tasks()) <= tasks + 1)  # the server's for its one live connection


def _open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def _head_only(peer: Peer) -> None:
    await peer.request()
    await peer.send(head(CHUNKED))
    await peer.gone()


async def _endless(peer: Peer) -> None:
    await peer.request()
    await peer.send(head(CHUNKED), chunk(b"first"))
    try:
        while True:
            await peer.send(chunk(b"more"))
            await asyncio.sleep(0.01)
    except OSError:
        await peer.gone()


async def _echo_after_rubbish(peer: Peer) -> None:
    while (request := await peer.request()) is not None:
        rubbish = [chunk(reply(b"an answer to something else"))] * 3
        await peer.send(head(CHUNKED), *rubbish, chunk(request.target.encode()), b"0\r\n\r\n")


async def _fetch(transport: Transport, url: str, body: bytes = b"{}") -> None:
    await transport.fetch(call(url, body=body))


async def _drain(transport: Transport, url: str) -> None:
    async with transport.stream(call(url)) as answer:
        async for _ in answer.chunks:
            pass


async def _cancelled(
    work: Callable[[Transport, str], Coroutine[Any, Any, None]],
    transport: Transport,
    url: str,
    under_way: Callable[[], bool],
) -> None:
    """Start the work, cancel it when it is under way, and see that it ends as cancelled, at once."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work(transport, url))
        await until(under_way)
        await asyncio.sleep(0.02)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=1)
        assert done and task.cancelled()
    assert transport.statistics().open == 0
