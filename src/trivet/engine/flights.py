"""Detached flights: work that outlives the caller who started it. The one owner of bare tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

from trivet.errors import TransportError

T = TypeVar("T")


class Flights(Generic[T]):
    """Runs one task a key; any number of callers wait for it, and none of them can cancel it."""

    def __init__(self) -> None:
        self._tasks: dict[bytes, asyncio.Task[T]] = {}

    def get(self, key: bytes) -> asyncio.Task[T] | None:
        """The flight of this key that is under way."""
        return self._tasks.get(key)

    def start(self, key: bytes, work: Callable[[], Coroutine[None, None, T]]) -> asyncio.Task[T]:
        """Start a flight; it is forgotten as soon as it has landed."""
        task = asyncio.get_running_loop().create_task(work())
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._landed(key, done))
        return task

    def _landed(self, key: bytes, task: asyncio.Task[T]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled():
            task.exception()  # whoever waits gets it; nobody waiting is no reason for a warning

    async def close(self, grace: float = 0.0) -> None:
        """Give flights `grace` seconds to land, then cancel those still under way."""
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def __len__(self) -> int:
        return len(self._tasks)


async def landing(flight: asyncio.Task[T]) -> T:
    """What a flight comes to; the cancellation of whoever waits leaves it alone.

    Raises a `TransportError` where the flight itself was cancelled: a stray `CancelledError` in a caller whom
    nobody cancelled would end it without a word.
    """
    waiting = asyncio.get_running_loop().create_future()

    def landed(_: asyncio.Task[T]) -> None:
        if not waiting.done():
            waiting.set_result(None)

    flight.add_done_callback(landed)
    try:
        await waiting
    finally:
        flight.remove_done_callback(landed)
    if flight.cancelled():
        closed = TransportError(
            "the client was closed before the reply came: close it once its calls are done",
            kind="closed",
            sent=True,
        )
        closed.cost = None
        raise closed
    return flight.result()
