"""A request's journal is told of what is really sent, before it is sent, and of nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from decimal import Decimal

import pytest
from engine_fakes import After, ScriptedTransport, all_of, broken, ok, refused, request, settle, stack, virtual

from trivet.engine.limit import Limits
from trivet.errors import MachineError, TransportError
from trivet.limits.account import Account
from trivet.types import Attempt, Request


class Journal:
    """Writes down what it is told, and how many calls the transport had by then."""

    def __init__(self, transport: ScriptedTransport, wait: asyncio.Event | None = None) -> None:
        self._transport = transport
        self._wait = wait
        self.told: list[tuple[str, int]] = []

    def __call__(self, request: Request, attempt: Attempt | None) -> Awaitable[None] | None:
        what = "sending" if attempt is None else str(attempt.error)
        self.told.append((what, len(self._transport.calls)))
        return self._written() if attempt is None and self._wait is not None else None

    async def _written(self) -> None:
        assert self._wait is not None
        await self._wait.wait()


def test_each_attempt_is_told_before_it_is_sent_and_again_when_it_has_failed() -> None:
    """A refusal and a reset, then the answer: three are announced, two are reported, in this order."""

    async def main() -> None:
        transport = ScriptedTransport(refused(0.1), broken("reset"), ok())
        journal = Journal(transport)
        await stack(transport)(request(journal=journal))
        assert journal.told == [
            ("sending", 0),
            ("rate_limit_exceeded", 1),
            ("sending", 1),
            ("transport_reset", 2),
            ("sending", 2),
        ]

    virtual(main())


def test_hits_and_those_who_join_a_flight_are_not_told() -> None:
    """Nothing is in flight for them, so nothing of theirs can be lost."""

    async def main() -> None:
        transport = ScriptedTransport(After(1.0, ok()), ok())
        layers = stack(transport)
        first, second, third = Journal(transport), Journal(transport), Journal(transport)
        await all_of([layers(request(journal=first)), layers(request(journal=second))])
        await layers(request(journal=third))
        assert [len(journal.told) for journal in (first, second, third)] == [1, 0, 0]

    virtual(main())


def test_what_waits_for_its_permit_is_not_told() -> None:
    """A request in the queue is not in flight."""

    async def main() -> None:
        transport = ScriptedTransport(After(5.0, ok()), ok())
        layers = stack(transport, limits=Limits(concurrency=1))
        first, second = Journal(transport), Journal(transport)
        async with asyncio.TaskGroup() as group:
            group.create_task(layers(request("a", journal=first)))
            group.create_task(layers(request("b", journal=second)))
            await asyncio.sleep(1)
            assert (len(first.told), len(second.told)) == (1, 0)

    virtual(main())


def test_nothing_is_sent_before_it_is_written_down() -> None:
    """Where the journal has to be waited for, the transport waits with it."""

    async def main() -> None:
        transport, written = ScriptedTransport(ok()), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(stack(transport)(request(journal=Journal(transport, written))))
            await asyncio.sleep(1)
            assert transport.calls == []
            written.set()
        assert len(transport.calls) == 1

    virtual(main())


def test_who_is_cut_off_before_it_is_written_down_has_sent_and_spent_nothing() -> None:
    """The journal is told, the money that was set aside comes back, and nothing reaches the transport."""

    async def main() -> None:
        transport, account = ScriptedTransport(), Account(Decimal(1))
        journal = Journal(transport, asyncio.Event())
        asked = request(journal=journal, cacheable=False)
        call = asyncio.ensure_future(stack(transport, account=account)(asked))
        await settle()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert journal.told == [("sending", 0), ("cancelled", 0)]
        assert (account.statistics().reserved, account.statistics().settled) == (0, 0)

    virtual(main())


def test_a_disk_that_takes_no_word_of_it_stops_the_call() -> None:
    """What can't be written down is not sent."""

    def full(request: Request, attempt: Attempt | None) -> None:
        raise MachineError("no space left")

    async def main() -> None:
        transport = ScriptedTransport(ok())
        with pytest.raises(MachineError):
            await stack(transport)(request(journal=full))
        assert transport.calls == []

    virtual(main())


def test_an_attempt_that_was_not_sent_is_told_to_be_free() -> None:
    """A connection that was refused is reported as not billed."""

    async def main() -> None:
        seen: list[Attempt] = []

        def journal(request: Request, attempt: Attempt | None) -> None:
            if attempt is not None:
                seen.append(attempt)

        transport = ScriptedTransport(broken("connect", sent=False))
        with pytest.raises(TransportError):
            await stack(transport)(request(journal=journal))
        assert seen
        assert not any(attempt.possibly_billed for attempt in seen)

    virtual(main())
