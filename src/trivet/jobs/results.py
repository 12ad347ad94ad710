"""The results file of a run: checked before any spend, written at the end, in place all at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

from trivet.errors import RunError
from trivet.jobs.durability import sync_path
from trivet.jobs.ledger import Ledger
from trivet.jobs.parquet import require
from trivet.jobs.result_files import Write, write_csv, write_jsonl, write_parquet
from trivet.jobs.runs import Manifest, allow_replacing, read_manifest
from trivet.jobs.writing import machine_errors
from trivet.records import Record

NAME = "results.jsonl"

WRITERS: dict[str, Write] = {".jsonl": write_jsonl, ".csv": write_csv, ".parquet": write_parquet}


def check_out(
    out: Path,
    *,
    fresh: bool = False,
    manifest: Manifest | None = None,
    last: Manifest | None = None,
    inputs: Iterable[Path] = (),
) -> str | None:
    """Make sure that results can be written there, before anything is spent.

    `manifest`: of the run that is resumed; `last`: of the same command's run before, which is over. `inputs`: files
    that must not be overwritten. Returns the stamp of the file that stands there and may be replaced, for the
    manifest's `out_stamp`. Raises `RunError`, and `MissingExtra` for Parquet without DuckDB.
    """
    if out.suffix.lower() not in WRITERS:
        raise RunError(f"{out} is no name for results: it must end in {', '.join(WRITERS)}")
    if out.suffix.lower() == ".parquet":
        require("writing Parquet")
    try:
        found = _stat(out)
        if found is not None and any(os.path.samestat(found, path.stat()) for path in inputs):
            raise RunError(f"{out} is what the run reads: choose another file for the results")
        _check_folder(out)
    except OSError as error:
        raise RunError(f"{out} can't be written: {error.strerror or error}") from None
    if found is None:
        return None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise RunError(f"{out} is {what}: name a file for the results")
    ours = manifest is not None and manifest.out_stamp == _stamp(found)
    if not fresh and not ours and last is not None and last.out_stamp == _stamp(found):
        raise RunError(
            f"{out} has the results of {last.run}, the same command's run, which is finished: "
            "use --fresh to ask everything again, --retry-failed to ask what failed, or choose another file"
        )
    if not fresh and not ours:
        raise RunError(f"{out} exists and is not of this run: choose another file, or use --fresh to replace it")
    return _stamp(found)


def write(
    ledger: Ledger,
    out: Path | None = None,
    *,
    keep: Sequence[str] = (),
    seen: Callable[[Record], None] = lambda record: None,
) -> Path:
    """Write the last record of each row, in row order, to `out` or to the run folder; returns where.

    `keep`: the columns copied to the records. `seen` is told each record as it is written. An older file is there
    until the new one is whole. Raises `MachineError` when the disk does not take it, and `RunError` when a file of
    somebody else has come to stand there; the ledger still has everything.
    """
    asked = ledger.folder / NAME if out is None else out
    if out is not None:
        found = _stat(out)
        if found is not None and _stamp(found) != read_manifest(ledger.folder).out_stamp:
            raise RunError(
                f"{out} was written by another program since this run began: move it away and give the same "
                "command again, which asks nothing twice"
            )
    target = Path(os.path.realpath(asked))
    with _in_place(target, asked, private=out is None) as (file, temporary):
        WRITERS[target.suffix.lower()](_told(ledger.ordered(), seen), file, temporary, keep)
        file.close()
        if out is not None:  # noted first: a crash between the two must not make the file a stranger's
            allow_replacing(ledger.folder, _stamp(temporary.stat()))
    return asked


def put(records: Iterable[Record], out: Path, *, keep: Sequence[str] = ()) -> None:
    """Write records as they come to a file that `check_out` has allowed. Raises `MachineError`."""
    target = Path(os.path.realpath(out))
    with _in_place(target, out, private=False) as (file, temporary):
        WRITERS[target.suffix.lower()](records, file, temporary, keep)


def _told(records: Iterable[Record], seen: Callable[[Record], None]) -> Iterator[Record]:
    for record in records:
        seen(record)
        yield record


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"


def _check_folder(out: Path) -> None:
    """Make the folder if there is none, and try it out."""
    folder = Path(os.path.realpath(out)).parent
    folder.mkdir(parents=True, exist_ok=True)
    fd, temporary = _new_file(folder, 0o600)
    os.close(fd)
    temporary.unlink()


def _new_file(folder: Path, mode: int) -> tuple[int, Path]:
    for attempt in count():
        path = folder / f".trivet-{os.getpid()}-{attempt}.tmp"
        with suppress(FileExistsError):
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), path
    raise AssertionError


@contextmanager
def _in_place(target: Path, name: Path, *, private: bool) -> Iterator[tuple[BinaryIO, Path]]:
    with machine_errors(name):
        fd, temporary = _new_file(target.parent, 0o600 if private else 0o666)
        try:
            with os.fdopen(fd, "wb", buffering=1024 * 1024) as file:
                yield file, temporary
            sync_path(temporary)  # a power cut may not leave the name without what it names
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
