"""Standard input is kept as it is read, and a resumed run is held to what was kept."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from trivet.errors import DataError
from trivet.jobs.rows import Row
from trivet.jobs.select import Selection, select
from trivet.jobs.stdin import StandardInput

LINES = b'{"a":0}\n\n{"a":1}\nbad\n{"a":"\xc3\xa9"}\n'


def rows_of(content: bytes, folder: Path | None, format: str = "jsonl") -> Iterator[Row]:
    source = StandardInput(io.BytesIO(content), format)
    if folder is not None:
        source.keep_in(folder)
    return iter(source)


def stop_after(rows: int, folder: Path) -> None:
    """What a run that dies after so many rows leaves."""
    reading = rows_of(LINES, folder)
    list(islice(reading, rows))
    del reading


def test_rows_are_read_and_kept_byte_for_byte_private_to_the_user(tmp_path: Path) -> None:
    rows = list(rows_of(LINES, tmp_path))
    assert [row.data for row in rows] == [{"a": 0}, {"a": 1}, None, {"a": "é"}]
    assert rows[2].error is not None
    assert rows[2].error.startswith("standard input:4 ")
    kept = tmp_path / "input.jsonl"
    assert kept.read_bytes() == LINES
    assert kept.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["input.jsonl"]


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    assert len(list(rows_of(LINES, None))) == 4


def test_each_line_is_on_disk_before_its_row_is_handed_out(tmp_path: Path) -> None:
    reading = rows_of(LINES, tmp_path)
    next(reading)
    assert (tmp_path / "input.jsonl.part").read_bytes() == b'{"a":0}\n'


@pytest.mark.parametrize("stopped", [1, 2, 3, 4])
def test_a_resumed_run_reads_the_same_rows_from_the_same_input(tmp_path: Path, stopped: int) -> None:
    stop_after(stopped, tmp_path)
    assert [row.data for row in rows_of(LINES, tmp_path)] == [{"a": 0}, {"a": 1}, None, {"a": "é"}]
    assert (tmp_path / "input.jsonl").read_bytes() == LINES


def test_a_line_torn_by_the_crash_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "input.jsonl.part").write_bytes(b'{"a":0}\n\n{"a"')
    assert len(list(rows_of(LINES, tmp_path))) == 4
    assert (tmp_path / "input.jsonl").read_bytes() == LINES


@pytest.mark.parametrize("stopped", [2, 9])
def test_other_input_than_was_kept_is_refused_with_its_line(tmp_path: Path, stopped: int) -> None:
    stop_after(stopped, tmp_path)
    other = LINES.replace(b'{"a":1}', b'{"a":2}')
    with pytest.raises(DataError, match=r"differs from what the interrupted run read at line 3: .*--fresh"):
        list(rows_of(other, tmp_path))


def test_shorter_and_longer_input_than_was_kept_is_refused(tmp_path: Path) -> None:
    list(rows_of(LINES, tmp_path))
    with pytest.raises(DataError, match="at line 2"):
        list(rows_of(b'{"a":0}\n', tmp_path))
    with pytest.raises(DataError, match="at line 6"):
        list(rows_of(LINES + b"{}\n", tmp_path))


def test_a_complete_copy_stands_in_for_no_input(tmp_path: Path) -> None:
    list(rows_of(LINES, tmp_path))
    assert len(list(rows_of(b"", tmp_path))) == 4


def test_a_copy_that_was_cut_off_does_not_stand_in_for_no_input(tmp_path: Path) -> None:
    stop_after(2, tmp_path)
    with pytest.raises(DataError, match="had not read all of standard input, and now there is none"):
        list(rows_of(b"", tmp_path))


def test_a_last_line_without_its_end_is_the_same_line_again(tmp_path: Path) -> None:
    list(rows_of(b"{}\n{}", tmp_path))
    assert len(list(rows_of(b"{}\n{}", tmp_path))) == 2


def test_a_selection_of_it_keeps_all_that_was_read(tmp_path: Path) -> None:
    selected = select(StandardInput(io.BytesIO(LINES)), Selection(shard=(2, 2)))
    selected.keep_in(tmp_path)
    assert [row.n for row in selected] == [1, 3]
    assert (tmp_path / "input.jsonl").read_bytes() == LINES


def test_csv_is_kept_as_csv_and_parquet_is_refused(tmp_path: Path) -> None:
    assert [row.data for row in rows_of(b"a\n1\n", tmp_path, "csv")] == [{"a": "1"}]
    assert (tmp_path / "input.csv").read_bytes() == b"a\n1\n"
    with pytest.raises(DataError, match="save it to a file"):
        StandardInput(io.BytesIO(), "parquet")


def test_input_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="standard input was read as JSONL"):
        list(rows_of(b"a,b\n1,2\n3,4\n", tmp_path))


def test_a_pipe_is_read_line_by_line_as_it_comes(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as stream, open(writer, "wb", buffering=0) as pipe:
        rows = iter(StandardInput(stream))
        pipe.write(b'{"a":0}\n')
        assert next(rows).data == {"a": 0}
        pipe.write(b'{"a":1}\n')
        assert next(rows).data == {"a": 1}
