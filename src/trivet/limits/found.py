"""A rate that nobody tells, found by being refused. An estimator: it gives a number.

    passed  = (sent - refused) / seconds                           since the last cut
    cut     W = min(rate, passed);   rate_cut = W * beta           beta by how long ago the last cut is
    growth  rate(t) = W + (W - rate_cut) * ((t - K) / K)^3         t seconds after the cut, without a ceiling

The curve is that of `share` (CUBIC, RFC 9438). Only here it has no end, because the limit is not known, and it is
quicker, because the first guess may be far off: K is 15 s, or as long as 150 requests take. What passed between
two refusals is the rate that was allowed, whether the server counts by the second, by the minute or not by windows
at all; a refusal comes back at once, so it is known without waiting for answers. A few
requests are no measure, and halve the rate at most.

A server that counts in windows refuses everything for the rest of one. So a refusal pauses all for half a second,
and twice as long each time that nothing passed in between: the same closed door is no reason for a further cut.
Where hardly anything ever passes, nothing is learned.

Some servers refuse a part of the requests whatever their rate (an overloaded balancer, a fault that calls itself
429). Cuts do not end that: after a few in vain, each soon after the other, the rate from before them comes back, and
as large a part of refusals as that counts as usual, and changes nothing, until more are refused.
"""

from __future__ import annotations

import math

K, CYCLE = 15.0, 150.0
STEEP, BETA, GENTLE = 0.8, 0.9, 0.97
PAUSE_S, LONGEST_S = 0.5, 15.0
FEW, SOUND, SHORTEST_S = 8, 20, 0.05
VAIN, ENOUGH = 2, 30
LEAST = 0.1  # requests a second


class Found:
    """Requests a second, infinite until one was refused."""

    def __init__(self) -> None:
        self._refused_at = math.inf
        self._after_cut = math.inf
        self._k = K
        self._cut: float | None = None
        self._deaf_until = -math.inf
        self._pause = PAUSE_S
        self._sent = self._refused = 0  # since the last cut
        self._series = _Series(before=math.inf)
        self._usual = 0.0  # the part that is refused whatever the rate

    def rate(self, now: float) -> float:
        """Requests a second that may go."""
        if self._cut is None or math.isinf(self._after_cut):
            return math.inf
        curve = ((now - self._cut - self._k) / self._k) ** 3
        return self._refused_at + (self._refused_at - self._after_cut) * curve

    def sent(self, now: float) -> None:
        """A request went."""
        if self._cut is None:
            self._cut = now
        self._sent += 1

    def refused(self, sent: float, now: float) -> float:
        """A request sent at `sent` was refused for pace: seconds that all should pause for, 0 if nothing is new."""
        self.dropped()
        if sent <= self._deaf_until or self._cut is None or self._is_usual():
            return 0.0
        passed = self._sent - self._refused
        if not passed:
            pause, self._pause = self._pause, min(LONGEST_S, 2 * self._pause)
            self._deaf_until = now
            return pause
        if passed < FEW and math.isinf(self._after_cut):
            self._deaf_until = now
            return self._pause
        ago = now - self._cut
        before = self.rate(now)
        rate = min(before, passed / max(SHORTEST_S, ago))
        if passed < SOUND and not math.isinf(before):
            rate = max(rate, before / 2)
        if ago >= self._k / 3:
            self._series = _Series(before=rate)
        if self._series.in_vain(self._sent, self._refused):
            self._usual = self._series.usual()
            self._set(self._series.before, GENTLE, now)
            self._series = _Series(before=self._series.before)
            return 0.0
        self._set(rate, STEEP if ago < self._k / 3 else BETA if ago < self._k else GENTLE, now)
        return self._pause

    def _is_usual(self) -> bool:
        if not self._usual:
            return False
        if self._sent < ENOUGH or self._refused <= self._usual * self._sent:
            if self._sent >= 10 * ENOUGH:  # what is usual is what is usual of late
                self._sent, self._refused = self._sent // 2, self._refused // 2
            return True
        self._usual = 0.0
        return False

    def _set(self, rate: float, beta: float, now: float) -> None:
        self._refused_at = max(LEAST, rate)
        self._after_cut = self._refused_at * beta
        self._k = max(K, CYCLE / self._refused_at)
        self._cut = self._deaf_until = now
        self._pause = PAUSE_S
        self._sent = self._refused = 0

    def dropped(self) -> None:
        """A request that went did not pass."""
        self._refused = min(self._sent, self._refused + 1)

    def __repr__(self) -> str:
        return f"Found({self._after_cut:.3g}/s after the last cut)"


class _Series:
    """Cuts one soon after the other: how many, what was sent and refused, and the rate before them."""

    def __init__(self, before: float) -> None:
        self.before = before
        self._cuts = self._sent = self._refused = 0

    def in_vain(self, sent: int, refused: int) -> bool:
        """Count one more cut; whether there have been enough to see that they do not help."""
        self._cuts += 1
        self._sent += sent
        self._refused += refused
        return self._cuts > 2 * VAIN or (self._cuts > VAIN and self._sent >= ENOUGH)

    def usual(self) -> float:
        """The part that is refused whatever the rate, with room for chance."""
        return min(0.5, 1.5 * self._refused / self._sent + 0.03)
