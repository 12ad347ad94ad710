"""The formats that are read line by line, their names, and which file is of which."""

from __future__ import annotations

from pathlib import Path

from trivet.errors import DataError
from trivet.jobs.csv_rows import read_csv
from trivet.jobs.jsonl import read_jsonl
from trivet.jobs.lines import ReadLine, read_lines
from trivet.jobs.rows import Table
from trivet.jobs.text_rows import COLUMN, read_text

EXTENSIONS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
    ".parquet": "parquet",
}
FORMATS = tuple(dict.fromkeys(EXTENSIONS.values()))


def checked_format(name: str) -> str:
    """The format a user named; `DataError` if there is none of that name."""
    if name not in FORMATS:
        raise DataError(f"there is no format {name!r}: --format takes {', '.join(FORMATS)}")
    return name


def format_of(path: Path, name: str) -> str:
    """The format that the file's extension says, a .gz after it left out; `DataError` if it says none."""
    packed = path.suffix.lower() == ".gz"
    extension = Path(path.stem if packed else path.name).suffix.lower()
    if extension == ".json":
        raise DataError(
            f"{name} holds one JSON document, which can't be read row by row: turn an array into JSONL with "
            f"jq -c '.[]' {name} > {path.with_suffix('.jsonl').name}, or say --format jsonl if it is JSONL"
        )
    found = EXTENSIONS.get(extension)
    if found is None or (packed and found == "parquet"):
        known = ", ".join(EXTENSIONS)
        raise DataError(f"{name} has no extension that says its format ({known}): say it with --format")
    return found


def read(format: str, readline: ReadLine, name: str, first: int = 0) -> Table:
    """The rows of a stream of lines, numbered from `first`; `DataError` if it can't be of that format."""
    match format:
        case "jsonl":
            return Table(None, read_jsonl(readline, name, first))
        case "text":
            return Table((COLUMN,), read_text(readline, name, first))
        case "csv" | "tsv":
            return read_csv(readline, name, first, delimiter="\t" if format == "tsv" else ",")
        case _:
            raise DataError(f"{name} can't be read as {format}: it is not a file")


def count_rows(format: str, readline: ReadLine, name: str) -> int:
    """How many rows the stream has, bad ones among them."""
    if format in ("csv", "tsv"):
        return sum(1 for _ in read(format, readline, name).rows)
    return sum(1 for _, raw in read_lines(readline, name) if raw is None or raw.strip())
