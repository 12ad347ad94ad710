"""Files named by the user become rows, or one sentence that says why not."""

from __future__ import annotations

import gzip
import io
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import DataError
from trivet.jobs.jsonl import read_jsonl
from trivet.jobs.lines import MAX_LINE
from trivet.jobs.sources import Row, Source, open_source


def source_of(folder: Path, name: str, content: bytes | str, **options: Any) -> Source:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(path, **options)


def data_of(rows: list[Row]) -> list[dict[str, Any] | None]:
    return [row.data for row in rows]


def test_jsonl_rows_are_numbered_from_0_and_know_their_line_past_blank_ones(tmp_path: Path) -> None:
    rows = list(source_of(tmp_path, "t.jsonl", '{"a":1}\n\n  \n{"a":2}\r\n{"a":"é😀שלום"}'))
    assert [(row.n, row.line) for row in rows] == [(0, 1), (1, 4), (2, 5)]
    assert data_of(rows) == [{"a": 1}, {"a": 2}, {"a": "é😀שלום"}]
    assert rows[1].place == f"{tmp_path}/t.jsonl:4"


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    assert data_of(list(source_of(tmp_path, "t.jsonl", b'\xef\xbb\xbf{"a":1}\n'))) == [{"a": 1}]
    assert data_of(list(source_of(tmp_path, "t.csv", b"\xef\xbb\xbfa,b\n1,2\n"))) == [{"a": "1", "b": "2"}]
    assert data_of(list(source_of(tmp_path, "t.txt", b"\xef\xbb\xbfx\n"))) == [{"text": "x"}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"[1, 2]", "is not a JSON object but array"),
        (b"7", "is not a JSON object but int"),
        (b"null", "is not a JSON object but null"),
        (b'{"a": 1', "is not valid JSON: Input data was truncated"),
        (b"{'a': 1}", "is not valid JSON: object keys must be strings"),
        (b'{"a": NaN}', "is not valid JSON"),
        (b'{"a": "\xff"}', "is not valid UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "is not valid UTF-8"),
        (b'{"a": "\\ud800"}', "is not valid JSON"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1},', "trailing characters"),
        (b'{"a": "\x00"}', "is not valid JSON"),
    ],
)
def test_a_bad_line_is_a_bad_row_with_its_place_and_the_rest_is_read(tmp_path: Path, line: bytes, said: str) -> None:
    rows = list(source_of(tmp_path, "t.jsonl", b'{"a":0}\n' + line + b'\n{"a":2}\n'))
    assert data_of(rows) == [{"a": 0}, None, {"a": 2}]
    assert rows[1].n == 1
    assert rows[1].error is not None
    assert rows[1].error.startswith(f"{tmp_path}/t.jsonl:2 ")
    assert said in rows[1].error


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers(-(2**70), 2**70) | st.none()), min_size=1))
def test_whatever_json_writes_is_read_back(items: list[dict[str, Any]]) -> None:
    for ascii_only in (True, False):
        lines = "".join(json.dumps(item, ensure_ascii=ascii_only) + "\n" for item in items)
        read = read_jsonl(io.BytesIO(lines.encode("utf-8", "replace")).readline, "x")
        assert [row.data for row in read] == items


