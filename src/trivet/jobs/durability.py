"""Waiting for the disk, together: one `fsync` for all who wrote before it began."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from pathlib import Path

from trivet.engine.flights import Flights, landing
from trivet.errors import MachineError
from trivet.jobs.writing import machine_errors


class GroupSync:
    """Makes what was written before a call survive a power cut, once the call returns. For one event loop.

    A sync belongs to nobody in particular: whoever is cancelled leaves it running, and the next one waits for
    its end, so that no failure goes unheard.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._flights: Flights[None] = Flights()
        self._numbers = itertools.count()
        self._next: asyncio.Task[None] | None = None
        """The sync that has not begun; whoever wrote before this moment is served by it."""
        self._turn = asyncio.Lock()
        self._failure: MachineError | None = None

    async def __call__(self) -> None:
        """Join the next sync; `MachineError` once the disk has failed, for ever after.

        After a failed `fsync` the system may have dropped what it could not write, and a second one would
        succeed without it.
        """
        if self._next is None:
            self._next = self._flights.start(b"%d" % next(self._numbers), self._once)
        await landing(self._next)
        if self._failure is not None:
            raise self._failure.copy()

    async def _once(self) -> None:
        async with self._turn:
            self._next = None
            if self._failure is not None:
                return
            try:
                await asyncio.to_thread(self._sync)
            except MachineError as error:
                self._failure = error


def sync_path(path: Path) -> None:
    """Make what a file holds, or the names in a folder, survive a power cut."""
    with machine_errors(path):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
