"""A line of requests that wait for the pace of one model: who, for how many tokens, since when."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from itertools import islice

from trivet.engine.sharing import Shared
from trivet.errors import PauseError, RequestError, TrivetError
from trivet.limits.backoff import PATIENCE
from trivet.limits.charge import Ratio
from trivet.limits.governor import Governor, Permit
from trivet.limits.turns import MOST
from trivet.types import Reply, Request
from trivet.wording import seconds as in_words


class Line:
    """Requests of one model and tier, in the order they came: who waits, for how many tokens, since when.

    `shared`: where the pace is, if other processes have part in it.
    """

    def __init__(self, model: str, governor: Governor) -> None:
        self.model = model
        self.governor = governor
        self.shared: Shared | None = None
        self.ratio = Ratio()
        self.waiters: deque[tuple[asyncio.Future[Permit], float, float]] = deque()
        self.permits = 0
        self._closed_until = -math.inf

    def charge(self, request: Request) -> float:
        """Tokens that the provider will charge."""
        return self.ratio.charge(_characters(request), request.max_output)

    def answered(self, request: Request, reply: Reply) -> None:
        """Learn what a reply tells of the charge."""
        if reply.usage is not None:
            self.ratio.seen(_characters(request), reply.usage.input)

    def wanted(self) -> list[float]:
        """The tokens of the first requests that wait."""
        return [tokens for turn, tokens, _ in islice(self.waiters, 2 * MOST) if not turn.done()]

    def fail(self, error: TrivetError) -> int:
        """End the wait of all in line: how many were told."""
        told = 0
        for turn, _, _ in self.waiters:
            if not turn.done():
                turn.set_exception(error.copy())
                told += 1
        self.waiters.clear()
        return told

    def close(self, seconds: float, now: float) -> int:
        """Nobody waits for a pause of so many seconds: how many in line were told."""
        self._closed_until = now + seconds
        told = 0
        for turn, _, since in self.waiters:
            if not turn.done():
                turn.set_exception(self._too_long(seconds, now - since))
                told += 1
        self.waiters.clear()
        return told

    def since(self) -> float | None:
        """Since when the first in line has waited, if anybody does."""
        try:
            return self.waiters[0][2]
        except IndexError:
            return None

    def check(self, now: float) -> None:
        """Raise while the provider is not to be waited for."""
        left = self.closed(now)
        if left > 0:
            raise self._too_long(left)

    def closed(self, now: float) -> float:
        """Seconds for which the provider is not to be waited for."""
        return max(0.0, self._closed_until - now)

    def _too_long(self, seconds: float, queued: float = 0.0) -> PauseError:
        error = PauseError(
            f"the provider asks to wait {in_words(seconds)} before the next request to {self.model}, and no call waits "
            f"longer than {in_words(PATIENCE)}: ask again after that"
        )
        error.retry_after, error.queued = seconds, queued
        return error

    def too_late(self, error: RequestError, queued: float) -> PauseError:
        """The attempt's error, as what it comes to for the caller."""
        pause = self._too_long(error.retry_after or 0.0, error.queued + queued)
        pause.limits, pause.possibly_billed = error.limits, error.possibly_billed
        pause.attempts, pause.usage, pause.cost = error.attempts, error.usage, error.cost
        pause.raw = error.raw
        return pause


def _characters(request: Request) -> int:
    return request.characters or len(request.head) + len(request.tail)
