"""The account of a budget that several processes share. Its books are elsewhere, so to reserve is to ask.

    settled + reserved of all processes <= budget, always

What this process would reserve and has settled meanwhile goes in one call, and one call is under way at a time: a
thousand requests a second cost a few dozen round trips. A settlement need not be waited for; until it is booked, the
books hold too much, never too little. A call that fails is made again as it was, and counts once. While the books
can't be reached, nothing is sent: money is exact, and nobody could tell what the others spend.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec
from msgspec import Struct

from trivet.engine.flights import Flights
from trivet.errors import BudgetError, MachineError, SettingsError, TrivetError
from trivet.limits.account import AccountStatistics

NANO = 10**9
MOST = 2**53
"""More than any books hold: nine million dollars."""

BATCH = 500
PATIENCE_S, AGAIN_S = 8.0, 0.25
"""Seconds for which the books are tried, every so often, before the run is stopped."""

BEAT_S = 3.0
"""Seconds between two calls at most, while money is reserved: who is silent counts as gone."""

POLL_S = 0.03
"""About so long until who waits for others to settle asks again."""


class Call(Struct, kw_only=True):
    """What a process books and asks, in nano-dollars. `part`: its place in the books; `number`: of the call."""

    part: str
    session: str
    number: int
    budget: int
    released: int
    spent: int
    amounts: list[int]
    opens: bool
    token: str
    earlier: int
    done: bool


class Answer(Struct, kw_only=True, frozen=True):
    """What the books say: a room for each of the first amounts; the rest wait. `spent` and `held` by all."""

    lost: bool
    spent: int
    held: int
    rooms: tuple[str, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class SharedAccount:
    """One process's part of shared books. `exchange` carries a call to them.

    `part` names it among the parts; `token` the run that it is a part of, the same when the run is taken up again;
    `earlier` is what that run has spent by then, its calls in flight at their worst case.
    """

    def __init__(
        self,
        exchange: Callable[[bytes], Awaitable[bytes]],
        budget: Decimal,
        *,
        part: str,
        token: str,
        session: str,
        earlier: Decimal = Decimal(0),
    ) -> None:
        if nano(budget, ROUND_FLOOR) >= MOST:
            raise SettingsError(f"the budget is ${budget:f}; one that is shared can hold $9,000,000 at most")
        self.budget = budget
        self._exchange = exchange
        self._part, self._token, self._session = part, token, session
        self._earlier = nano(earlier, ROUND_CEILING)
        self._number = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._unanswered: tuple[Call, list[tuple[int, asyncio.Future[None]]]] | None = None
        self._released = self._spent = self._held = 0
        self._books = Answer(lost=False, spent=0, held=0)
        self._news = asyncio.Event()
        self._flights: Flights[None] = Flights()
        self._done = self._closing = self._keeping = False

    async def set_aside(self, amount: Decimal) -> None:
        """Reserve `amount`, waiting for others to settle where they stand in its way. First come, first served.

        Raises `BudgetError` when what is settled leaves no room, `MachineError` when the books can't be reached.
        """
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((nano(amount, ROUND_CEILING), room))
        self._stir()
        try:
            await room
        except asyncio.CancelledError:
            if room.done() and not room.cancelled() and room.exception() is None:
                self.settle(amount, Decimal(0))
            room.cancel()
            raise

    def settle(self, reserved: Decimal, actual: Decimal) -> None:
        """Replace a reservation by what was really spent."""
        units = nano(reserved, ROUND_CEILING)
        self._released += units
        self._held -= units
        self._spent += nano(actual, ROUND_CEILING)
        self._stir()

    def statistics(self) -> AccountStatistics:
        """The books of all processes, as they were last seen."""
        return AccountStatistics(
            budget=self.budget, settled=Decimal(self._books.spent) / NANO, reserved=Decimal(self._books.held) / NANO
        )

    def __repr__(self) -> str:
        return f"SharedAccount({self._part!r}, budget={self.budget}, waiting={len(self._waiting)})"

    async def open(self) -> None:
        """Open this part of the books; `TrivetError` when they can't be reached."""
        with suppress(BudgetError):  # what is in the cache can still be had
            await self.set_aside(Decimal(0))

    async def close(self, *, done: bool = False) -> None:
        """Book what is settled. `done`: this part of the run has come to its end."""
        if self._closing:
            return
        self._closing, self._done = True, done
        if self._number or self._unanswered:
            self._news.set()
            self._stir()
            await self._flights.close(PATIENCE_S)

    def _stir(self) -> None:
        self._news.set()
        if not self._keeping:
            self._keeping = True
            self._flights.start(b"books", self._keep)

    async def _keep(self) -> None:
        try:
            await self._speak()
        finally:
            self._keeping = False

    async def _speak(self) -> None:
        """Make calls as long as there is anything to book, to ask, or money reserved."""
        while self._waiting or self._released or self._spent or self._unanswered or self._held > 0 or self._closing:
            if not self._news.is_set():
                await _first_of(self._news, POLL_S * (1 + random.random()) if self._waiting else BEAT_S)
            self._news.clear()
            last = self._closing
            error = await self._call()
            if error is not None:
                self._fail(error)
                return
            if last and not self._waiting and self._held <= 0:
                return

    async def _call(self) -> TrivetError | None:
        call, asked = self._unanswered = self._unanswered or self._next_call()
        packed = _encode(call)
        clock = asyncio.get_running_loop().time
        until = clock() + PATIENCE_S
        while True:
            try:
                async with asyncio.timeout(max(0.1, until - clock())):
                    answer = _decode(await self._exchange(packed))
                break
            except (TimeoutError, TrivetError) as failure:
                reason = str(failure) or "it does not answer"
                if clock() + AGAIN_S >= until:
                    return MachineError(
                        f"the shared budget's books can't be reached, so nothing more is sent: {reason}"
                    )
                await asyncio.sleep(AGAIN_S)
        if answer.lost:
            return MachineError(
                "the shared budget's books are gone, or another process has taken this part of the run: "
                "nothing more is sent; start the run again to take it up with new books"
            )
        self._unanswered = None
        self._number += 1
        self._books = answer
        self._hand_out(answer, asked)
        return None

    def _next_call(self) -> tuple[Call, list[tuple[int, asyncio.Future[None]]]]:
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        asked = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        call = Call(
            part=self._part,
            session=self._session,
            number=self._number,
            budget=nano(self.budget, ROUND_FLOOR),
            released=self._released,
            spent=self._spent,
            amounts=[amount for amount, _ in asked],
            done=self._done,
            opens=self._number == 0,
            token=self._token,
            earlier=self._earlier,
        )
        self._released = self._spent = 0
        return call, asked

    def _hand_out(self, answer: Answer, asked: list[tuple[int, asyncio.Future[None]]]) -> None:
        for (amount, room), said in zip(asked, answer.rooms, strict=False):
            if said == "reserved" and not room.done():
                self._held += amount
                room.set_result(None)
            elif said == "reserved":  # whoever asked has gone
                self._released += amount
                self._news.set()
            elif not room.done():
                room.set_exception(self._too_dear(amount, answer))
        self._waiting.extendleft(reversed(asked[len(answer.rooms) :]))
        if len(answer.rooms) == len(asked) and self._waiting:
            self._news.set()

    def _too_dear(self, amount: int, answer: Answer) -> BudgetError:
        left = max(Decimal(0), self.budget - Decimal(answer.spent) / NANO)
        return too_dear(self.budget, left, Decimal(amount) / NANO)

    def _fail(self, error: TrivetError) -> None:
        asked = self._unanswered[1] if self._unanswered else []
        for _, room in (*asked, *self._waiting):
            if not room.done():
                room.set_exception(error.copy())
        self._waiting.clear()


def too_dear(budget: Decimal, left: Decimal, amount: Decimal) -> BudgetError:
    """The refusal of a call that could exceed a budget."""
    return BudgetError(
        f"the budget of ${budget:f} has ${left:f} left, and this call could cost ${amount:f}: "
        "raise the budget, or lower max_output_tokens"
    )


def nano(amount: Decimal, rounding: str) -> int:
    """Whole nano-dollars, at most more than any books hold."""
    return min(MOST, int((amount * NANO).to_integral_value(rounding=rounding)))


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
