"""Bytes and small files on disk: whole or not at all, and a full disk as one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trivet.errors import MachineError


@contextmanager
def machine_errors(path: Path) -> Iterator[None]:
    """Turn what the system says about writing there into `MachineError`."""
    try:
        yield
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> MachineError:
    resume = "what was written before is safe, and the same command resumes"
    return MachineError(f"{path} can't be written: {error.strerror or error}; {resume}")


def write_all(fd: int, data: bytes, path: Path) -> None:
    """Append to a file that only we write to; what could only be written in part is taken back."""
    try:  # not `machine_errors`, which costs as much as the write
        written = os.write(fd, data)
    except OSError as error:
        raise _refused(path, error) from None
    if written == len(data):
        return
    with machine_errors(path):
        start = os.fstat(fd).st_size - written
        try:
            rest = memoryview(data)[written:]
            while rest:
                rest = rest[os.write(fd, rest) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(fd, start)
            raise


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file in place as a whole: whoever reads sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with machine_errors(path):
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