@given(st.binary(max_size=300))
def test_no_bytes_at_all_break_a_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("t.jsonl", "t.csv", "t.tsv", "t.txt"):
        try:
            source = source_of(folder, name, content)
        except DataError as error:
            assert name in str(error)
            continue
        rows = list(source)
        assert [row.n for row in rows] == list(range(len(rows)))
        assert all((row.data is None) != (row.error is None) for row in rows)
        assert source.count() == len(rows)


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.txt"])
@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x00" + bytes(range(256)) * 20,
        b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(range(256)) * 20,
        b"SQLite format 3\x00\x10\x00\x02\x02" + bytes(4000),
        gzip.compress(b'{"a": 1}\n' * 1000),
        '{"a": 1}\n'.encode("utf-16"),
        '{"a": 1}\n'.encode("utf-16-le"),
    ],
    ids=["png", "zip", "sqlite", "gzip", "utf-16", "utf-16 without mark"],
)
def test_a_file_of_another_kind_is_refused_before_any_row(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(DataError, match=name):
        source_of(tmp_path, name, content)


def test_one_good_row_among_the_first_five_is_enough(tmp_path: Path) -> None:
    rows = list(source_of(tmp_path, "t.jsonl", "x\nx\nx\nx\n{}\nx\n"))
    assert [row.data for row in rows] == [None, None, None, None, {}, None]
    with pytest.raises(DataError, match=r"none of its first rows can be read: .*:1 is not valid JSON"):
        source_of(tmp_path, "t.jsonl", "x\nx\nx\nx\nx\n{}\n")


def test_a_json_array_is_refused_with_the_line_that_turns_it_into_jsonl(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"jq -c '\.\[\]' .*t\.json > t\.jsonl"):
        source_of(tmp_path, "t.json", "[{}]")
    with pytest.raises(DataError, match=r"jq -c '\.\[\]'"):
        source_of(tmp_path, "t.jsonl", '[\n{"a": 1},\n{"a": 2}\n]\n')


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.tsv", "t.txt", "t.jsonl.gz"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    source = source_of(tmp_path, name, gzip.compress(b"") if name.endswith("gz") else b"")
    assert list(source) == []
    assert source.count() == 0


def test_text_is_a_row_a_line_with_its_spaces(tmp_path: Path) -> None:
    source = source_of(tmp_path, "t.txt", b"  one \r\n\n\ttwo\nbad \xff\nthree\x0cfour")
    rows = list(source)
    assert source.columns == ("text",)
    assert data_of(rows) == [{"text": "  one "}, {"text": "\ttwo"}, None, {"text": "three\x0cfour"}]
    assert rows[2].error == f"{tmp_path}/t.txt:4 is not valid UTF-8"


def test_packed_files_are_read_and_broken_packing_is_said(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"a":1}\n{"a":2}\n')
    source = source_of(tmp_path, "t.jsonl.gz", packed)
    assert data_of(list(source)) == [{"a": 1}, {"a": 2}]
    assert source.count() == 2
    with pytest.raises(DataError, match="is not a whole gzip file"):
        source_of(tmp_path, "u.jsonl.gz", packed[:-12])
    with pytest.raises(DataError, match="is not a whole gzip file"):
        source_of(tmp_path, "v.jsonl.gz", b'{"a":1}\n')


def test_a_missing_file_names_its_near_misses(tmp_path: Path) -> None:
    (tmp_path / "tickets.jsonl").touch()
    with pytest.raises(DataError, match=r"there is no file .*tikets\.jsonl; did you mean .*tickets\.jsonl\?"):
        open_source(tmp_path / "tikets.jsonl")
    with pytest.raises(DataError, match="there is no folder"):
        open_source(tmp_path / "none" / "tickets.jsonl")


def test_what_is_no_readable_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").mkdir()
    with pytest.raises(DataError, match="is a folder: name a file in it"):
        open_source(tmp_path / "d.jsonl")
    os.mkfifo(tmp_path / "p.jsonl")
    with pytest.raises(DataError, match="is not a regular file: pipe it in"):
        open_source(tmp_path / "p.jsonl")
    (tmp_path / "loop.jsonl").symlink_to(tmp_path / "loop.jsonl")
    for name in ("loop.jsonl", "x" * 300 + ".jsonl", "nul\0.jsonl"):
        with pytest.raises(DataError):
            open_source(str(tmp_path / name))
    with pytest.raises(DataError):
        open_source("")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("{}\n")
    path.chmod(0)
    with pytest.raises(DataError, match="can't be read: Permission denied"):
        open_source(path)


def test_an_unknown_extension_names_those_that_are_known_and_the_option(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.jsonl.*\.parquet.*--format"):
        source_of(tmp_path, "t.dat", '{"a":1}\n')
    assert data_of(list(open_source(tmp_path / "t.dat", format="jsonl"))) == [{"a": 1}]
    with pytest.raises(DataError, match="there is no format 'xml': --format takes jsonl, csv"):
        open_source(tmp_path / "t.dat", format="xml")


def test_a_glob_reads_its_files_in_order_and_numbers_on(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("a\n3\n")
    (tmp_path / "a.jsonl").write_text('{"a":1}\nbad\n')
    (tmp_path / "sub.csv").mkdir()
    source = open_source(f"{tmp_path}/*")
    rows = list(source)
    assert [(row.n, row.data) for row in rows] == [(0, {"a": 1}), (1, None), (2, {"a": "3"})]
    assert rows[1].error is not None
    assert rows[1].error.startswith(f"{tmp_path}/a.jsonl:2 ")
    assert source.columns is None
    assert source.count() == 3
    assert source.paths == (tmp_path / "a.jsonl", tmp_path / "b.csv")
    with pytest.raises(DataError, match="no file matches"):
        open_source(f"{tmp_path}/*.parquet")


def test_a_file_whose_name_has_brackets_is_that_file(tmp_path: Path) -> None:
    assert data_of(list(source_of(tmp_path, "t[1].jsonl", '{"a":1}'))) == [{"a": 1}]


def test_the_columns_of_several_tables_are_those_they_share(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text,x\n1,2,3\n")
    (tmp_path / "b.csv").write_text("text,id\n1,2\n")
    assert open_source(f"{tmp_path}/*.csv").columns == ("id", "text")


def test_the_fingerprint_changes_with_any_byte_and_not_with_the_name(tmp_path: Path) -> None:
    one = source_of(tmp_path, "a.jsonl", '{"a":1}\n').fingerprint()
    assert one == source_of(tmp_path, "b.jsonl", '{"a":1}\n').fingerprint()
    assert one != source_of(tmp_path, "c.jsonl", '{"a":2}\n').fingerprint()
    both = open_source(f"{tmp_path}/*.jsonl").fingerprint()
    assert both not in (None, one)


def test_a_source_can_be_read_again(tmp_path: Path) -> None:
    source = source_of(tmp_path, "t.jsonl", '{"a":1}\n{"a":2}\n')
    first = iter(source)
    next(first)
    assert len(list(source)) == 2
    assert len(list(first)) == 1


def test_a_line_of_50_mb_is_a_row(tmp_path: Path) -> None:
    text = "x" * (50 * 1024 * 1024)
    (row,) = source_of(tmp_path, "t.jsonl", b'{"a":"' + text.encode() + b'"}\n')
    assert row.data == {"a": text}


def test_a_line_over_the_bound_is_a_bad_row_that_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with path.open("wb") as file:
        file.write(b'{"a":0}\n{"a":"')
        file.seek(4 * MAX_LINE, os.SEEK_CUR)  # a hole: the disk does not pay for it
        file.write(b'"}\n{"a":2}\n')
    tracemalloc.start()
    rows = list(open_source(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert data_of(rows) == [{"a": 0}, None, {"a": 2}]
    assert rows[1].error == f"{path}:2 is longer than 64 MB"
    assert peak < 3 * MAX_LINE


def test_memory_stays_flat_over_many_rows(tmp_path: Path) -> None:
    source = source_of(tmp_path, "t.jsonl", '{"text": "some words of a ticket"}\n' * 100_000)
    tracemalloc.start()
    assert sum(1 for _ in source) == 100_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 1024 * 1024


def test_standard_input_must_be_given() -> None:
    with pytest.raises(DataError, match="there is no standard input"):
        open_source("-")
