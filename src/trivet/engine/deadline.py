"""Bounds the whole reply, its retries and waits included. Off in bulk runs: a row may wait for its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from trivet.engine.attempts import Interrupted
from trivet.errors import DeadlineError, SettingsError
from trivet.types import Reply, Request, total


class Deadline:
    """Gives up after `seconds`; None never does."""

    def __init__(self, inner: Callable[[Request], Awaitable[Reply]], seconds: float | None) -> None:
        if seconds is not None and not seconds > 0:
            raise SettingsError(f"deadline is {seconds:g} s, and must be above 0")
        self._inner = inner
        self._seconds = seconds

    def __call__(self, request: Request) -> Awaitable[Reply]:
        """The reply in time, or a `DeadlineError` with what was tried until then."""
        return self._plainly(request) if self._seconds is None else self._within(request, self._seconds)

    async def _within(self, request: Request, seconds: float) -> Reply:
        limit = asyncio.timeout(seconds)
        cut = Interrupted()
        try:
            async with limit:
                return await self._plainly(request, cut)
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._late(cut) from None

    async def _plainly(self, request: Request, cut: Interrupted | None = None) -> Reply:
        """The inner reply; a cancellation is noted in `cut` and goes on as a plain one."""
        try:
            return await self._inner(request)
        except asyncio.CancelledError as cancelled:
            if cut is not None and isinstance(cancelled, Interrupted):
                cut.attempts, cut.queued = cancelled.attempts, cancelled.queued
            raise asyncio.CancelledError(*cancelled.args) from None

    def _late(self, cut: Interrupted) -> DeadlineError:
        error = DeadlineError(f"no reply within the deadline of {self._seconds:g} s, retries and waits included")
        error.attempts, error.queued, error.cost = cut.attempts, cut.queued, total(cut.attempts)
        error.possibly_billed = any(attempt.possibly_billed for attempt in cut.attempts)
        return error
