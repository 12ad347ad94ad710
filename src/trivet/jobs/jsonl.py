"""Rows from JSON lines: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from trivet.errors import DataError
from trivet.jobs.lines import ReadLine, read_lines, too_long
from trivet.jobs.rows import Row, refuse_hopeless

DOCUMENT_STARTS = (b"[", b"{", b"[{")
"""First lines that no JSONL has. The rest of such a document may hold lines that are objects."""


def read_jsonl(readline: ReadLine, name: str, first: int = 0) -> Iterator[Row]:
    """The rows, numbered from `first`; of a key given twice the last counts. `DataError` if not JSONL."""
    rows = _rows(readline, name, first)
    return refuse_hopeless(rows, f"{name} was read as JSONL", f"; {_advice(name)}")


def _advice(name: str) -> str:
    return (
        "JSONL has one JSON object a line: name another format with --format, "
        f"or turn one JSON array into it with: jq -c '.[]' {name}"
    )


def _rows(readline: ReadLine, name: str, first: int) -> Iterator[Row]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    n = first
    for number, raw in read_lines(readline, name):
        if raw is None:
            yield Row(n=n, error=f"{name}:{number} {too_long()}", file=name, line=number)
        elif raw.isspace() or not raw:
            continue
        elif n == first and raw.strip() in DOCUMENT_STARTS:
            raise DataError(f"{name}:{number} begins a JSON document of several lines; {_advice(name)}")
        else:
            try:
                yield Row(n=n, data=decode(raw), file=name, line=number)
            except (ValueError, RecursionError) as error:
                yield Row(n=n, error=f"{name}:{number} {_reason(error)}", file=name, line=number)
        n += 1


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "is not valid UTF-8"
    if isinstance(error, RecursionError):
        return "is not readable JSON: nested too deeply"
    reason = str(error)
    if reason.startswith("Expected `object`, got"):
        return f"is not a JSON object but {reason.removeprefix('Expected `object`, got ')}".replace("`", "")
    return f"is not valid JSON: {reason.removeprefix('JSON is malformed: ')}"
