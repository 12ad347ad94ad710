"""A token bucket: so many units a second, with a bounded burst. Pure: the time is passed in.

    level(t) = min(capacity, level(t0) + rate * (t - t0))

Something may be taken once it is there in full, or once the bucket is full: what is larger than the capacity
leaves a debt, and those behind it wait for that.
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
        """Units available; below zero in debt."""
        return min(self.capacity, self._level + self.rate * max(0.0, now - self._at))

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken."""
        return max(0.0, (min(amount, self.capacity) - self.level(now)) / self.rate)

    def take(self, amount: float, now: float) -> None:
        """Take `amount`, there or not; a negative one gives back."""
        self._level = self.level(now) - amount
        self._at = max(self._at, now)

    def change(self, rate: float, capacity: float, now: float) -> None:
        """Go on at another rate; what is there by now stays, as far as it fits."""
        if rate != self.rate or capacity != self.capacity:
            self._level = self.level(now)
            self._at = max(self._at, now)
            self.rate, self.capacity = rate, capacity

    def __repr__(self) -> str:
        return f"Bucket(rate={self.rate:g}/s, capacity={self.capacity:g}, level={self._level:g})"
