"""Transport conformance: connections are kept, given up in time, and belong to one loop and process."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from unittest import SkipTest

from trivet.errors import TransportError
from trivet.testing.servers import Peer, always, head, reply, serving, silent
from trivet.testing.transport_case import PATIENCE, TransportCase, call, fails, left, until
from trivet.transport.protocol import Transport

CROWD = 2000


class PoolCase(TransportCase):
    """Keep-alive and its races, load, event loops, threads, processes, closing."""

    async def test_connections_are_kept_and_counted(self) -> None:
        """Calls one after the other share a connection; calls at once have one each."""
        async with self.talking(always(reply(b"body"))) as (transport, server):
            for _ in range(5):
                await transport.fetch(call(server.url()))
            assert server.connections == 1
            async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(transport.fetch(call(server.url())))
            counts = transport.statistics()
            assert (counts.exchanges, counts.open) == (13, 0)
            assert counts.connections == server.connections <= 9

    async def test_a_connection_that_the_server_closed_is_not_used(self) -> None:
        """Whether the event loop has read of the end or not yet: no call fails, none is repeated."""
        for close_header in ([], ["Connection: close"]):

            async def script(peer: Peer, lines: list[str] = close_header) -> None:
                if await peer.request() is not None:
                    await peer.send(reply(b"body", *lines))

            async with self.talking(script) as (transport, server):
                for n in range(100):
                    assert (await transport.fetch(call(server.url()))).body == b"body"
                    if n % 2:
                        await asyncio.sleep(0)
                assert len(server.requests) == 100

    async def test_what_nobody_asked_for_is_never_an_answer(self) -> None:
        """A reply that a server sends unasked on an idle connection is not taken for the next request's."""

        async def script(peer: Peer) -> None:
            while (request := await peer.request()) is not None:
                await peer.send(reply(request.target.encode()))
                await idle.wait()
                await peer.send(reply(b"unasked", status="408 Request Timeout"))
                unasked.set()

        idle, unasked = asyncio.Event(), asyncio.Event()
        async with self.talking(script) as (transport, server):
            for n in range(20):
                idle.clear()
                unasked.clear()
                got = await transport.fetch(call(server.url(f"/{n}")))
                assert (got.status, got.body) == (200, b"/%d" % n)
                idle.set()
                await unasked.wait()
                if n % 2:
                    await asyncio.sleep(0.005)  # let the event loop read it

    async def test_a_keep_alive_race_is_told_as_it_is(self) -> None:
        """A server that closes just as a request leaves: kind closed or reset, sent, and no repeat."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(reply(b"body"))
            await peer.request()  # and away, without a byte

        async with self.talking(script) as (transport, server):
            await transport.fetch(call(server.url()))
            try:
                await transport.fetch(call(server.url()))
            except TransportError as error:
                assert error.kind in ("closed", "reset") and error.sent and error.retryable
            assert len(server.requests) == 2

    async def test_no_post_is_sent_twice(self) -> None:
        """Servers that hang up at any moment, under load, see no request twice, and none that is told unsent."""

        async def script(peer: Peer) -> None:
            for turn in range(1 + peer.number % 3):
                if await peer.request() is None:
                    return
                if (peer.number + turn) % 4 == 3:
                    peer.reset()
                    return
                await peer.send(reply(b"body"))

        unsent: set[str] = set()
        answered: set[str] = set()

        async def work(transport: Transport, url: str, first: int) -> None:
            for n in range(first, first + 50):
                try:
                    await transport.fetch(call(f"{url}/{n}"))
                    answered.add(f"/{n}")
                except TransportError as error:
                    assert error.kind in ("closed", "reset", "connect")
                    if not error.sent:
                        unsent.add(f"/{n}")

        async with self.talking(script) as (transport, server):
            async with asyncio.TaskGroup() as group:
                for worker in range(20):
                    group.create_task(work(transport, server.url(""), worker * 50))
            arrived = [request.target for request in server.requests]
            assert len(arrived) == len(set(arrived))
            assert answered <= set(arrived) and not unsent & set(arrived)
            assert len(answered) > 500

    async def test_two_thousand_at_once(self) -> None:
        """Two thousand calls are all in flight before the first is answered, and all are answered."""
        _allow_files(2 * CROWD + 500)
        crowded = asyncio.Event()
        waiting: set[int] = set()

        async def script(peer: Peer) -> None:
            while await peer.request() is not None:
                waiting.add(peer.number)
                if len(waiting) == CROWD:
                    crowded.set()
                await crowded.wait()
                await peer.send(reply(b"body"))

        async with self.talking(script, patience=120.0) as (transport, server):
            patient = call(server.url(), connect=100.0, read=100.0, total=100.0)  # many, on a machine that may be slow
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(transport.fetch(patient)) for _ in range(CROWD)]
            assert all(task.result().body == b"body" for task in tasks)
            assert transport.statistics().connections == CROWD

    async def test_several_event_loops_share_a_transport(self) -> None:
        """Threads with loops of their own call at the same time; what a loop opened is closed as it ends."""
        async with self.talking(always(reply(b"body"))) as (transport, server):

            async def work() -> None:
                for _ in range(20):
                    assert (await transport.fetch(call(server.url()))).body == b"body"

            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(asyncio.to_thread(_run_silently, work))
                group.create_task(work())
            counts = transport.statistics()
            assert (counts.exchanges, counts.connections, counts.open) == (100, 5, 0)

    async def test_a_transport_outlives_its_event_loops(self) -> None:
        """Loop after loop uses one transport without a warning; the server sees each connection close."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(reply(b"body"))
            await peer.gone()

        async with self.talking(script) as (transport, server):

            async def work() -> None:
                assert (await transport.fetch(call(server.url()))).body == b"body"

            for n in range(3):
                await asyncio.to_thread(_run_silently, work)
                await left(server, n + 1)

    async def test_closing_reaches_every_event_loop(self) -> None:
        """`close` in one loop fails what is under way in another, and refuses what comes later."""
        async with asyncio.timeout(PATIENCE), serving(silent) as server:
            transport = self.make()

            async def work() -> None:
                await fails(transport.fetch(call(server.url())), "closed", sent=True)

            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.to_thread(_run_silently, work))
                group.create_task(work())
                await until(lambda: len(server.requests) == 2)
                await transport.close()
            await left(server, 2)
            error = await fails(transport.fetch(call(server.url())), "closed", sent=False)
            assert not error.retryable
            await transport.close()

    async def test_closing_fails_what_is_connecting_and_what_is_read(self) -> None:
        """Exchanges fail at once in every phase; a body that only the end delimits is not taken as whole."""

        async def script(peer: Peer) -> None:
            if peer.number == 1:
                await peer.request()
                await peer.send(head() + b"part")
            await peer.gone()

        async with asyncio.timeout(PATIENCE), serving(script) as server:
            transport = self.make()

            async def connecting() -> None:
                url = server.url().replace("http:", "https:")
                await fails(transport.fetch(call(url)), "closed", sent=False)

            async with transport.stream(call(server.url())) as answer:
                assert await anext(answer.chunks) == b"part"
                async with asyncio.TaskGroup() as group:
                    group.create_task(connecting())
                    await until(lambda: server.connections == 2)
                    await transport.close()
                await fails(anext(answer.chunks), "closed", sent=True)
            await left(server, 2)

    async def test_a_forked_process_has_connections_of_its_own(self) -> None:
        """A child of `fork` makes a call and closes; the parent's connection is untouched and serves on."""
        async with self.talking(always(reply(b"body"))) as (transport, server):
            await transport.fetch(call(server.url()))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of fork in a process with threads
                child = os.fork()
            if child == 0:
                _run_child(transport, server.url())
            try:
                async with asyncio.timeout(10):
                    _, status = await asyncio.to_thread(os.waitpid, child, 0)
            except TimeoutError:
                os.kill(child, signal.SIGKILL)
                raise
            assert os.waitstatus_to_exitcode(status) == 0
            assert (await transport.fetch(call(server.url()))).body == b"body"
            assert (server.connections, transport.statistics().connections) == (2, 1)


def _run_silently(work: Callable[[], Awaitable[None]]) -> None:
    """Run an async function in a new event loop of this thread; a warning or a leaked socket is an error."""
    noise: list[str] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: noise.append(str(context)))
        await work()

    asyncio.run(watched())
    gc.collect()
    assert noise == []


def _run_child(transport: Transport, url: str) -> None:
    """What the forked child does; it never returns."""
    with suppress(BaseException):

        async def work() -> None:
            assert (await transport.fetch(call(url))).body == b"body"
            await transport.close()

        asyncio.run(work())
        gc.collect()
        os._exit(0)
    os._exit(1)


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        except (ValueError, OSError):
            raise SkipTest(f"this system allows {soft} open files, and {count} are needed") from None
