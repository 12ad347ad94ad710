"""A rate that nobody tells, found by being refused. An estimator: it gives a number.

    passed  = (sent - refused) / seconds                           since the last cut
    cut     W = min(rate, passed);   rate_cut = W * beta           beta by how long ago the last cut is
    growth  rate(t) = W + (W - rate_cut) * ((t - K) / K)^3         t seconds after the cut, without a ceiling

The curve is that of `share` (CUBIC, RFC 9438). Only here it has no end, because the limit is not known, and it is
quicker, because the first guess may be far off: K is 15 s, or as long as 150 requests take. What passed between
two refusals is the rate that was allowed, whether the server counts by the second, by the minute or not by windows
at all; a refusal comes back at once, so it is known without waiting for answers.

A server that counts in windows refuses everything for the rest of one. So a refusal pauses all for half a second,
and twice as long each time that nothing passed in between: the same closed door is no reason for a further cut.
Where hardly anything ever passes, nothing is learned.
"""

from __future__ import annotations

import math

K, CYCLE = 15.0, 150.0
STEEP, BETA, GENTLE = 0.8, 0.9, 0.97
PAUSE_S, LONGEST_S = 0.5, 15.0
FEW, SHORTEST_S = 3, 0.05
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
        self._passed = 0

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
        self._passed += 1

    def refused(self, sent: float, now: float) -> float:
        """A request sent at `sent` was refused for pace: seconds that all should pause for, 0 if nothing is new."""
        self.dropped()
        if sent <= self._deaf_until or self._cut is None:
            return 0.0
        if not self._passed:
            self._pause = min(LONGEST_S, 2 * self._pause)
            self._deaf_until = now
            return self._pause
        if self._passed < FEW and math.isinf(self._after_cut):
            self._deaf_until = now
            return self._pause
        ago = now - self._cut
        rate = min(self.rate(now), self._passed / max(SHORTEST_S, ago))
        beta = STEEP if ago < self._k / 3 else BETA if ago < self._k else GENTLE
        self._refused_at = max(LEAST, rate)
        self._after_cut = self._refused_at * beta
        self._k = max(K, CYCLE / self._refused_at)
        self._cut = self._deaf_until = now
        self._pause, self._passed = PAUSE_S, 0
        return self._pause

    def dropped(self) -> None:
        """A request that went did not pass."""
        self._passed = max(0, self._passed - 1)

    def __repr__(self) -> str:
        return f"Found({self._after_cut:.3g}/s after the last cut)"
