"""The ledger keeps what was paid for, whatever happens to the process, the disk or the file."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import MachineError, RunError
from trivet.jobs.ledger import Ledger, read_records
from trivet.jobs.record_lines import encoded
from trivet.jobs.rowset import RowSet
from trivet.records import Failure, Record
from trivet.types import Attempt, Usage


def ok(n: int, output: Any = "billing", **fields: Any) -> Record:
    return Record(n=n, id=n, output=output, source="provider", model="m", **fields)


def failed(n: int, code: str = "invalid_output") -> Record:
    return Record(n=n, id=n, error=Failure(code=code, message="no"), source="provider", model="m")


def written(folder: Path, *records: Record) -> Path:
    ledger = Ledger.open(folder)
    for record in records:
        ledger.append(record)
    ledger.close()
    return ledger.path


FULL = Record(
    n=3,
    id="k",
    output={"a": [1, None, 1.5, "é😀\n"]},
    kept={"x": 1},
    source="provider",
    model="m",
    tier="default",
    usage=Usage(input=7, output=2),
    cost=Decimal("0.00001050"),
    latency=0.25,
    attempts=(
        Attempt(latency=0.2, status=429, error="rate_limit_exceeded"),
        Attempt(latency=0.25, status=200, usage=Usage(input=7), cost=Decimal("0.0000105")),
    ),
    at=1790000000.5,
)


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    records = [FULL, failed(0), ok(1, None), ok(2, ""), Record(n=4, error=Failure(code="x", message=""), cost=None)]
    written(tmp_path, *records)
    assert list(read_records(tmp_path)) == records


@given(st.recursive(st.none() | st.text() | st.integers() | st.booleans(), st.lists))
def test_any_output_survives(output: Any) -> None:
    line = encoded(ok(1, output))
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]


def test_what_json_can_not_hold_does_not_lose_the_record(tmp_path: Path) -> None:
    written(tmp_path, ok(0, "half \ud83d", kept={"x\udc80": object(), "y": {1, 2}}))
    (record,) = read_records(tmp_path)
    assert record.output == "half ?"
    assert record.kept is not None
    assert record.kept["y"] == [1, 2]
    assert record.kept["x?"].startswith("<object")


def test_a_record_can_be_read_by_others_as_soon_as_append_returns(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    ledger.append(ok(0))
    assert list(read_records(tmp_path)) == [ok(0)]
    assert ledger.path.stat().st_mode & 0o777 == 0o600
    ledger.close()
    ledger.close()


def test_done_and_failed_follow_the_last_record_of_each_row(tmp_path: Path) -> None:
    written(tmp_path, ok(5), failed(2), failed(9), ok(2))
    ledger = Ledger.open(tmp_path)
    assert list(ledger.done) == [2, 5, 9]
    assert list(ledger.failed) == [9]
    ledger.append(ok(9))
    assert 9 not in ledger.failed
    ledger.close()


def test_ordered_gives_the_last_record_of_each_row_and_replaced_the_others(tmp_path: Path) -> None:
    written(tmp_path, ok(5), failed(2), ok(0), failed(9), failed(9, "refused"), ok(2))
    ledger = Ledger.open(tmp_path)
    assert list(ledger.ordered()) == [ok(0), ok(2), ok(5), failed(9, "refused")]
    assert list(ledger.replaced()) == [failed(2), failed(9)]
    assert list(ledger.records()) == [ok(5), failed(2), ok(0), failed(9), failed(9, "refused"), ok(2)]
    ledger.close()


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=60), st.integers(1, 5000))
def test_ordered_is_what_a_dict_would_say(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, bool]], size: int
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    records = [ok(n, "x" * size * (n % 3)) if good else failed(n) for n, good in writes]
    written(folder, *records)
    ledger = Ledger.open(folder)
    latest = {record.n: record for record in records}
    assert list(ledger.ordered()) == [latest[n] for n in sorted(latest)]
    assert len(list(ledger.replaced())) == len(records) - len(latest)
    ledger.close()


def test_a_torn_last_line_goes_and_its_row_is_not_done(tmp_path: Path) -> None:
    path = written(tmp_path, ok(0), ok(1), ok(2))
    whole = path.read_bytes()
    end = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(end + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        ledger = Ledger.open(tmp_path)
        assert list(ledger.done) == [0, 1]
        ledger.append(ok(2))
        ledger.close()
        assert path.read_bytes() == whole
    path.write_bytes(whole[:-1])
    ledger = Ledger.open(tmp_path)
    assert list(ledger.done) == [0, 1, 2]
    ledger.append(ok(3))
    ledger.close()
    assert list(read_records(tmp_path)) == [ok(0), ok(1), ok(2), ok(3)]


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00" * 50,
        b'{"n": 1, "id"',
        b'{"n":1,"id":1,"output":"\xff"}',
        b"[]",
        b'{"n":-1}',
        b'{"n":1000000000000000}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_is_a_row_without_a_record(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, ok(0))
    line = path.read_bytes()
    path.write_bytes(line + damage + b"\n" + line.replace(b":0", b":2"))
    ledger = Ledger.open(tmp_path)
    assert list(ledger.done) == [0, 2]
    assert ledger.damaged == 1
    assert f"ledger.jsonl is damaged at byte {len(line)}" in caplog.text
    assert [record.n for record in ledger.ordered()] == [0, 2]
    assert list(ledger.replaced()) == []
    ledger.close()


def test_a_line_that_is_json_and_no_record_does_not_replace_the_row_it_names(tmp_path: Path) -> None:
    path = written(tmp_path, ok(0), ok(1))
    path.write_bytes(path.read_bytes() + b'{"n":0,"attempts":7}\n')
    ledger = Ledger.open(tmp_path)
    assert list(ledger.ordered()) == [ok(0), ok(1)]
    ledger.close()


def test_a_record_that_the_disk_loses_under_way_is_no_other_rows_record(tmp_path: Path) -> None:
    path = written(tmp_path, ok(0), ok(1), ok(2))
    ledger = Ledger.open(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    with path.open("r+b") as file:
        file.seek(len(lines[0]))
        file.write(b"\0" * (len(lines[1]) - 1))
    with pytest.raises(MachineError, match="was damaged after it was opened"):
        list(ledger.ordered())
    ledger.close()


def test_a_second_process_is_told_who_has_the_run(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    with pytest.raises(RunError, match="is being run by another process: wait for it, or stop it"):
        Ledger.open(tmp_path)
    ledger.close()
    Ledger.open(tmp_path).close()


def test_a_full_disk_is_one_sentence_and_leaves_whole_lines(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the write is cut short in the same way."""
    code = """
import resource, signal, sys
from pathlib import Path
from trivet.errors import MachineError
from trivet.jobs.ledger import Ledger
from trivet.records import Record
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger = Ledger.open(Path(sys.argv[1]))
for n in range(10):
    ledger.append(Record(n=n, output="x" * 50))
size = ledger.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, size + 30))
try:
    ledger.append(Record(n=10, output="x" * 50))
except MachineError as error:
    print(error)
print(10 in ledger.done, ledger.path.stat().st_size == size)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=20, check=True
    )
    assert run.stdout.splitlines() == [
        f"{tmp_path}/ledger.jsonl can't be written: File too large; what was written before is safe, "
        "and the same command resumes",
        "False True",
    ]


def test_a_killed_process_loses_no_record_that_append_returned_for(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from trivet.jobs.ledger import Ledger
from trivet.records import Record
ledger = Ledger.open(Path(sys.argv[1]))
for n in range(10**9):
    ledger.append(Record(n=n, output="x" * (n % 4000)))
    print(n, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "500\n":
                process.send_signal(signal.SIGKILL)
                break
        last = int(([line, *process.stdout.read().split()])[-1])
    ledger = Ledger.open(tmp_path)
    assert set(range(last + 1)) <= set(ledger.done)
    assert ledger.damaged == 0
    ledger.close()


def test_what_can_not_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").mkdir()
    with pytest.raises(MachineError, match=r"ledger\.jsonl can't be written: Is a directory"):
        Ledger.open(tmp_path)
    with pytest.raises(MachineError, match="No such file"):
        Ledger.open(tmp_path / "none")


def test_a_refused_ledger_keeps_no_file_open(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        with pytest.raises(RunError):
            Ledger.open(tmp_path)
    assert len(os.listdir("/dev/fd")) == before
    ledger.close()


@pytest.mark.soak
def test_a_million_rows_take_little_memory(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for n in range(1_000_000):
        ledger.append(ok(n))
    assert sum(1 for _ in ledger.ordered()) == 1_000_000
    ledger.close()
    unit = 1 if sys.platform == "darwin" else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * unit < 60_000_000


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300))))
def test_a_row_set_is_a_set(steps: list[tuple[bool, int]]) -> None:
    rows, control = RowSet(), set[int]()
    for put, n in steps:
        (rows.add if put else rows.discard)(n)
        (control.add if put else control.discard)(n)
        assert (n in rows) == (n in control)
    assert list(rows) == sorted(control)
    assert len(rows) == len(control)
    assert all(n < rows.bound for n in control)
