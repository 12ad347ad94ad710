"""How long so many calls take: the run, played through with the very rules that will pace it, in no time.

Limits are handed to the same governor that keeps a run to them (its margin and the rule of growth included), caps to
the same buckets, and where a server tells no limit the same search for the knee decides how many go at once. The
provider's own buckets are filled and emptied beside them, because it charges a prompt by its characters, whatever the
run has learned that these come to in tokens. What is played through is at most `PLAYED` calls; beyond, the steady state
goes on, up the steps that the rule of growth allows.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from trivet.limits.bucket import Bucket
from trivet.limits.governor import Governor, Permit
from trivet.limits.knee import Knee
from trivet.limits.ramp import FROM, GROWTH, PERIOD
from trivet.limits.share import MARGIN
from trivet.types import RateLimits

PLAYED = 3_000
"""Calls played through one by one."""

UNLEARNED = (80, 112)
"""Calls that are in line before the first reply tells how many tokens a prompt comes to, and so are charged by their
characters: fewer or more, by whether hits keep workers free."""

MOST = 5_000
_SOON = 1e-6


class Account(Struct, frozen=True, kw_only=True):
    """Limits a minute that the provider tells (None: it tells none), and the user's own caps."""

    rpm: float | None = None
    tpm: float | None = None
    cap_rpm: float | None = None
    cap_tpm: float | None = None
    concurrency: int | None = None

    @property
    def told(self) -> bool:
        """Whether the provider tells a limit."""
        return self.rpm is not None or self.tpm is not None


class Charge(NamedTuple):
    """Tokens that a call is charged: by the run's own reckoning, and by the provider's."""

    own: float
    provider: float


class Work(Struct, frozen=True, kw_only=True):
    """Calls to make: how many, and of a random few what each is charged, and takes in seconds."""

    calls: int
    charges: tuple[Charge, ...]
    latencies: tuple[float, ...]

    @property
    def own(self) -> float:
        """Tokens that a call is charged in the mean, by the run's own reckoning."""
        return _mean([charge.own for charge in self.charges])

    @property
    def provider(self) -> float:
        """The same by the provider's."""
        return _mean([charge.provider for charge in self.charges])

    @property
    def latency(self) -> float:
        """Seconds that a call takes in the mean."""
        return _mean(self.latencies)


def duration(work: Work, account: Account, seed: int) -> float:
    """Seconds from the first request to the last reply."""
    if not work.calls:
        return 0.0
    draw = random.Random(seed)
    played = min(work.calls, PLAYED)
    charges = _drawn(work.charges, played, draw, calls=work.calls)
    latencies = draw.choices(work.latencies, k=played)
    taken = _play(charges, latencies, account, UNLEARNED[seed % 2])
    if work.calls == played:
        return taken
    before = _steady(played, work, account)
    return taken + _steady(work.calls, work, account) - before


def binding(work: Work, account: Account) -> str:
    """What the time comes from: `requests`, `tokens`, `concurrency`, or `latency` where the last reply is all."""
    took = _took(work.calls, work, account)
    name = max(took, key=took.__getitem__)
    return name if took[name] > work.latency else "latency"


def _play(charges: Sequence[Charge], latencies: Sequence[float], account: Account, unlearned: int) -> float:
    governor = Governor()
    knee = Knee(min(account.concurrency or MOST, MOST), chosen=account.concurrency is not None)
    caps = [
        (Bucket(cap / 60, max(1.0, cap / 60), 0.0), number)
        for number, cap in enumerate((account.cap_rpm, account.cap_tpm))
        if cap
    ]
    limited = [
        (Bucket(limit / 60, limit, 0.0), number) for number, limit in ((0, account.rpm), (2, account.tpm)) if limit
    ]
    ends: list[tuple[float, float, int, Permit]] = []
    now, last, told = 0.0, 0.0, False

    def reply() -> None:
        nonlocal now, told
        end, latency, in_flight, permit = heapq.heappop(ends)
        now = max(now, end)
        if account.told:
            if not told:
                limits = RateLimits(
                    limit_requests=None if account.rpm is None else int(account.rpm),
                    limit_tokens=None if account.tpm is None else int(account.tpm),
                )
                governor.told_by(permit, limits)
                told = True
        else:
            knee.answered(latency, end - latency, in_flight, end)

    for n, (charge, latency) in enumerate(zip(charges, latencies, strict=True)):
        own = charge.own if n >= unlearned else max(charge)
        while True:
            if len(ends) >= ((account.concurrency or MOST) if told else knee.n):
                reply()
                continue
            amounts = (1.0, own, charge.provider)
            buckets = [bucket.wait(amounts[number], now) for bucket, number in (*caps, *limited)]
            wait = max([governor.wait(own, now), *buckets])
            if wait <= _SOON:
                break
            if ends and ends[0][0] <= now + wait:
                reply()
            else:
                now += wait
        for bucket, number in (*caps, *limited):
            bucket.take(amounts[number], now)
        permit = governor.take(own, now)
        heapq.heappush(ends, (now + latency + n * 1e-12, latency, len(ends) + 1, permit))
        last = max(last, now + latency)
    return last


def _took(calls: int, work: Work, account: Account) -> dict[str, float]:
    """Seconds that so many calls take by each thing that may hold them up."""
    return {
        "requests": max(calls / _per_second(account.rpm, MARGIN), calls / _per_second(account.cap_rpm, 1.0)),
        "tokens": max(
            _token_time(calls * work.own, account),
            calls * work.provider / _per_second(account.tpm, 1.0),
            calls * work.own / _per_second(account.cap_tpm, 1.0),
        ),
        "concurrency": calls * work.latency / account.concurrency if account.concurrency else 0.0,
        "latency": calls * work.latency / MOST,
    }


def _steady(calls: int, work: Work, account: Account) -> float:
    """Seconds that so many calls take once everything runs."""
    return max(_took(calls, work, account).values())


def _token_time(amount: float, account: Account) -> float:
    """Seconds that so many tokens take: at the limit, or where it is above the rule of growth, up its steps."""
    if account.tpm is None:
        return 0.0
    if account.tpm <= FROM:
        return amount / _per_second(account.tpm, MARGIN)
    ceiling, passed = FROM, 0.0
    while ceiling < account.tpm:
        within = ceiling / 60 * MARGIN * PERIOD
        if amount <= within:
            return passed + amount / (ceiling / 60 * MARGIN)
        amount, passed, ceiling = amount - within, passed + PERIOD, ceiling * GROWTH * MARGIN
    return passed + amount / _per_second(account.tpm, MARGIN)


def _per_second(a_minute: float | None, margin: float) -> float:
    return math.inf if a_minute is None else a_minute / 60 * margin


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _drawn(values: Sequence[Charge], k: int, draw: random.Random, *, calls: int) -> list[Charge]:
    """So many of the values: each once where they are all there are, else at random."""
    if len(values) == calls == k:
        return list(values)
    return draw.choices(values, k=k)
