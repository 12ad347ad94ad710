"""A file of lines that is only ever appended to, a whole line at a time, by one process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

from trivet.errors import MachineError
from trivet.jobs.files import BUFFER
from trivet.jobs.writing import machine_errors, write_all

LOOK_EVERY = 0.5
"""Seconds after which the next append makes sure that the path still leads to the file."""

_BLOCK = 2048
"""Bytes read for one line, before more are."""


class LineFile:
    """Appends lines; `size` is where the next one will begin. `MachineError` when the disk does not take one.

    A line is in the file when `append` returns: one `write`, which survives the death of the process. Whole lines
    only are there, whatever happened: a torn last one goes when the file is opened again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with machine_errors(path):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = 0
        self._look_at = monotonic() + LOOK_EVERY

    @property
    def fd(self) -> int:
        """The open file; -1 once it is closed."""
        return self._fd

    def mend(self, whole: Callable[[bytes], bool]) -> None:
        """Leave whole lines only: a last one that lacks just its end, as `whole` finds, gets it; a torn one goes."""
        with machine_errors(self.path):
            self._mend(whole)
            self.size = os.fstat(self._fd).st_size

    def _mend(self, whole: Callable[[bytes], bool]) -> None:
        size = os.fstat(self._fd).st_size
        start = size
        while start > 0:
            low = max(0, start - BUFFER)
            newline = os.pread(self._fd, start - low, low).rfind(b"\n")
            start = low
            if newline >= 0:
                start = low + newline + 1
                break
        if start == size:
            return
        if whole(os.pread(self._fd, size - start, start)):
            os.write(self._fd, b"\n")
        else:
            os.ftruncate(self._fd, start)

    def append(self, line: bytes) -> None:
        """Write a line, its end included; what could only be written in part is taken back."""
        if monotonic() > self._look_at:
            self.look()
        write_all(self._fd, line, self.path)
        self.size += len(line)

    def look(self) -> None:
        """`MachineError` when the file was removed, moved or replaced: what is appended would go nowhere."""
        self._look_at = monotonic() + LOOK_EVERY
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError:
            return  # a network disk that stutters
        else:
            there = os.path.samestat(found, os.fstat(self._fd))
        if not there:
            raise MachineError(
                f"{self.path} was removed or moved while the run wrote to it: put its folder back and give the same "
                "command again, which goes on from there; without it, the command starts over"
            )

    def at(self, offset: int) -> bytes:
        """The line that begins there, without its end."""
        size = _BLOCK
        while True:
            block = os.pread(self._fd, size, offset)
            end = block.find(b"\n")
            if end >= 0:
                return block[:end]
            if len(block) < size:
                return block
            size *= 8

    def sync(self) -> None:
        """Return when the disk has what was appended."""
        with machine_errors(self.path):
            os.fsync(self._fd)

    def close(self) -> None:
        """Close it; harmless when it is closed."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def scan(path: Path) -> Iterator[tuple[int, bytes]]:
    """Where each whole line begins, and the line; another process may be writing."""
    offset = 0
    with path.open("rb", buffering=BUFFER) as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield offset, line
            offset += len(line)
