"""Reserves the worst case of each attempt before it is sent, and settles the true cost after.

An attempt that was not sent or was refused settles to nothing; one that is *possibly billed* keeps its
reservation as spent, because nobody can tell. Where a budget is set, a request whose worst case has no known
price is refused before any spend.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from trivet.engine.attempts import CancelledInQueue
from trivet.engine.shared_account import SharedAccount, too_dear
from trivet.errors import BudgetError, RequestError
from trivet.limits.account import Account, Room
from trivet.prices.book import Book
from trivet.types import Reply, Request


class Budget:
    """Keeps the bill within an account's budget, and prices every attempt, budget or not."""

    def __init__(
        self,
        inner: Callable[[Request], Awaitable[Reply]],
        account: Account | SharedAccount,
        prices: Book,
        today: Callable[[], date],
    ) -> None:
        self._inner = inner
        self._account = account
        self._prices = prices
        self._today = today
        self._turn = asyncio.Lock()

    async def __call__(self, request: Request) -> Reply:
        """Reserve, call, settle; the reply or the error carries the attempt's `cost`.

        A wait for money is a wait for a permit, and is added to `queued`.
        """
        day = self._today()
        reserved, waited = Decimal(0), 0.0
        if self._account.budget is not None and not request.free:
            reserved, waited = await self._reserve(request, day)
        actual = reserved
        try:
            reply = await self._inner(request)
            cost = self._cost(request, reply, day)
            actual = reserved if cost is None else cost
        except RequestError as error:
            error.queued += waited
            actual = self._settle_failure(request, error, reserved, day)
            raise
        except CancelledInQueue:
            actual = Decimal(0)
            raise
        finally:
            self._account.settle(reserved, actual)
        queued = reply.queued + waited
        attempts = tuple([replace(attempt, cost=cost, queued=queued) for attempt in reply.attempts])
        return replace(reply, cost=cost, attempts=attempts, queued=queued)

    def _cost(self, request: Request, reply: Reply, day: date) -> Decimal | None:
        if reply.usage is None:
            return Decimal(0) if request.free else None
        return self._prices.cost(reply.usage, model=reply.model or request.model, tier=reply.tier, day=day)

    def _settle_failure(self, request: Request, error: RequestError, reserved: Decimal, day: date) -> Decimal:
        cost: Decimal | None = Decimal(0)
        if error.usage is not None:
            cost = self._prices.cost(error.usage, model=request.model, tier=request.tier, day=day)
        elif error.possibly_billed and not request.free:
            cost = None
        error.cost = cost
        error.attempts = tuple([replace(a, cost=cost, queued=error.queued) for a in error.attempts])
        if request.journal is not None and error.attempts:  # told here, where its price is known
            request.journal(request, error.attempts[-1])
        return reserved if cost is None else cost

    async def _reserve(self, request: Request, day: date) -> tuple[Decimal, float]:
        """The amount set aside and the seconds waited for it. First come first served: nobody starves."""
        size = len(request.head) + len(request.tail)
        cap = request.max_output
        if not isinstance(cap, int) or cap <= 0:
            cap = None  # compatible servers read "no cap" into it
        worst = self._prices.worst_case(size, cap, model=request.model, tier=request.tier, day=day)
        if worst is None:
            raise BudgetError(
                f"the most that a call of {request.model!r} can cost is not known, so no budget can hold: "
                "run without a budget, or set max_output_tokens and a model with a known price"
            )
        worst *= request.choices
        loop = asyncio.get_running_loop()
        turn = loop.time()
        account = self._account
        if isinstance(account, SharedAccount):
            await account.set_aside(worst)
            return worst, loop.time() - turn
        if not self._turn.locked() and _fits(account, worst):
            return worst, 0.0
        async with self._turn:
            if not _fits(account, worst):
                settled = asyncio.Event()
                with account.settlements(lambda: _set(settled, loop)):
                    while not _fits(account, worst):
                        await settled.wait()
                        settled.clear()
        return worst, loop.time() - turn


def _fits(account: Account, worst: Decimal) -> bool:
    room = account.reserve(worst)
    if room is Room.STOP and account.budget is not None:
        raise too_dear(account.budget, max(Decimal(0), account.left() or Decimal(0)), worst)
    return room is Room.RESERVED


def _set(event: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    """From any thread; a loop that has ended meanwhile has nobody left to wake."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(event.set)
