"""What must be left in the provider's bucket by now, from what the last reply's headers said was left then.

    left(t) = min(limit, remaining + refill(t - sent) - spent since)
    refill(s) = (limit - remaining) * s / reset   up to `reset`, then limit / 60 a second

`remaining` was true when the request was admitted, about when it was sent, and not when the reply came. The
refill is what the headers imply, `limit - remaining` within `reset`: exact for a bucket that comes back
continuously, even where a stranger takes part of it; too hopeful for one that comes back at the end of a
window, where the provider's own refusal says when that is. So the mirror holds back only what is sure to be
refused, and never for longer than `reset`.
"""

from __future__ import annotations

import math


class Mirror:
    """One limit's remaining units, seen from here."""

    def __init__(self) -> None:
        self.limit: float | None = None
        self._remaining = math.inf
        self._slope = 0.0
        self._reset = 0.0
        self._at = 0.0
        self.spent = 0.0
        self._mark = 0.0

    def spend(self, amount: float) -> float:
        """Count units sent; the mark to give back with what the reply to them tells."""
        self.spent += amount
        return self.spent

    def give_back(self, amount: float) -> None:
        """Units that were counted and never sent."""
        self.spent -= amount

    def told(
        self, *, limit: float | None, remaining: float | None, reset: float | None, mark: float, at: float
    ) -> None:
        """What the headers of the reply to the request of `mark`, sent at `at`, said."""
        if limit:
            self.limit = limit
        if self.limit is None or remaining is None or mark < self._mark:
            return
        self._mark, self._at = mark, at
        self._remaining = min(float(remaining), self.limit)
        self._reset = reset or 0.0
        self._slope = (self.limit - self._remaining) / reset if reset else 0.0

    def left(self, now: float) -> float:
        """Units left by now, infinite when nothing is known."""
        if self.limit is None:
            return math.inf
        passed = now - self._at
        refill = self._slope * min(passed, self._reset) + self.limit / 60 * max(0.0, passed - self._reset)
        return min(self.limit, self._remaining + refill - (self.spent - self._mark))

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` (or all there can be) is there."""
        if self.limit is None:
            return 0.0
        lacking = min(amount, self.limit) - self.left(now)
        if lacking <= 0:
            return 0.0
        until_reset = self._at + self._reset - now
        if until_reset <= 0 or self._slope <= 0:
            return lacking / self.limit * 60
        return min(lacking / self._slope, until_reset)
