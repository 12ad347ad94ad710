"""Records as lines of JSON, as CSV and as Parquet: the same columns in each.

`id`, the kept columns, and `output` or the error. What a model wrote is data and is written as it is: no cell
is altered for what a spreadsheet might take for a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import UNSET

from trivet.errors import MachineError
from trivet.jobs.parquet import connect, pattern, quoted
from trivet.records import Record

_json = msgspec.json.Encoder().encode

Write = Callable[[Iterable[Record], BinaryIO, Path, Sequence[str]], None]
"""Writes records to a file that is open for writing; its path; the kept columns."""


def write_jsonl(records: Iterable[Record], file: BinaryIO, path: Path, keep: Sequence[str]) -> None:
    """A line for each record: `{"id": 3, "output": "billing"}` or `{"id": 4, "error": {...}}`."""
    for record in records:
        line: dict[str, Any] = {"id": _id(record)}
        if record.kept:
            line |= record.kept
        if record.error is None:
            line["output"] = None if record.output is UNSET else record.output
        else:
            line["error"] = record.error
        file.write(_json(line) + b"\n")


def write_csv(records: Iterable[Record], file: BinaryIO, path: Path, keep: Sequence[str]) -> None:
    """A header and a line for each record; what is not text is written as JSON, what is missing is empty."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_header(keep))
    for record in records:
        writer.writerow([_cell(value) for value in _values(record, keep)])
    text.detach()


def write_parquet(records: Iterable[Record], file: BinaryIO, path: Path, keep: Sequence[str]) -> None:
    """A row for each record. A column of text, whole numbers, numbers or booleans alone has that type.

    Any other column is text, in which what is not text is JSON.
    """
    names = _header(keep)
    kinds: list[set[str]] = [set() for _ in names]
    longest = 0
    for record in records:
        values = [None if value is UNSET else value for value in _values(record, keep)]
        for kind, value in zip(kinds, values, strict=True):
            if value is not None:
                kind.add(_kind(value))
        line = _json({f"c{place}": value for place, value in enumerate(values)}) + b"\n"
        longest = max(longest, len(line))
        file.write(line)
    file.flush()
    _lines_to_parquet(path, names, kinds, longest)


def _lines_to_parquet(path: Path, names: Sequence[str], kinds: list[set[str]], longest: int) -> None:
    target = path.with_suffix(".parquet.tmp")
    columns = ", ".join(f"c{place}: 'JSON'" for place in range(len(names)))
    selected = ", ".join(
        f"CAST(c{place} ->> '$' AS {_type(kind)}) AS {quoted(name, chr(34))}"
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
    )
    bound = f"maximum_object_size = {max(longest + 1024, 1 << 20)}"
    source = f"read_json(?, format = 'newline_delimited', columns = {{{columns}}}, {bound})"
    try:
        with connect("writing Parquet", MachineError) as database:
            where = quoted(str(target), "'")
            copy = f"COPY (SELECT {selected} FROM {source}) TO {where} (FORMAT parquet)"  # noqa: S608 - quoted
            database.execute(copy, [pattern(path)])
        target.replace(path)
    finally:
        target.unlink(missing_ok=True)


def _id(record: Record) -> int | str:
    return record.n if record.id is None else record.id


def _header(keep: Sequence[str]) -> list[str]:
    return ["id", *keep, "output", "error_code", "error_message"]


def _values(record: Record, keep: Sequence[str]) -> list[Any]:
    kept = record.kept or {}
    output = record.output if record.error is None else UNSET
    error = record.error
    code, message = (error.code, error.message) if error else (UNSET, UNSET)
    return [_id(record), *(kept.get(name, UNSET) for name in keep), output, code, message]


def _cell(value: Any) -> str | int:
    if value is UNSET:
        return ""
    return value if isinstance(value, str) else _json(value).decode()


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "BIGINT" if -(2**63) <= value < 2**63 else "JSON"
    if isinstance(value, float):
        return "DOUBLE"
    return "VARCHAR" if isinstance(value, str) else "JSON"


def _type(kinds: set[str]) -> str:
    if kinds == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    return kinds.copy().pop() if len(kinds) == 1 and "JSON" not in kinds else "VARCHAR"
