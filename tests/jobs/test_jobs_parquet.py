"""Rows from Parquet files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trivet.errors import DataError, MissingExtra
from trivet.jobs.sources import open_source

duckdb = pytest.importorskip("duckdb")


def parquet(path: Path, select: str) -> Path:
    with duckdb.connect() as database:
        database.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path


def test_values_are_what_json_can_hold(tmp_path: Path) -> None:
    select = """SELECT 1 AS i, 9223372036854775807 AS big, 0.5::DOUBLE AS d, 'nan'::DOUBLE AS nan, true AS t,
        'é😀' AS s, NULL::INTEGER AS n, DATE '2024-01-02' AS day, TIMESTAMP '2024-01-02 03:04:05.5' AS at,
        TIMESTAMPTZ '2024-01-02 03:04:05+02' AS zoned, TIMESTAMP 'infinity' AS never,
        1.10::DECIMAL(9,2) AS price,
        [1, 2] AS list, {'a': 1, 'b': DATE '2024-01-01'} AS struct, MAP {'k': 1.5::DOUBLE} AS map,
        '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID AS uuid, TIME '01:02:03' AS time,
        NULL::INTEGER[] AS none"""
    source = open_source(parquet(tmp_path / "t.parquet", select))
    (row,) = source
    assert row.data == {
        "i": 1,
        "big": 2**63 - 1,
        "d": 0.5,
        "nan": None,
        "t": True,
        "s": "é😀",
        "n": None,
        "day": "2024-01-02",
        "at": "2024-01-02T03:04:05.5",
        "zoned": "2024-01-02T01:04:05+00",
        "never": "infinity",
        "price": "1.10",
        "list": [1, 2],
        "struct": {"a": 1, "b": "2024-01-01"},
        "map": {"k": 1.5},
        "uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "time": "01:02:03",
        "none": None,
    }
    assert source.columns == tuple(row.data)


def test_rows_come_in_order_batch_after_batch_and_are_counted(tmp_path: Path) -> None:
    source = open_source(parquet(tmp_path / "t.parquet", "SELECT range AS i FROM range(5000)"))
    rows = list(source)
    assert [row.data for row in rows] == [{"i": n} for n in range(5000)]
    assert (rows[-1].n, rows[-1].line) == (4999, 5000)
    assert source.count() == 5000
    assert len(list(source)) == 5000


def test_columns_of_bytes_are_left_out_and_said(tmp_path: Path) -> None:
    source = open_source(parquet(tmp_path / "t.parquet", "SELECT 'x' AS text, 'ab'::BLOB AS image"))
    assert [row.data for row in source] == [{"text": "x"}]
    assert source.columns == ("text",)
    assert source.hint == "columns of bytes are left out: image"


def test_names_that_sql_or_a_glob_would_take_otherwise_are_names(tmp_path: Path) -> None:
    parquet(tmp_path / "ab.parquet", "SELECT 'neighbour' AS text")
    odd = parquet(tmp_path / "plain.parquet", 'SELECT \'mine\' AS "it\'s ""odd"""').rename(tmp_path / "a*.parquet")
    assert [row.data for row in open_source(odd)] == [{'it\'s "odd"': "mine"}]
    quote = parquet(tmp_path / "q.parquet", "SELECT 1 AS a").rename(tmp_path / "it's [1].parquet")
    assert [row.data for row in open_source(quote)] == [{"a": 1}]


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "t.parquet", "SELECT range AS i FROM range(5000)").read_bytes()
    for name, content in (("cut", whole[:-100]), ("text", b'{"a": 1}\n'), ("empty", b"")):
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"reading Parquet .*{name}.parquet.* failed"):
            open_source(path)


def test_damaged_pages_are_said_when_they_are_met(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", "SELECT md5(range::VARCHAR) AS i FROM range(5000)")
    content = bytearray(path.read_bytes())
    content[4:2000] = b"\xff" * 1996
    path.write_bytes(content)
    with pytest.raises(DataError, match="reading Parquet"):
        list(open_source(path))


def test_without_duckdb_the_line_that_installs_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path / "t.parquet", "SELECT 1 AS i")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtra, match=r"reading Parquet .* pip install 'trivet\[lab\]'"):
        open_source(path)
