"""Waiting for the disk, together: one `fsync` for all who wrote before it began."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from trivet.errors import MachineError
from trivet.jobs.writing import machine_errors


class _Batch:
    """Those who wait for the same `fsync`."""

    def __init__(self) -> None:
        self.on_disk = False


class GroupSync:
    """Makes what was written before a call survive a power cut, once the call returns. For one event loop."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._next = _Batch()
        self._turn = asyncio.Lock()
        self._failure: MachineError | None = None

    async def __call__(self) -> None:
        """Join the next batch; `MachineError` once the disk has failed, for ever after.

        After a failed `fsync` the system may have dropped what it could not write, and a second one would
        succeed without it.
        """
        batch = self._next
        async with self._turn:
            if self._failure is not None:
                raise self._failure.copy()
            if batch.on_disk:
                return
            if self._next is batch:
                self._next = _Batch()
            try:
                await asyncio.to_thread(self._sync)
            except MachineError as error:
                self._failure = error
                raise
            batch.on_disk = True


def sync_path(path: Path) -> None:
    """Make what a file holds, or the names in a folder, survive a power cut."""
    with machine_errors(path):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
