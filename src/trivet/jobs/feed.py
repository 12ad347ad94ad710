"""Rows for the event loop, from sources that may keep their reader waiting."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress

from trivet.errors import DataError
from trivet.jobs.rows import Row, Source

TURN = 256
"""Rows handed out before other tasks get a turn."""


async def feed(source: Source, size: int) -> AsyncGenerator[Row, None]:
    """The source's rows; at most `size` are read ahead of need, and only from a source that may block.

    Such a source is read in a thread of its own, because nothing can interrupt a blocked read: when the
    consumer stops, the thread ends with the row it waits for, or with the process, which it does not hold up.
    Whatever the source raises is raised here, after the rows before it.
    """
    if not source.blocking:
        for given, ready in enumerate(source):
            if given % TURN == TURN - 1:
                await asyncio.sleep(0)
            yield ready
        return
    reader = _Reader(source, size)
    try:
        while (row := await reader.next_row()) is not None:
            yield row
    finally:
        reader.stop()


class _Reader:
    """A thread that reads, and the bounded hand-over from it to the loop."""

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._rows: deque[Row] = deque()
        self._room = threading.Semaphore(max(1, size))
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._waiting = False
        self._stopped = False
        self._ended = False
        self._error: BaseException | None = None
        threading.Thread(target=self._read, name="trivet-rows", daemon=True).start()

    async def next_row(self) -> Row | None:
        """The next row, None at the end."""
        while not self._rows:
            if self._ended and not self._rows:
                if self._error is not None:
                    raise _raisable(self._error) from None
                return None
            self._news.clear()
            self._waiting = True
            if not self._rows and not self._ended:  # the thread looks at `_waiting` after it has put a row
                await self._news.wait()
            self._waiting = False
        row = self._rows.popleft()
        self._room.release()
        return row

    def stop(self) -> None:
        """Let the thread end."""
        self._stopped = True
        self._room.release()

    def _read(self) -> None:
        try:
            for row in self._source:
                self._room.acquire()
                if self._stopped:
                    return
                self._rows.append(row)
                self._notify()
        except BaseException as error:  # noqa: BLE001 - it is raised in the loop instead
            self._error = error
        finally:
            self._ended = True
            self._notify()

    def _notify(self) -> None:
        if self._waiting:
            self._waiting = False
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._news.set)


def _raisable(error: BaseException) -> Exception:
    """The source's own exception; one that would end a thread's event loop is told as what it is."""
    if isinstance(error, Exception):
        return error
    return DataError(f"the rows ended with {type(error).__name__}: {error}")
