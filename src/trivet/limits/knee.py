"""How many requests at once, where a server does not tell its limits. An estimator: it gives a number.

    power(n) = throughput / latency = n / latency(n)^2                                     (Little's law)
    gradient = d log latency / d log n:  0 while the server is idle, 1 once requests only queue

`n` moves in steps, and a step up is kept where power rose, which is where the gradient is below a half: that is
the knee of the throughput-latency curve (Kleinrock, "Power and deterministic rules of thumb for probabilistic
problems in computer communications", ICC 1979). At first by doubling, then by a quarter at a time, in both
directions; a step that did not pay is taken back, and the next trial waits twice as long, so that `n` stays
where it is, until latency there changes by more than a third.

Not the gradient against the lowest latency ever seen (TCP Vegas, Netflix's Gradient2): a server that batches gets
slower with the first request that joins and yet answers several times more; and the lowest latency of short
answers says nothing of long ones. Not the throughput alone: beyond the knee it is flat, and noise would walk
along it into endless queues.

`latency` is the geometric mean of replies to requests that were sent after `n` had settled, while as many as
allowed were in flight: what is not used to the full tells nothing. Where a tenth of an epoch is refused or timed
out, `n` falls by a quarter and what was learned above it counts no more; for a second after that nothing is
counted, because a server that refuses does so at once and would be asked, and refuse, ten times in it. A refusal
while fewer than allowed were in flight was about their rate, which `found` learns, and not about their number.
"""

from __future__ import annotations

import math

from msgspec import Struct

START = 16
STEP = 1.25
DOUBLE = 2.0
FEW = 32  # samples of an epoch at least
DROPS = 0.1
FALL = 0.75
FULL = 0.8
CALM_S = 1.0
DRIFT = 1.33
PATIENCE = 64  # epochs between trials at most


class KneeStatistics(Struct, frozen=True, kw_only=True):
    """Requests at once now, the number that was best so far, and its latency in seconds where it is known."""

    concurrency: int
    best: int
    latency: float | None


class Knee:
    """Learns how many requests at once; `most` is never exceeded.

    `chosen`: somebody chose `most`, so it holds from the start, and falls only where requests are dropped.
    """

    def __init__(self, most: int, *, chosen: bool = False) -> None:
        self._most = most
        self._chosen = chosen
        self._at = most if chosen else min(START, most)  # where it stays when no trial is on
        self._n = self._at
        self._latency: float | None = None  # at `_at`
        self._factor = DOUBLE
        self._doubling = not chosen
        self._hold = self._rest = 1
        self._since = -math.inf
        self._begin()

    @property
    def n(self) -> int:
        """Requests at once."""
        return self._n

    def statistics(self) -> KneeStatistics:
        """What is tried, and what was learned."""
        return KneeStatistics(concurrency=self._n, best=self._at, latency=self._latency)

    def answered(self, latency: float, sent: float, in_flight: int, now: float) -> None:
        """A reply came; `in_flight`: how many were when it was sent, itself included."""
        if sent < self._since:
            return
        if self._settling > 0:  # a queue takes as many replies to build up or drain as there are in it
            self._settling -= 1
            if not self._settling:
                self._since = now
            return
        if in_flight < FULL * self._n:
            return
        self._count += 1
        self._logs += math.log(max(latency, 1e-6))
        if self._count >= max(FEW, self._n):
            self._judge(math.exp(self._logs / self._count), now)

    def dropped(self, sent: float, in_flight: int, now: float) -> None:
        """A request was refused for load, or timed out; `in_flight` as in `answered`."""
        if sent <= self._since or in_flight < FULL * self._n:
            return
        self._drops += 1
        if self._drops > max(2.0, DROPS * max(FEW, self._n)):
            self._at = max(1, math.floor(min(self._n, self._at) * FALL))
            self._latency = None
            self._doubling = False
            self._factor = STEP
            self._hold = self._rest = min(PATIENCE, 2 * self._hold)
            self._move(self._at, now)
            self._since = now + CALM_S

    def _judge(self, latency: float, now: float) -> None:
        if self._n == self._at:
            self._settled(latency, now)
            return
        known = self._latency or latency
        better = self._n / latency**2 > self._at / known**2
        if better:
            self._at, self._latency = self._n, latency
            self._hold = 1
            self._move(self._tried(), now)
            return
        if self._doubling:
            self._doubling, self._factor = False, STEP
            self._hold = self._rest = 1
        elif self._factor > 1:
            self._factor = 1 / STEP
            self._rest = 1
        else:
            self._factor = STEP
            self._hold = self._rest = min(PATIENCE, 2 * self._hold)
        self._move(self._at, now)

    def _settled(self, latency: float, now: float) -> None:
        """An epoch without a trial: rest, or begin one."""
        known = self._latency
        if known is not None and not 1 / DRIFT < latency / known < DRIFT:
            self._hold = self._rest = 1
        self._latency = latency if known is None else known + 0.3 * (latency - known)
        self._rest -= 1
        self._move(self._tried() if self._rest <= 0 or self._doubling else self._at, now)

    def _tried(self) -> int:
        step = round(self._at * self._factor)
        if step == self._at:
            step += 1 if self._factor > 1 else -1
        if self._chosen and step < self._at:
            return self._at
        return max(1, min(self._most, step))

    def _move(self, n: int, now: float) -> None:
        moved, self._n = n != self._n, n
        self._begin(settle=moved)
        self._since = now if moved else self._since

    def _begin(self, settle: bool = True) -> None:
        self._settling = self._n if settle else 0
        self._count = self._drops = 0
        self._logs = 0.0

    def __repr__(self) -> str:
        return f"Knee({self._n} at once, {self._at} is best known)"
