"""Hands out permits: so many requests at once, and each model at the pace its provider allows.

Which request goes, and when, is decided by pure parts: a `Governor` for each model and tier, where the provider
tells its limits; a `Knee` for the whole server, where it tells none; buckets for the caps that the user set.
Here is only the waiting: a line for each governor, first come first served, and one timer for the head of each.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from trivet.engine import log
from trivet.engine.attempts import CancelledInQueue, Interrupted
from trivet.engine.line import Line
from trivet.engine.sharing import Shared, Sharing
from trivet.errors import ProviderError, RequestError, SettingsError, TransportError, TrivetError
from trivet.limits.backoff import is_refusal, is_too_long
from trivet.limits.bucket import Bucket
from trivet.limits.governor import Governor, Permit
from trivet.limits.knee import Knee
from trivet.limits.turns import Turns
from trivet.types import RateLimits, Reply, Request

MOST = 5000
"""Requests at once where nothing else bounds them."""

_BACKLOG = 64  # requests that wait, so that a permit never does

_SOON = 1e-6  # seconds; what is due sooner is due now, for clocks and sums of floats are not finer


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps: `concurrency` requests at once; `rpm` requests and `tpm` tokens a minute.

    None leaves it to what is learned from the provider's headers and refusals, or where it tells no limits,
    from the latency of its replies.
    """

    concurrency: int | None = None
    rpm: float | None = None
    tpm: float | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "rpm", "tpm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise SettingsError(f"{name} is {value}, and must be above 0")


class LimitStatistics(Struct, frozen=True, kw_only=True):
    """Now: requests in flight, waiting, and allowed at once; so far: permits given and refusals met.

    `oldest_wait`: seconds that the first in line has waited. Of the model asked most: requests and tokens let
    through a minute of late, the limits of both as far as they are known, the user's caps among them, and
    the seconds for which the provider has `paused` it; how many `processes` share the limits.
    """

    in_flight: int
    waiting: int
    permits: int
    refused: int
    concurrency: int
    requests_a_minute: float = 0.0
    tokens_a_minute: float = 0.0
    limit_requests: float | None = None
    limit_tokens: float | None = None
    oldest_wait: float = 0.0
    paused: float = 0.0
    processes: int = 1


