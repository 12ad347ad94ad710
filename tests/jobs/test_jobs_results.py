"""Results: checked before any spend, in row order, in place all at once."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from trivet.errors import MachineError, MissingExtra, RunError
from trivet.jobs import results, runs
from trivet.jobs.ledger import Ledger
from trivet.jobs.runs import Manifest
from trivet.jobs.select import Selection
from trivet.records import Failure, Record

RECORDS = (
    Record(n=2, id="c", output={"a": 1}, kept={"lang": "de"}),
    Record(n=0, id="a", output='=1+1\n"é😀" שלום, ', kept={"lang": "en"}),
    Record(n=1, id="b", error=Failure(code="refused", message="no, thanks")),
    Record(n=3, output=None, kept={"lang": None}),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    folder = tmp_path / "run"
    folder.mkdir(0o700)
    who = runs.identity(
        task="t", variant="base", data="d", selection=Selection(), model="m", base_url="simulated", out=None
    )
    manifest = Manifest(
        run="run", identity=who, task="t", data="d", model="m", provider="simulated", version="0",
        task_digest="t", started_at=0.0,
    )  # fmt: skip
    runs.write_manifest(folder, manifest, 0.0)
    opened = Ledger.open(folder)
    for record in RECORDS:
        opened.append(record)
    yield opened
    opened.close()


def test_lines_of_json_are_in_row_order_with_output_or_error(ledger: Ledger) -> None:
    path = results.write(ledger, keep=("lang",))
    assert path == ledger.folder / "results.jsonl"
    assert path.read_text().splitlines() == [
        '{"id":"a","lang":"en","output":"=1+1\\n\\"é😀\\" שלום, "}',
        '{"id":"b","error":{"code":"refused","message":"no, thanks"}}',
        '{"id":"c","lang":"de","output":{"a":1}}',
        '{"id":3,"lang":null,"output":null}',
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_csv_holds_the_text_as_it_is_and_json_for_the_rest(ledger: Ledger, tmp_path: Path) -> None:
    path = results.write(ledger, tmp_path / "out.csv", keep=("lang", "none"))
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["id", "lang", "none", "output", "error_code", "error_message"],
            ["a", "en", "", '=1+1\n"é😀" שלום, ', "", ""],
            ["b", "", "", "", "refused", "no, thanks"],
            ["c", "de", "", '{"a":1}', "", ""],
            ["3", "null", "", "null", "", ""],
        ]


def test_parquet_holds_the_same(ledger: Ledger, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    results.write(ledger, tmp_path / "it's [1].parquet", keep=("lang",))
    assert duckdb.execute("SELECT * FROM read_parquet(?)", [str(tmp_path / "it's [[]1].parquet")]).fetchall() == [
        ("a", "en", '=1+1\n"é😀" שלום, ', None, None),
        ("b", None, None, "refused", "no, thanks"),
        ("c", "de", '{"a":1}', None, None),
        ("3", None, None, None, None),
    ]
    assert sorted(os.listdir(tmp_path)) == ["it's [1].parquet", "run"]


def test_a_column_of_one_type_has_that_type_in_parquet(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    ledger = Ledger.open(tmp_path)
    kept = {"i": 2**62, "f": 0.5, "b": True, "big": 2**70, "mixed": 1, "nul": "a\0b", "odd \"name'": "x"}
    ledger.append(Record(n=0, id=0, output=True, kept=kept))
    ledger.append(Record(n=1, id=1, output=False, kept=kept | {"f": 2, "mixed": "x", "i": None}))
    with results.machine_errors(tmp_path), (tmp_path / "t").open("wb") as file:
        results.write_parquet(ledger.ordered(), file, tmp_path / "t", list(kept))
    ledger.close()
    columns = duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(tmp_path / "t")]).fetchall()
    assert {name: kind for name, kind, *_ in columns} == {
        "id": "BIGINT", "i": "BIGINT", "f": "DOUBLE", "b": "BOOLEAN", "big": "VARCHAR", "mixed": "VARCHAR",
        "nul": "VARCHAR", "odd \"name'": "VARCHAR", "output": "BOOLEAN", "error_code": "VARCHAR",
        "error_message": "VARCHAR",
    }  # fmt: skip
    rows = duckdb.execute("SELECT * FROM read_parquet(?)", [str(tmp_path / "t")]).fetchall()
    assert rows[0] == (0, 2**62, 0.5, True, str(2**70), "1", "a\0b", "x", True, None, None)
    assert rows[1][:3] == (1, None, 2.0)


def test_results_of_a_run_without_rows_are_an_empty_file_with_its_columns(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    folder = tmp_path / "run"
    folder.mkdir()
    ledger = Ledger.open(folder)
    assert results.write(ledger).read_bytes() == b""
    with (tmp_path / "t").open("wb") as file:
        results.write_parquet(ledger.ordered(), file, tmp_path / "t", ())
    assert duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(tmp_path / "t")]).fetchall() == [(0,)]
    ledger.close()


def test_a_failed_write_leaves_the_old_file_and_no_litter(ledger: Ledger, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    runs.allow_replacing(ledger.folder, results.check_out(out, fresh=True) or "")
    with ledger.path.open("r+b") as file:  # damage met only while the results are written
        file.write(b"\xff" * 10)
    with pytest.raises(MachineError, match="damaged"):
        results.write(ledger, out)
    assert out.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["out.jsonl", "run"]


def test_a_link_keeps_pointing_to_the_file_that_is_written(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "deep" / "real.jsonl")
    results.write(ledger, tmp_path / "link.jsonl")
    assert (tmp_path / "link.jsonl").is_symlink()
    assert len((tmp_path / "deep" / "real.jsonl").read_text().splitlines()) == 4


def test_a_new_file_is_fine_and_its_folder_is_made(tmp_path: Path) -> None:
    assert results.check_out(tmp_path / "a" / "b" / "out.jsonl") is None
    assert os.listdir(tmp_path / "a" / "b") == []


def test_a_file_of_another_run_needs_fresh(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("{}\n")
    with pytest.raises(RunError, match=r"exists and is not of this run: .* --fresh"):
        results.check_out(out)
    assert results.check_out(out, fresh=True) is not None
    assert out.read_text() == "{}\n"


def test_the_file_of_the_same_command_before_is_called_so(ledger: Ledger, tmp_path: Path) -> None:
    out = results.write(ledger, tmp_path / "out.jsonl")
    last = runs.read_manifest(ledger.folder)
    with pytest.raises(RunError, match=rf"results of {last.run}, the same command's run, .* --fresh .* --retry-failed"):
        results.check_out(out, last=last)
    out.write_text("by hand")
    with pytest.raises(RunError, match="is not of this run"):
        results.check_out(out, last=last)


def test_the_file_that_this_run_wrote_may_be_replaced_until_somebody_changes_it(ledger: Ledger, tmp_path: Path) -> None:
    out = results.write(ledger, tmp_path / "out.jsonl")
    results.check_out(out, manifest=runs.read_manifest(ledger.folder))
    out.write_text(out.read_text() + json.dumps({"id": 9, "output": "by hand"}))
    with pytest.raises(RunError, match="is not of this run"):
        results.check_out(out, manifest=runs.read_manifest(ledger.folder))


def test_a_file_that_came_to_stand_there_during_the_run_is_not_overwritten(ledger: Ledger, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert results.check_out(out) is None
    out.write_text("of another run")
    with pytest.raises(RunError, match="written by another program since this run began"):
        results.write(ledger, out)
    assert out.read_text() == "of another run"
    out.unlink()
    assert results.write(ledger, out) == out


def test_what_can_be_no_results_file_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text("{}\n")
    (tmp_path / "link.jsonl").symlink_to(data)
    (tmp_path / "d.jsonl").mkdir()
    os.mkfifo(tmp_path / "p.jsonl")
    (tmp_path / "file").write_text("")
    for name, said in [
        ("out.xlsx", r"must end in \.jsonl, \.csv, \.parquet"),
        ("out", "must end in"),
        ("data.jsonl", "is what the run reads"),
        ("link.jsonl", "is what the run reads"),
        ("d.jsonl", "is a folder"),
        ("p.jsonl", "is not a regular file"),
        ("file/out.jsonl", "can't be written"),
        ("x" * 300 + ".jsonl", "can't be written"),
    ]:
        with pytest.raises(RunError, match=said):
            results.check_out(tmp_path / name, fresh=True, inputs=[data])
    with pytest.raises(RunError, match="can't be written"):
        results.check_out(Path("/proc/none/out.jsonl"))


def test_parquet_without_duckdb_is_said_before_any_spend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtra, match="writing Parquet"):
        results.check_out(tmp_path / "out.parquet")
