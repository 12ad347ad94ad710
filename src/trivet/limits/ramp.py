"""How fast traffic may grow: from a million tokens a minute on, by half in 15 minutes.

    ceiling = max(FROM, GROWTH * busiest minute since the ceiling last moved), moved every 15 minutes

and after a `slow_down`, which says that it grew too fast all the same:

    ceiling = rate then / GROWTH, "the earlier level", held for 15 minutes; then it grows as above

Source: the provider's documentation on rate limits: above that rate, growth of over 50 % in 15 minutes is
refused with `slow_down`, after which the earlier rate is to be kept for 15 minutes. Steps rather than a slope,
because a provider that counts by the minute would compare a slope with the past at every minute of it.
"""

from __future__ import annotations

import math

FROM = 1_000_000.0
GROWTH = 1.45  # a little less than by half: the provider's minutes are not ours
PERIOD = 900.0
MINUTE = 60.0


class Ramp:
    """The most tokens a minute that keep to the rule; infinite where it does not apply."""

    def __init__(self) -> None:
        self._ceiling = math.inf
        self._floor = FROM
        self._moved = 0.0
        self._minute = 0.0
        self._used = 0.0
        self._busiest = 0.0

    def begin(self, now: float) -> bool:
        """The account's limit is above where the rule begins; whether that is news."""
        if not math.isinf(self._ceiling):
            return False
        self._set(FROM, now)
        return True

    def ceiling(self, now: float) -> float:
        """Tokens a minute at most."""
        if not math.isinf(self._ceiling) and now - self._moved >= PERIOD:
            self._count(0.0, now)
            self._set(max(self._floor, GROWTH * self._busiest), now)
        return self._ceiling

    def used(self, tokens: float, now: float) -> None:
        """Count tokens sent."""
        self._count(tokens, now)

    def slow_down(self, rate: float, sent: float, now: float) -> bool:
        """A request sent at `sent` met a `slow_down` at `rate` tokens a minute; whether that is news."""
        if sent <= self._moved and not math.isinf(self._ceiling):
            return False
        self._floor = min(FROM, rate / GROWTH)
        self._set(rate / GROWTH, now)
        return True

    def memory(self) -> tuple[float, float, float]:
        """The ceiling, the least it grows to, and when it moved."""
        return self._ceiling, self._floor, self._moved

    def recall(self, ceiling: float, floor: float, moved: float, busiest: float) -> None:
        """Know what all who share the limit know; `busiest`: of their minutes together since it moved."""
        if ceiling != self._ceiling or abs(moved - self._moved) > 1.0:
            self._set(ceiling, moved)
        self._floor, self._moved, self._busiest = floor, moved, max(self._busiest, busiest)

    def _set(self, ceiling: float, now: float) -> None:
        self._ceiling, self._moved = ceiling, now
        self._minute, self._used, self._busiest = now, 0.0, 0.0

    def _count(self, tokens: float, now: float) -> None:
        if now - self._minute >= MINUTE:
            self._busiest = max(self._busiest, self._used)
            self._minute += MINUTE * math.floor((now - self._minute) / MINUTE)
            self._used = 0.0
        self._used += tokens
