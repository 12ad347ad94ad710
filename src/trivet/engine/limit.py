"""Hands out permits: so many requests at once, so many requests and tokens a minute, and a pause for all.

A `Retry-After` that one request is told holds back every request of this account until it is over: others
would only be refused too, and refusals count against the limit.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from trivet.engine.attempts import CancelledInQueue, Interrupted
from trivet.engine.slots import Slots
from trivet.errors import RequestError, SettingsError
from trivet.limits.backoff import is_refusal
from trivet.limits.bucket import Bucket
from trivet.types import Reply, Request

_CHARACTERS_A_TOKEN = 4  # the provider charges "the estimated number of tokens based on the character count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`concurrency` requests at once; `rpm` requests and `tpm` tokens a minute, None for no bound."""

    concurrency: int = 64
    rpm: float | None = None
    tpm: float | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "rpm", "tpm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise SettingsError(f"{name} is {value}, and must be above 0")


class LimitStatistics(Struct, frozen=True, kw_only=True):
    """Now: requests in flight and waiting; so far: permits given and refusals met."""

    in_flight: int
    waiting: int
    permits: int
    refused: int


class Limit:
    """Lets requests through as the limits allow, first come first served."""

    def __init__(self, inner: Callable[[Request], Awaitable[Reply]], limits: Limits) -> None:
        self._inner = inner
        self._slots = Slots(limits.concurrency)
        self._turn = asyncio.Lock()
        self._limits = limits
        self._paced = limits.rpm is not None or limits.tpm is not None
        self._buckets: list[Bucket | None] | None = None
        self._open_at = 0.0
        self._in_flight = self._waiting = self._permits = self._refused = 0

    async def __call__(self, request: Request) -> Reply:
        """Wait for a permit, then call; the wait is added to `queued`."""
        loop = asyncio.get_running_loop()
        turn = loop.time()
        await self._permit(request, loop)
        queued = loop.time() - turn
        self._in_flight += 1
        self._permits += 1
        try:
            reply = await self._inner(request)
        except RequestError as error:
            self._note(error, loop.time())
            error.queued += queued
            raise
        except Interrupted as cut:
            cut.queued += queued
            raise
        finally:
            self._in_flight -= 1
            self._slots.release()
        return replace(reply, queued=reply.queued + queued)

    async def _permit(self, request: Request, loop: asyncio.AbstractEventLoop) -> None:
        self._waiting += 1
        try:
            await self._slots.acquire()
            try:
                if self._paced or self._open_at > loop.time():
                    # one at a time: who is cancelled while waiting gives back what nobody has queued behind
                    async with self._turn:
                        await self._pace(request, loop)
            except BaseException:
                self._slots.release()
                raise
        except asyncio.CancelledError as cancelled:
            raise CancelledInQueue(*cancelled.args) from None
        finally:
            self._waiting -= 1

    async def _pace(self, request: Request, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            now = loop.time()
            if self._open_at > now:
                await asyncio.sleep(self._open_at - now)
                continue
            charges = self._charge(request, now)
            wait = max((bucket.take(amount, now) for bucket, amount in charges), default=0.0)
            if wait <= 0:
                return
            granted = False
            try:
                await asyncio.sleep(wait)
                granted = self._open_at <= loop.time()
            finally:
                if not granted:
                    for bucket, amount in charges:
                        bucket.take(-amount, loop.time())
            if granted:
                return

    def _charge(self, request: Request, now: float) -> list[tuple[Bucket, float]]:
        if self._buckets is None:
            # a second's worth may go at once, so that a start does not send a minute's in one burst
            self._buckets = [
                Bucket(a_minute / 60, max(1.0, a_minute / 60), now) if a_minute else None
                for a_minute in (self._limits.rpm, self._limits.tpm)
            ]
        amounts = (1.0, _token_charge(request))
        return [(b, amount) for b, amount in zip(self._buckets, amounts, strict=True) if b is not None]

    def _note(self, error: RequestError, now: float) -> None:
        if is_refusal(error):
            self._refused += 1
            if error.retry_after is not None:
                self._open_at = max(self._open_at, now + error.retry_after)

    def statistics(self) -> LimitStatistics:
        """Counts now and so far."""
        return LimitStatistics(
            in_flight=self._in_flight, waiting=self._waiting, permits=self._permits, refused=self._refused
        )


def _token_charge(request: Request) -> float:
    """What the provider charges at admission: the larger of the cap and the estimate by characters."""
    return float(max(request.max_output or 0, (len(request.head) + len(request.tail)) / _CHARACTERS_A_TOKEN))
