"""A token bucket: so many units a second, with a bounded burst. Pure: the time is passed in.

    level(t) = min(capacity, level(t0) + rate * (t - t0))

`take` may drive the level below zero and says how long to wait until it would be back at zero: callers are
served in order, each waiting for its own share, so nobody has to poll. A request larger than the capacity is
not refused; it waits for its whole amount.
"""

from __future__ import annotations


class Bucket:
    """`rate` units a second, at most `capacity` saved up; starts full."""

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        if not rate > 0 or not capacity > 0:
            raise ValueError("rate and capacity must be above zero")
        self.rate = rate
        self.capacity = capacity
        self._level = capacity
        self._at = now

    def level(self, now: float) -> float:
        """Units available; below zero while earlier takers are still being waited for."""
        return min(self.capacity, self._level + self.rate * max(0.0, now - self._at))

    def take(self, amount: float, now: float) -> float:
        """Take `amount`, and return the seconds to wait before using it."""
        self._level = self.level(now) - amount
        self._at = max(self._at, now)
        return max(0.0, -self._level / self.rate)

    def __repr__(self) -> str:
        return f"Bucket(rate={self.rate:g}/s, capacity={self.capacity:g}, level={self._level:g})"
