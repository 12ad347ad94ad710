"""Finding a host and connecting to it: names are looked up once, dead addresses cost little, nobody is run over."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from trivet.testing.virtual_time import run
from trivet.transport import dialing
from trivet.transport.dialing import AT_ONCE, BURST, STEP, Dialer, Turns
from trivet.transport.requests import Origin, target_of


class Loop(asyncio.SelectorEventLoop):
    """Knows one name, with an IPv6 address that never answers and one on loopback that does."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_up: list[tuple[str, int]] = []
        self.connected: list[str] = []
        self.broken = False

    def run_in_executor(self, executor: Any, work: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """What would be a look-up in a thread."""
        found = self.create_future()
        host, port = arguments
        self.looked_up.append((host, port))
        if self.broken:
            self.call_soon(found.set_exception, socket.gaierror(socket.EAI_AGAIN, "try again"))
        else:
            kind = socket.SOCK_STREAM
            v6, v4 = ("::1", port, 0, 0), ("127.0.0.1", port)
            addresses = [(socket.AF_INET6, kind, 0, "", v6), (socket.AF_INET, kind, 0, "", v4)]
            self.call_soon(found.set_result, addresses)
        return found

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """IPv6 is a black hole."""
        self.connected.append(address[0])
        if sock.family == socket.AF_INET6:
            await asyncio.Event().wait()
        await super().sock_connect(sock, address)


def origin_at(port: int) -> Origin:
    return target_of("GET", f"http://name.test:{port}/", ()).origin


def on(loop: Loop, work: Callable[[Dialer, Origin], Coroutine[Any, Any, None]]) -> None:
    """Do it with a dialer, and a server that takes every connection."""

    async def main() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        try:
            await work(Dialer(loop, ssl.create_default_context), origin_at(server.sockets[0].getsockname()[1]))
        finally:
            server.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


class Standing(asyncio.Protocol):
    """Says which address it stands on."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.peer = transport.get_extra_info("peername")[0]
        transport.close()


def test_an_address_that_does_not_answer_is_passed_by() -> None:
    """IPv6 is tried first, as the system says, and IPv4 beside it while that is silent."""
    loop = Loop()

    async def work(dialer: Dialer, origin: Origin) -> None:
        protocol = await dialer.dial(origin, Standing)
        assert protocol.peer == "127.0.0.1"
        assert loop.connected == ["::1", "127.0.0.1"]

    on(loop, work)


def test_a_name_is_looked_up_once_for_all_who_wait_and_for_those_who_come_later() -> None:
    """Thirty connections at once, one after them: one look-up."""
    loop = Loop()

    async def work(dialer: Dialer, origin: Origin) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(30):
                group.create_task(dialer.dial(origin, Standing))
        await dialer.dial(origin, Standing)
        assert loop.looked_up == [("name.test", origin.port)]

    on(loop, work)


def test_who_stops_waiting_for_a_name_takes_it_from_nobody() -> None:
    """The one who asked first is cancelled; the other gets the address all the same."""
    loop = Loop()

    async def work(dialer: Dialer, origin: Origin) -> None:
        first = asyncio.ensure_future(dialer.dial(origin, Standing))
        second = asyncio.ensure_future(dialer.dial(origin, Standing))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).peer == "127.0.0.1"
        assert len(loop.looked_up) == 1

    on(loop, work)


def test_a_look_up_that_failed_is_not_kept() -> None:
    """A name server that stutters is asked again by the next connection."""
    loop = Loop()

    async def work(dialer: Dialer, origin: Origin) -> None:
        loop.broken = True
        with pytest.raises(socket.gaierror):
            await dialer.dial(origin, Standing)
        loop.broken = False
        assert (await dialer.dial(origin, Standing)).peer == "127.0.0.1"

    on(loop, work)


def test_a_server_is_not_knocked_at_by_all_at_once() -> None:
    """So many at once, and one more each step while none of them has come through; then as they come through."""

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        turns = Turns(asyncio.get_running_loop())
        began: list[float] = []

        async def knock(seconds: float) -> None:
            async with turns:
                began.append(clock())
                await asyncio.sleep(seconds)

        start = clock()
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE + 10):
                group.create_task(knock(100.0))
        assert began[:AT_ONCE] == [start] * AT_ONCE
        assert [moment - start for moment in began[AT_ONCE:]] == pytest.approx([STEP * n for n in range(1, 11)])

        start, began = clock(), []
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE * 10):
                group.create_task(knock(STEP / 100))
        assert clock() - start < 2 * STEP, "where connections come through at once, nobody waits for a step"

    run(main())


def test_who_gives_up_while_he_waits_leaves_his_turn_to_the_next() -> None:
    """Every other one is cancelled, some in the moment of their turn; all the rest come in, and nothing is kept."""

    async def main() -> None:
        turns = Turns(asyncio.get_running_loop())
        came = 0

        async def knock() -> None:
            nonlocal came
            async with turns:
                came += 1
                await asyncio.sleep(dialing.STEP * 3)

        tasks = [asyncio.ensure_future(knock()) for _ in range(60)]
        for place, task in enumerate(tasks):
            if place % 2:
                await asyncio.sleep(STEP / 2 if place % 3 else 0)
                task.cancel()
        ended = await asyncio.wait(tasks)
        left = sum(task.cancelled() for task in ended[0])
        assert came >= 30
        assert came + left >= 60
        for _ in range(AT_ONCE):
            await asyncio.wait_for(turns.__aenter__(), STEP / 10)

    run(main())


def test_a_loop_that_was_held_up_makes_good_for_its_steps() -> None:
    """After a stall of twenty steps twenty come in at once, not one; after a long one no more than a burst."""

    async def main() -> None:
        loop = Stalling()
        turns = Turns(loop)
        tasks = [asyncio.ensure_future(turns.__aenter__()) for _ in range(AT_ONCE + 100)]
        for stall, let_in in ((0.0, 0), (20 * STEP, 20), (1000 * STEP, BURST)):
            before = sum(task.done() for task in tasks)
            loop.pass_by(stall)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            after = sum(task.done() for task in tasks)
            assert after - before == (let_in or AT_ONCE)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    run(main())


class Stalling(asyncio.SelectorEventLoop):
    """A clock that moves by hand, and one timer; futures belong to the loop that runs."""

    now = 0.0
    later: Callable[[], None] | None = None

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
        self.later = callback  # type: ignore[assignment]
        return object()

    def pass_by(self, seconds: float) -> None:
        """So long nothing ran; what is due runs now."""
        self.now += seconds
        if seconds and self.later is not None:
            self.later()
