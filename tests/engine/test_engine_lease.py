"""One flight for identical requests of several processes: here two stacks that share leases and a store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from engine_fakes import Wall, accept, all_of, body, memory, request, virtual

from trivet.engine.flights import Flights
from trivet.engine.keep import Keep
from trivet.engine.lease import LAST_LOOK, Lease
from trivet.engine.shelf import Shelf
from trivet.errors import ProviderError
from trivet.store.memory import MemoryStore
from trivet.store.redis import Claim
from trivet.types import Reply, Request
from trivet.wire.openai_responses import decode

SECONDS = 10.0


@dataclass
class SharedLeases:
    """Leases as a Redis keeps them, by the loop's clock."""

    store: MemoryStore
    seconds: float = SECONDS
    held: dict[bytes, tuple[bytes, float]] = field(default_factory=dict)
    tokens: int = 0

    def token(self) -> bytes:
        self.tokens += 1
        return b"%d" % self.tokens

    async def claim(self, digest: bytes, token: bytes) -> Claim:
        await asyncio.sleep(0.001)
        now = asyncio.get_running_loop().time()
        holder, until = self.held.get(digest, (token, 0.0))
        mine = holder == token or until <= now
        if mine:
            self.held[digest] = (token, now + self.seconds)
        return Claim(mine, await self.store.get(digest))

    async def extend(self, held: dict[bytes, bytes]) -> None:
        for digest, token in held.items():
            if self.held.get(digest, (b"", 0))[0] == token:
                self.held[digest] = (token, asyncio.get_running_loop().time() + self.seconds)

    async def release(self, digest: bytes, token: bytes) -> None:
        if self.held.get(digest, (b"", 0))[0] == token:
            del self.held[digest]


class Provider:
    """Answers after a while, or fails; notes when each call began, and how many were under way at once."""

    def __init__(self, seconds: float, outcome: Callable[[int], Reply | Exception] | None = None) -> None:
        self.seconds = seconds
        self.outcome = outcome or (lambda _: reply())
        self.began: list[float] = []
        self.open = self.most = 0

    async def __call__(self, asked: Request) -> Reply:
        self.began.append(asyncio.get_running_loop().time())
        number = len(self.began)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.open -= 1
        outcome = self.outcome(number)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def reply(text: str = "billing") -> Reply:
    return decode(200, {}, body(text))


class Processes:
    """Layers of several processes before one provider, with one Redis."""

    def __init__(self, provider: Provider, number: int = 2) -> None:
        self.leases = SharedLeases(memory())
        self.renewing: list[Flights[None]] = [Flights() for _ in range(number)]
        self.layers = [self._layer(provider, flights) for flights in self.renewing]

    def _layer(self, provider: Provider, renewing: Flights[None]) -> Lease:
        shelf = Shelf(self.leases.store, None, Wall())
        return Lease(Keep(provider, shelf), self.leases, shelf, renewing, lambda: 0.5)  # type: ignore[arg-type]

    async def close(self) -> None:
        for flights in self.renewing:
            await flights.close()


def asked(**changes: Any) -> Request:
    return request(key=bytes(32), **changes)