class Limit:
    """Lets requests through as the limits allow. `most`: requests at once that nothing may exceed.

    `sharing`: what keeps the pace in step with other processes, where there is something.
    """

    def __init__(
        self,
        inner: Callable[[Request], Awaitable[Reply]],
        limits: Limits,
        *,
        most: int = MOST,
        draw: Callable[[], float] = lambda: 0.0,
        sharing: Sharing | None = None,
    ) -> None:
        self._inner = inner
        self._sharing = sharing
        self._limits = limits
        self._draw = draw
        self._most = max(1, int(limits.concurrency or most))
        self._knee = Knee(self._most, chosen=limits.concurrency is not None)
        self._caps: list[Bucket | None] | None = None
        self._lines: dict[tuple[str, bool], Line] = {}
        self._told = False
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = 0.0
        self._clock: Callable[[], float] | None = None
        self._in_flight = self._waiting = self._permits = self._refused = 0

    async def __call__(self, request: Request) -> Reply:
        """Wait for a permit, then call; the wait is added to `queued`."""
        clock = self._clock = asyncio.get_running_loop().time
        turn = clock()
        line = self._line(request)
        line.check(turn)
        permit = await self._permit(line, request, turn)
        queued = permit.at - turn
        in_flight = self._in_flight
        leave = self._place(line)
        if request.exchange is not None:
            request.exchange.leave = leave  # a stream may lie unread, and must not keep others out meanwhile
        try:
            reply = await self._inner(request)
        except RequestError as error:
            self._failed(line, permit, error, in_flight, clock())
            if is_too_long(error):
                raise line.too_late(error, queued) from error
            error.queued += queued
            raise
        except Interrupted as cut:
            cut.queued += queued
            raise
        else:
            self._answered(line, permit, request, reply, in_flight, clock())
        finally:
            leave()
        return replace(reply, queued=reply.queued + queued) if queued > 0 else reply

    def _place(self, line: Line) -> Callable[[], None]:
        """What gives back one place among those in flight, once."""
        held = True

        def leave() -> None:
            nonlocal held
            if held:
                held = False
                self._in_flight -= 1
                self._pump()
                self._stir(line)

        return leave

    def _line(self, request: Request) -> Line:
        # standard and fast share a model's limits, by the provider's documentation; flex has resources of its own
        key = (request.model, request.tier == "flex")
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = self._new_line(key)
        return line

    def _new_line(self, key: tuple[str, bool]) -> Line:
        model, flex = key
        if self._sharing is None:
            return Line(model, Governor())
        turns = self._sharing.turns()
        line = Line(model, turns)

        def changed() -> None:
            self._told = self._told or turns.told
            self._pump()

        def failed(error: TrivetError) -> None:
            self._waiting -= line.fail(error)

        line.shared = Shared(
            name=f"{model}:flex" if flex else model,
            turns=turns,
            count=lambda: len(line.waiters),
            waiting=line.wanted,
            changed=changed,
            failed=failed,
        )
        return line

    def _stir(self, line: Line) -> None:
        if self._sharing is not None and line.shared is not None:
            self._sharing.stir(line.shared)

    async def _permit(self, line: Line, request: Request, now: float) -> Permit:
        tokens = line.charge(request)
        if not line.waiters and self._in_flight < self._room() and self._wait(line, tokens, now) <= _SOON:
            return self._grant(line, tokens, now)
        turn: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        line.waiters.append((turn, tokens, now))
        self._waiting += 1
        self._pump()
        self._stir(line)
        try:
            return await turn
        except asyncio.CancelledError as cancelled:
            if turn.cancelled() or not turn.done():
                self._waiting -= 1
                turn.cancel()
            elif turn.exception() is None:
                self._give_back(line, turn.result())
            self._pump()
            raise CancelledInQueue(*cancelled.args) from None

    def _room(self) -> int:
        """How many may be in flight: what is paced by told limits needs no other bound."""
        return self._most if self._told else self._knee.n

    def _wait(self, line: Line, tokens: float, now: float) -> float:
        wait = line.governor.wait(tokens, now)
        for bucket, amount in self._charges(tokens, now):
            wait = max(wait, bucket.wait(amount, now))
        return wait

    def _grant(self, line: Line, tokens: float, now: float) -> Permit:
        for bucket, amount in self._charges(tokens, now):
            bucket.take(amount, now)
        self._in_flight += 1
        self._permits += 1
        line.permits += 1
        return line.governor.take(tokens, now)

    def _give_back(self, line: Line, permit: Permit) -> None:
        now = asyncio.get_running_loop().time()
        for bucket, amount in self._charges(permit.tokens, now):
            bucket.take(-amount, now)
        line.governor.give_back(permit, now)
        self._in_flight -= 1
        self._permits -= 1

    def _charges(self, tokens: float, now: float) -> list[tuple[Bucket, float]]:
        """The user's caps and what a request takes of them, all models together."""
        if self._limits.rpm is None and self._limits.tpm is None:
            return []
        if self._caps is None:
            # a second's worth may go at once, so that a start does not send a minute's in one burst
            self._caps = [
                Bucket(a_minute / 60, max(1.0, a_minute / 60), now) if a_minute else None
                for a_minute in (self._limits.rpm, self._limits.tpm)
            ]
        return [(b, amount) for b, amount in zip(self._caps, (1.0, tokens), strict=True) if b is not None]

    def _pump(self) -> None:
        """Let through whoever may go, one of each line in turn; wake up again when the next one may."""
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        soonest = math.inf
        lines = [line for line in self._lines.values() if line.waiters]
        while lines and self._in_flight < self._room():
            ready = []
            for line in lines:
                while line.waiters and line.waiters[0][0].done():  # whoever was cancelled
                    line.waiters.popleft()
                if not line.waiters or self._in_flight >= self._room():
                    continue
                wait = self._wait(line, line.waiters[0][1], now)
                if wait > _SOON:
                    soonest = min(soonest, wait)
                    continue
                turn, tokens, _ = line.waiters.popleft()
                self._waiting -= 1
                turn.set_result(self._grant(line, tokens, now))
                ready.append(line)
            lines = ready
        self._wake(loop, now + soonest)

    def _wake(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            if when == self._due_at:
                return
            self._timer.cancel()
            self._timer = None
        if when < math.inf:
            self._due_at = when
            self._timer = loop.call_at(when, self._due)

    def _due(self) -> None:
        self._timer = None
        self._pump()

    def _answered(self, line: Line, permit: Permit, request: Request, reply: Reply, in_flight: int, now: float) -> None:
        self._learn(line, permit, reply.limits)
        if not self._told:
            before = self._knee.n
            self._knee.answered(now - permit.at, permit.at, in_flight, now)
            if self._knee.n != before:
                log.concurrency(self._knee.n)
        line.answered(request, reply)

    def _failed(self, line: Line, permit: Permit, error: RequestError, in_flight: int, now: float) -> None:
        self._learn(line, permit, error.limits)
        before = self._knee.n, line.governor.paused(now)
        if is_refusal(error):
            self._refused += 1
        if is_too_long(error):
            self._waiting -= line.close(error.retry_after or 0.0, now)
        elif is_refusal(error):
            line.governor.refused(permit, error, now, self._draw())
            log.pause(line.model, error, before[1], line.governor.paused(now))
        if not self._told and _is_overload(error):
            self._knee.dropped(permit.at, in_flight, now)
            if self._knee.n != before[0]:
                log.concurrency(self._knee.n)

    def _learn(self, line: Line, permit: Permit, limits: RateLimits | None) -> None:
        governor = line.governor
        before = governor.requests.mirror.limit, governor.tokens.mirror.limit
        governor.told_by(permit, limits)
        self._told = self._told or governor.told
        after = governor.requests.mirror.limit, governor.tokens.mirror.limit
        if after != before:
            log.limits(line.model, *after)

    def wants_more(self) -> bool:
        """Whether more waiting requests would be of use: those there are may all be gone in a moment."""
        return self._waiting < max(_BACKLOG, self._in_flight // 2)

    def statistics(self) -> LimitStatistics:
        """Counts now and so far."""
        now = self._clock() if self._clock is not None else 0.0
        lines = list(self._lines.values())  # another thread may ask
        busiest = max(lines, key=lambda line: line.permits, default=None)
        pace = (busiest.governor if busiest is not None else Governor()).statistics(now)
        return LimitStatistics(
            in_flight=self._in_flight,
            waiting=self._waiting,
            permits=self._permits,
            refused=self._refused,
            concurrency=self._room(),
            requests_a_minute=pace.requests_a_minute,
            tokens_a_minute=pace.tokens_a_minute,
            limit_requests=_least(pace.limit_requests or pace.found_requests, self._limits.rpm),
            limit_tokens=_least(pace.limit_tokens, self._limits.tpm),
            oldest_wait=max((now - since for line in lines if (since := line.since()) is not None), default=0.0),
            paused=max(pace.paused, busiest.closed(now) if busiest is not None else 0.0),
            processes=max((line.governor.processes for line in lines if isinstance(line.governor, Turns)), default=1),
        )

    def __repr__(self) -> str:
        return f"Limit(in_flight={self._in_flight}, waiting={self._waiting}, concurrency={self._room()})"


def _is_overload(error: RequestError) -> bool:
    """Whether fewer requests at once might have fared better."""
    if isinstance(error, TransportError):
        return error.kind == "timeout"
    return is_refusal(error) or (isinstance(error, ProviderError) and error.status in (503, 529))


def _least(one: float | None, other: float | None) -> float | None:
    return min((value for value in (one, other) if value is not None), default=None)
