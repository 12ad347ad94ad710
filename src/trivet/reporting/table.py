"""Every call as one flat line: for spreadsheets, and as a data frame for notebooks."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import msgspec
from msgspec import UNSET

from trivet.errors import MissingExtra, RunError
from trivet.jobs.ledger import read_records
from trivet.jobs.runs import MANIFEST, read_manifest
from trivet.records import Record
from trivet.reporting import saved
from trivet.reporting.calls import is_label, key_of
from trivet.types import Usage
from trivet.wording import plain

COLUMNS = (
    *("run", "variant", "row", "id", "ok", "output", "error_code", "error_message", "text", "source", "model", "tier"),
    *("latency_s", "queued_s", "ttft_s", "attempts", "refused", "input_tokens", "cached_input_tokens"),
    *("cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_usd", "saved_usd", "input_chars"),
    *("output_chars", "at", "response_id", "request_id", "simulated"),
)
HEADER = ",".join(COLUMNS)

_NO_USAGE = Usage()
_REFUSED = 429


def calls(folder: Path, *, with_text: bool) -> Iterator[tuple[Any, ...]]:
    """A line of `COLUMNS` for each record of a run's or a comparison's folder; a row asked twice has two lines.

    What a model wrote is there `with_text` alone, but for labels.
    """
    if (folder / saved.NAME).is_file():
        found = saved.read(folder)
        for variant, inner in found.folders.items():
            place = folder / Path(inner).name
            if place.is_dir():
                yield from _lines(place, folder.name, variant, labels=found.labels, with_text=with_text)
        return
    manifest = read_manifest(folder)
    yield from _lines(folder, manifest.run, None, labels=manifest.labels, with_text=with_text)


def _lines(folder: Path, run: str, variant: str | None, *, labels: bool, with_text: bool) -> Iterator[tuple[Any, ...]]:
    try:
        for record in read_records(folder):
            yield (run, variant, *_line(record, labels=labels, with_text=with_text))
    except OSError as error:
        raise RunError(f"the records in {folder} can't be read: {error.strerror or error}") from None


def _line(record: Record, *, labels: bool, with_text: bool) -> tuple[Any, ...]:
    usage = record.usage or _NO_USAGE
    known = record.usage is not None
    error = record.error
    output = None if record.output is UNSET else record.output
    shown = with_text or (labels and is_label(output))
    return (
        record.n,
        key_of(record, with_text=with_text),
        error is None,
        output if shown else None,
        None if error is None else error.code,
        error.message if error is not None and with_text else None,
        record.text if with_text else None,
        record.source,
        record.model,
        record.tier,
        record.latency,
        record.queued,
        record.ttft,
        len(record.attempts),
        sum(attempt.status == _REFUSED for attempt in record.attempts),
        *((usage.input, usage.cached_input, usage.cache_write + usage.cache_write_12h) if known else (None,) * 3),
        *((usage.output, usage.reasoning) if known else (None,) * 2),
        record.cost,
        record.saved,
        record.input_chars,
        record.output_chars,
        record.at,
        record.response_id,
        record.request_id,
        record.simulated,
    )


def write_csv(folders: Iterable[Path], path: Path, *, with_text: bool) -> None:
    """All calls of several runs as CSV; `RunError` when a file stands at `path` that is no such table."""
    _check(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            _write(folders, file, with_text=with_text)
        temporary.replace(path)
    except OSError as error:
        raise RunError(f"{path} can't be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _check(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begins = file.read(len(HEADER))
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{path} can't be written: {error.strerror or error}") from None
    if begins and begins != HEADER.encode():
        raise RunError(f"{path} is no table of calls and is not overwritten: name another file")


def _write(folders: Iterable[Path], file: TextIO, *, with_text: bool) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for folder in folders:
        if folder.is_dir():
            writer.writerows(map(_cells, calls(folder, with_text=with_text)))


def _cells(line: tuple[Any, ...]) -> list[Any]:
    """As CSV can hold them: what is neither text nor a number is JSON, what is missing is empty."""
    return [
        ""
        if value is None
        else _encode(value).decode()
        if isinstance(value, bool | dict | list)
        else plain(value)
        if isinstance(value, str) and "\0" in value
        else value
        for value in line
    ]


_encode = msgspec.json.Encoder().encode


def frame(folder: Path) -> Any:
    """All calls of a run as a pandas DataFrame with `COLUMNS`; `MissingExtra` without pandas."""
    try:
        pandas = import_module("pandas")
    except ImportError:
        raise MissingExtra("a data frame", "frames") from None
    if not (folder / MANIFEST).is_file() and not (folder / saved.NAME).is_file():
        raise RunError(f"{folder} is no run folder")
    lines = [list(column) for column in zip(*calls(folder, with_text=True), strict=True)]
    columns = dict(zip(COLUMNS, lines or [[] for _ in COLUMNS], strict=True))
    for name in ("cost_usd", "saved_usd"):  # Decimals would make a column of objects, on which nothing is fast
        columns[name] = [None if value is None else float(value) for value in columns[name]]
    return pandas.DataFrame(columns)