def run(processes: Processes, main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()
        await processes.close()

    virtual(whole())


def test_several_processes_send_one_request() -> None:
    """One asks, the others have its reply soon after, as coalesced and free; the lease is given back."""
    provider = Provider(3.0)
    processes = Processes(provider, 5)

    async def main() -> None:
        replies = await all_of(layer(asked()) for layer in processes.layers)
        assert len(provider.began) == 1
        assert sorted(reply.source for reply in replies) == ["coalesced"] * 4 + ["provider"]
        assert {reply.text for reply in replies} == {"billing"}
        assert all(reply.cost == 0 and not reply.attempts for reply in replies if reply.source == "coalesced")
        assert asyncio.get_running_loop().time() < 3.0 + 2 * LAST_LOOK
        assert not processes.leases.held

    run(processes, main)


def test_a_long_flight_keeps_its_lease() -> None:
    """A flight ten times as long as the lease is still one flight."""
    provider = Provider(10 * SECONDS)
    processes = Processes(provider)

    async def main() -> None:
        await all_of(layer(asked()) for layer in processes.layers)
        assert len(provider.began) == 1

    run(processes, main)


def test_a_dead_process_is_followed_by_another() -> None:
    """Whoever waits takes over once the lease of a process that died has expired, one of them and at once."""
    provider = Provider(3.0)
    processes = Processes(provider, 5)

    async def main() -> None:
        await processes.leases.claim(bytes(32), b"the dead one")
        replies = await all_of(layer(asked()) for layer in processes.layers)
        assert len(provider.began) == 1
        assert SECONDS <= provider.began[0] < SECONDS + 2 * LAST_LOOK
        assert [reply.source for reply in replies].count("provider") == 1

    run(processes, main)


def test_failures_are_one_after_the_other() -> None:
    """A failure is its process's own: the others try in turn, never two at once, and the first that succeeds serves."""

    def outcome(number: int) -> Reply | Exception:
        return ProviderError("no", status=500, code="server_error") if number < 3 else reply()

    provider = Provider(1.0, outcome)
    processes = Processes(provider, 6)

    async def main() -> None:
        results = await all_of(layer(asked()) for layer in processes.layers)
        assert provider.most == 1
        assert len(provider.began) == 3
        assert sum(isinstance(result, ProviderError) for result in results) == 2
        assert not processes.leases.held

    run(processes, main)


def test_a_cancelled_process_gives_its_lease_back() -> None:
    """The cancellation of the one that asks lets another ask at once; that of one that waits harms nobody."""
    provider = Provider(3.0)
    processes = Processes(provider, 3)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(layer(asked())) for layer in processes.layers]  # type: ignore[arg-type]
            await asyncio.sleep(1.0)
            tasks[0].cancel()
            tasks[2].cancel()
        assert len(provider.began) == 2
        assert provider.began[1] < 1.0 + 2 * LAST_LOOK
        assert tasks[1].result().source == "provider"
        assert not processes.leases.held

    run(processes, main)


def test_a_reply_that_one_does_not_accept_is_asked_for_again() -> None:
    """What was kept under a looser contract is no answer under a stricter one."""
    provider = Provider(1.0, lambda number: reply("billing" if number == 1 else "refund"))
    processes = Processes(provider)

    def strict(found: Reply) -> str | None:
        return accept(found) if found.text == "refund" else "invalid_output"

    async def main() -> None:
        loose, exact = await all_of([processes.layers[0](asked()), processes.layers[1](asked(accept=strict))])
        assert (loose.text, exact.text) == ("billing", "refund")
        assert provider.most == 1

    run(processes, main)


def test_what_is_not_kept_is_asked_by_each() -> None:
    """A cut-off answer is nobody else's: the next asks for itself, after the first."""
    provider = Provider(1.0, lambda _: decode(200, {}, body("bil", status="incomplete")))
    processes = Processes(provider)

    async def main() -> None:
        replies = await all_of(layer(asked()) for layer in processes.layers)
        assert [found.source for found in replies] == ["provider", "provider"]
        assert (len(provider.began), provider.most) == (2, 1)

    run(processes, main)


@pytest.mark.parametrize("changes", [{"key": b""}, {"watch": lambda _: None}])
def test_what_can_not_be_shared_takes_no_lease(changes: dict[str, Any]) -> None:
    """A request without a key, or a stream, is sent as it is."""
    provider = Provider(1.0)
    processes = Processes(provider)

    async def main() -> None:
        await all_of(layer(request(**({"key": bytes(32)} | changes))) for layer in processes.layers)
        assert (len(provider.began), processes.leases.tokens) == (2, 0)

    run(processes, main)
