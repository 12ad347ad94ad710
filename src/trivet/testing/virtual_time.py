"""An event loop in which waiting takes no time: an hour of rate limits passes in a millisecond.

Where every task sleeps, the clock jumps to the first that is due. Nothing real may be waited for under it
(no socket, thread or process), or the clock jumps past that; when no task can ever go on, it says so.
After trio's `MockClock(autojump_threshold=0)`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for a timeout, moves the clock by it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)  # a signal, or a call from another thread
        if not ready and timeout is None:
            raise RuntimeError("all tasks wait for each other, or for what virtual time can't bring (I/O, threads)")
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at 0 and moves only when every task waits."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._clock.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a new virtual-time loop, like `asyncio.run`."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
