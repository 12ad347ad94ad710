"""Decides per attempt whether another may help, and waits for it. The rule itself is `limits.backoff`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from trivet.engine import log
from trivet.engine.attempts import Interrupted
from trivet.errors import ProviderError, RequestError
from trivet.limits.backoff import Backoff, is_refusal
from trivet.types import Attempt, Reply, Request, total


class RetryStatistics(Struct, frozen=True, kw_only=True):
    """Requests sent again so far, after refusals for pace and after other failures; those in a back-off now."""

    after_refusals: int
    after_failures: int
    waiting: int


@dataclass(slots=True)
class _Past:
    """What one request has met so far."""

    attempts: tuple[Attempt, ...] = ()
    queued: float = 0.0
    failures: int = 0
    refusals: int = 0

    def add(self, error: RequestError, elapsed: float) -> None:
        self.attempts += _placed(error.attempts, elapsed)
        self.queued += error.queued
        if is_refusal(error):
            self.refusals += 1
        else:
            self.failures += 1


class Retry:
    """Repeats what can succeed. `draw`: uniform random numbers in [0, 1), for jitter."""

    def __init__(
        self, inner: Callable[[Request], Awaitable[Reply]], backoff: Backoff, draw: Callable[[], float]
    ) -> None:
        self._inner = inner
        self._backoff = backoff
        self._draw = draw
        self._reached = False
        self._after_refusals = self._after_failures = self._waiting = 0

    async def __call__(self, request: Request) -> Reply:
        """The first reply that comes; attempts, waits for permits and costs of all attempts are added up."""
        past = _Past()
        clock = asyncio.get_running_loop().time
        turn = clock()
        try:
            while True:
                try:
                    reply = await self._inner(request)
                    return self._with_past(past, reply, clock() - turn) if past.attempts else self._first(reply)
                except RequestError as error:
                    past.add(error, clock() - turn)
                    delay = self._delay(past, error, request.retries)
                    if delay is None:
                        error.attempts, error.queued, error.cost = (
                            past.attempts,
                            past.queued,
                            total(past.attempts),
                        )
                        raise
                    log.retry(request, error, delay)
                    self._count(error)
                await self._back_off(delay)
        except asyncio.CancelledError as cancelled:
            now = cancelled if isinstance(cancelled, Interrupted) else Interrupted()
            raise Interrupted(
                *cancelled.args, attempts=past.attempts + now.attempts, queued=past.queued + now.queued
            ) from None

    def _delay(self, past: _Past, error: RequestError, retries: int | None) -> float | None:
        self._reached = self._reached or isinstance(error, ProviderError)
        backoff = self._backoff if retries is None else self._backoff.of(retries)
        return backoff.delay(
            error,
            failures=past.failures,
            refusals=past.refusals,
            reached=self._reached,
            draw=self._draw(),
        )

    def _count(self, error: RequestError) -> None:
        if is_refusal(error):
            self._after_refusals += 1
        else:
            self._after_failures += 1

    async def _back_off(self, seconds: float) -> None:
        self._waiting += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._waiting -= 1

    def statistics(self) -> RetryStatistics:
        """Counts now and so far."""
        return RetryStatistics(
            after_refusals=self._after_refusals, after_failures=self._after_failures, waiting=self._waiting
        )

    def __repr__(self) -> str:
        retries = self._after_refusals + self._after_failures
        return f"Retry(retries={retries}, waiting={self._waiting})"

    def _first(self, reply: Reply) -> Reply:
        self._reached = True
        return reply

    def _with_past(self, past: _Past, reply: Reply, elapsed: float) -> Reply:
        self._reached = True
        attempts = past.attempts + _placed(reply.attempts, elapsed)
        return replace(reply, attempts=attempts, queued=past.queued + reply.queued, cost=total(attempts))


def _placed(attempts: tuple[Attempt, ...], elapsed: float) -> tuple[Attempt, ...]:
    """Attempts that have ended just now, `elapsed` seconds after the call's turn, with when they began."""
    return tuple(replace(attempt, began=max(0.0, elapsed - attempt.latency)) for attempt in attempts)
