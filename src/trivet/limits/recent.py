"""How much went through of late."""

from __future__ import annotations

import math


class Recent:
    """What went lately: a mean over some ten seconds."""

    _MEMORY = 10.0

    def __init__(self) -> None:
        self._requests = self._tokens = 0.0
        self._at: float | None = None
        self._began = 0.0

    def add(self, tokens: float, now: float) -> None:
        """Count a request of so many tokens."""
        if self._at is None:
            self._at = self._began = now
        self._fade(now)
        self._requests += 1.0
        self._tokens += tokens

    def _fade(self, now: float) -> None:
        if self._at is not None and now > self._at:
            kept = math.exp((self._at - now) / self._MEMORY)
            self._requests *= kept
            self._tokens *= kept
            self._at = now

    def _weight(self, now: float) -> float:
        return self._MEMORY * (1.0 - math.exp(-max(1.0, now - self._began) / self._MEMORY))

    def requests_a_minute(self, now: float) -> float:
        """Requests a minute, of late."""
        self._fade(now)
        return self._requests / self._weight(now) * 60

    def tokens_a_minute(self, now: float) -> float:
        """Tokens a minute, of late."""
        self._fade(now)
        return self._tokens / self._weight(now) * 60
