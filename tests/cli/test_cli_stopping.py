"""A run that can't go on stops in order: one message, the right exit code, and nothing written is lost."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trivet import sim

TASK = Path(__file__).parent.parent.parent / "examples" / "triage" / "triage.toml"


def write_rows(folder: Path, rows: int) -> None:
    lines = [json.dumps({"ticket": f"please refund payment number {n}"}) for n in range(rows)]
    (folder / "rows.jsonl").write_text("\n".join(lines))


def records(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in next(folder.glob("runs/*/ledger.jsonl")).read_text().splitlines()]


def command(url: str, *more: str) -> list[str]:
    return ["run", str(TASK), "rows.jsonl", "--base-url", url, "--json", "-o", "out.jsonl", *more]


def start(folder: Path, url: str, *more: str, limit: int | None = None) -> subprocess.Popen[bytes]:
    """The run as a process of its own; `limit`: bytes that any of its files may have."""

    def bounded() -> None:
        assert limit is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "trivet", *command(url, "--concurrency", "8", *more)],
        cwd=folder,
        env=os.environ | {"OPENAI_API_KEY": "any"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=None if limit is None else bounded,
    )


def wait_for_records(process: subprocess.Popen[bytes], folder: Path, least: int) -> None:
    """Until so many records are on disk."""
    for _ in range(3000):
        ledgers = list(folder.glob("runs/*/ledger.jsonl"))
        if ledgers and ledgers[0].read_bytes().count(b"\n") >= least:
            return
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"no records came: {process.communicate()}")


def test_fifty_rows_that_fail_alike_stop_the_run_with_their_one_message(trivet, scripted, answer, tmp_path) -> None:
    """Exit 4, the message once, the rows recorded; --retry-failed mends them once the cause is gone."""
    write_rows(tmp_path, 400)
    broken = True
    server = scripted(200, lambda body: answer("nonsense" if broken else "billing"))
    ended = trivet(*command(server.url, "--concurrency", "4", "--cache", "off"))
    assert ended.code == 4, (ended.out, ended.err)
    assert ended.err.count("rows in a row failed alike") == 1
    assert "nonsense" in ended.err
    assert "--keep-going" in ended.err
    assert ended.document["interrupted"] is True
    assert 50 <= ended.document["failed"] == ended.document["rows"] <= 50 + 8
    assert len(records(tmp_path)) == ended.document["rows"]
    broken = False
    again = trivet(*command(server.url, "--concurrency", "4", "--cache", "off", "--retry-failed"))
    assert again.code == 0, again.err
    assert (again.document["rows"], again.document["ok"]) == (400, 400)


def test_keep_going_goes_on(trivet, scripted, answer, tmp_path: Path) -> None:
    """Every row is asked, and each has its reason."""
    write_rows(tmp_path, 120)
    server = scripted(200, answer("nonsense"))
    ended = trivet(*command(server.url, "--cache", "off", "--keep-going"))
    assert ended.code == 1, ended.err
    assert (ended.document["rows"], ended.document["failed"]) == (120, 120)


def test_a_run_whose_every_row_failed_is_over_all_the_same(trivet, scripted, answer, tmp_path: Path) -> None:
    """With exactly fifty rows nothing is left to be spared, so nothing was interrupted."""
    write_rows(tmp_path, 50)
    ended = trivet(*command(scripted(200, answer("nonsense")).url, "--cache", "off"))
    assert ended.code == 1, ended.err
    assert ended.document["interrupted"] is False


def test_lines_that_can_not_be_read_do_not_stop_a_run(trivet, simulator: sim.Simulator, tmp_path: Path) -> None:
    """A stretch of broken lines is a stretch of bad rows: each says where it is, and the run goes on."""
    good = [json.dumps({"ticket": f"refund {n}"}) for n in range(20)]
    (tmp_path / "rows.jsonl").write_text("\n".join([*good, *["{broken"] * 100, *good]))
    ended = trivet(*command(simulator.url, "--cache", "off"))
    assert ended.code == 1, ended.err
    assert (ended.document["ok"], ended.document["failures"]) == (40, {"bad_row": 100})


def test_an_account_that_is_refused_stops_the_run_at_once(trivet, tmp_path: Path) -> None:
    """A spent quota is one message and exit 4, not a failure of each row; nothing counts as billed."""
    write_rows(tmp_path, 500)
    with sim.start(sim.Scenario(time_scale=0.0, faults=sim.Faults(quota=1.0))) as server:
        ended = trivet(*command(server.url, "--concurrency", "8", "--cache", "off"))
        assert ended.code == 4, ended.err
        # Two workers a permit, and none of them asks twice: what it hears stops the run before it takes another row.
        assert int(server.books()["requests"]) <= 2 * 8
    assert (ended.document["rows"], ended.document["possibly_billed"]) == (0, 0)


def test_a_second_ctrl_c_leaves_at_once_and_loses_nothing_that_was_written(tmp_path: Path) -> None:
    """The first waits for calls that take long; the second does not; both records and word of the calls stay."""
    write_rows(tmp_path, 200)
    slow = sim.Latency(ttft=0.2, spread=0.0)
    with sim.start(sim.Scenario(latency=slow, faults=sim.Faults(hang=0.2))) as server:
        process = start(tmp_path, server.url, "--cache", "off")
        wait_for_records(process, tmp_path, 10)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        written = records(tmp_path)
        process.send_signal(signal.SIGINT)
        assert process.wait(2.0) == 130
        process.communicate()
    assert records(tmp_path)[: len(written)] == written


def test_a_full_disk_stops_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """Exit 4 and one sentence; with room again, every row has its result once."""
    write_rows(tmp_path, 300)
    with sim.start(sim.Scenario(time_scale=0.05)) as server:
        process = start(tmp_path, server.url, "--cache", "off", limit=40_000)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 4, (out, err)
        assert b"can't be written" in err + out
        assert b"Traceback" not in err
        kept = records(tmp_path)
        assert 0 < len(kept) < 300
        process = start(tmp_path, server.url, "--cache", "off")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert sorted(int(str(record["n"])) for record in records(tmp_path)) == list(range(300))
    assert records(tmp_path)[: len(kept)] == kept
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 300
