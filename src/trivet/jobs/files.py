"""Files named by the user: found, opened, and every way that can fail as one sentence."""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO, cast

from trivet.errors import DataError

BUFFER = 1024 * 1024
"""Bytes read from a file at a time."""


def find(spec: str) -> list[Path]:
    """The file of that name, or the files that a glob matches, sorted; `DataError` when there is none."""
    if not spec or "\0" in spec:
        raise DataError(f"{spec!r} is not the name of a file")
    path = Path(spec).expanduser()
    with errors(spec):
        found = path.exists()
    if found or not glob.has_magic(spec):
        return [_checked(path, spec)]
    matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute ones too
    files = [match for match in matches if not match.is_dir()]
    if not files:
        raise DataError(f"no file matches {spec}")
    return [_checked(match, str(match)) for match in files]


def _checked(path: Path, name: str) -> Path:
    with errors(name):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            raise DataError(f"there is no file {name}{_near(path)}") from None
        if stat.S_ISDIR(mode):
            raise DataError(f"{name} is a folder: name a file in it, or a pattern such as {path / '*.jsonl'}")
        if not stat.S_ISREG(mode):
            raise DataError(f"{name} is not a regular file: pipe it in and name - as the data")
        with path.open("rb"):
            return path


def _near(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f": there is no folder {path.parent}"
    near = get_close_matches(path.name, names, n=3)
    return f"; did you mean {' or '.join(str(path.with_name(name)) for name in near)}?" if near else ""


@contextmanager
def opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """The file's bytes, a .gz unpacked; failures to open and to read it are `DataError`."""
    with errors(name), path.open("rb", buffering=BUFFER) as file:
        if path.suffix.lower() == ".gz":
            with gzip.open(file) as unpacked:
                yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, unpacked), BUFFER))
        else:
            yield file


@contextmanager
def errors(name: str) -> Iterator[None]:
    """Turn what the system says about the file into `DataError`."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name} is not a whole gzip file: {error}") from None
    except OSError as error:
        raise DataError(f"{name} can't be read: {error.strerror or error}") from None


def digest(paths: tuple[Path, ...]) -> str:
    """The size and SHA-256 of the content, as `size-hex`; of several files, the digest of their digests."""
    total = 0
    digests: list[bytes] = []
    for path in paths:
        with errors(str(path)), path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").digest())
            total += file.tell()
    whole = digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()
    return f"{total}-{whole.hex()}"
