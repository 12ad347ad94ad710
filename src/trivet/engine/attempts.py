"""How the attempts of a request that is cut short reach the layers above."""

from __future__ import annotations

import asyncio

from trivet.types import Attempt


class Interrupted(asyncio.CancelledError):
    """A cancellation on its way up through the layers, with what had been tried until it came.

    It never leaves them: `asyncio.timeout` and `TaskGroup` of Python 3.11 know a cancellation by its exact
    class alone, and would take this one for a failure.
    """

    def __init__(self, *args: object, attempts: tuple[Attempt, ...] = (), queued: float = 0.0) -> None:
        super().__init__(*args)
        self.attempts = attempts
        self.queued = queued


class CancelledInQueue(asyncio.CancelledError):
    """A cancellation that came while the request still waited for its permit: nothing was sent."""
