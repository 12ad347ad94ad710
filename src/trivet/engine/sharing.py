"""Keeps shared paces in step with the other processes: one exchange under way for each model, as often as needed.

A flight for each line asks its `Turns` when to speak next, and ends when there is nothing more to say. Where the
keeper does not answer, the line goes on by itself at its part, which is said once, and the keeper is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from trivet.engine.flights import Flights
from trivet.errors import MachineError, TrivetError
from trivet.limits.turns import Turns

ANSWER_S = 2.0
"""Seconds that an exchange may take; a keeper that is slower paces nobody."""

SOONEST_S, LATEST_S = 0.5, 5.0
"""Seconds between two tries to reach a keeper that was lost, doubled from one to the other."""

log = logging.getLogger("trivet.shared")

Exchange = Callable[[str, bytes], Awaitable[bytes]]


@dataclass(slots=True, kw_only=True)
class Shared:
    """A line whose pace is shared. `waiting`: the tokens of the requests that wait, those first that go first.

    `changed` is called after each answer; `failed` when no answer has ever come and none will.
    """

    name: str
    turns: Turns
    count: Callable[[], int]
    waiting: Callable[[], Sequence[float]]
    changed: Callable[[], None]
    failed: Callable[[TrivetError], None]
    called: asyncio.Event | None = None


class Sharing:
    """All shared lines of one event loop. `exchange` carries a call to the keeper: a line's name, then the call.

    `needed`: a keeper that never answers ends what waits; else its lines go on by themselves, as one process would.
    """

    def __init__(self, exchange: Exchange, id: str, *, needed: bool = True) -> None:
        self._exchange = exchange
        self._needed = needed
        self._processes = 1
        self._id = id
        self._flights: Flights[None] = Flights()
        self._lost = self._closed = False

    def turns(self) -> Turns:
        """A governor for a new line."""
        return Turns(self._id)

    def stir(self, line: Shared) -> None:
        """Something about a line is new: speak now, if that is of use."""
        if self._closed:
            return
        if line.called is not None:
            if not line.called.is_set() and line.turns.due(line.count(), asyncio.get_running_loop().time()) <= 0:
                line.called.set()
            return
        line.called = asyncio.Event()
        self._flights.start(line.name.encode(), lambda: self._follow(line))

    async def _follow(self, line: Shared) -> None:
        called = line.called = line.called or asyncio.Event()
        clock = asyncio.get_running_loop().time
        rest = SOONEST_S
        try:
            while not math.isinf(due := line.turns.due(line.count(), clock())):
                if due > 0 and not called.is_set():
                    await _first_of(called, due)
                called.clear()
                error = await self._speak(line, clock)
                if error is None:
                    rest = SOONEST_S
                    line.changed()
                elif self._needed:
                    line.failed(error)
                    return
                else:
                    line.turns.lost(self._processes)
                    line.changed()
                    await asyncio.sleep(rest)
                    rest = min(LATEST_S, 2 * rest)
        finally:
            line.called = None

    async def _speak(self, line: Shared, clock: Callable[[], float]) -> TrivetError | None:
        turns = line.turns
        call = turns.ask(line.waiting(), clock())
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._exchange(line.name, call)
        except TimeoutError:
            error: TrivetError = MachineError(
                "the Redis that limits are shared through does not answer: see that it runs"
            )
        except TrivetError as failure:
            error = failure
        else:
            turns.answered(answer, clock())
            self._needed = False  # it is there, or was: what is lost later ends nothing
            self._processes = turns.processes
            if self._lost:
                self._lost = False
                log.warning("limits are shared with the other processes again")
            return None
        if not self._lost and not self._needed:
            self._lost = True
            log.warning("limits can't be shared for now (%s): this process goes on at its part of the pace", error)
        return error

    async def close(self) -> None:
        """Speak no more."""
        self._closed = True
        await self._flights.close()


async def _first_of(called: asyncio.Event, seconds: float) -> None:
    """Return when called, or after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await called.wait()
    except TimeoutError:
        pass
