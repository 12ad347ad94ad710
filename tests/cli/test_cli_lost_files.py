"""A disk that fills up and files that go away under a run: it stops in order, and the same command goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from trivet import sim

TASK = Path(__file__).parent.parent.parent / "examples" / "triage" / "triage.toml"
ROWS = 300


@pytest.fixture
def server() -> Iterator[sim.Simulator]:
    """A provider at which 300 rows, eight at a time, take seconds, however fast the machine."""
    with sim.start(sim.Scenario(time_scale=0.3)) as simulator:
        yield simulator


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system, with room for all that 300 rows leave."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], capture_output=True, check=False)


def fill(disk: Path) -> None:
    """Leave no byte."""
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (65536, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)


def requests_of(server: sim.Simulator) -> int:
    return int(server.books()["requests"])  # type: ignore[call-overload]


class Ended:
    """How a run ended: its exit code, its document, what it said beside it."""

    def __init__(self, folder: Path, url: str, *more: str, after: int = 0, then: Callable[[], object] | None = None):
        (folder / "rows.jsonl").write_text("".join(json.dumps({"ticket": f"refund {n}"}) + "\n" for n in range(ROWS)))
        command = [sys.executable, "-m", "trivet", "run", str(TASK), "rows.jsonl", "--base-url", url, "--json"]
        process = subprocess.Popen(
            [*command, "--concurrency", "8", *more],
            cwd=folder,
            env=os.environ | {"OPENAI_API_KEY": "any"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if then is not None:
            self._wait(process, folder, after)
            then()
        out, err = process.communicate(timeout=120)
        self.code, self.err = process.returncode, err.decode()
        self.document = json.loads(out)
        assert "Traceback" not in self.err
        assert "Logging error" not in self.err

    def _wait(self, process: subprocess.Popen[bytes], folder: Path, least: int) -> None:
        while process.poll() is None:
            ledgers = list(folder.glob("runs/*/ledger.jsonl"))
            if ledgers and ledgers[0].read_bytes().count(b"\n") >= least:
                return
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        raise AssertionError(f"no records came: {process.communicate()}")


@pytest.mark.parametrize("what", ["runs", "results", "cache", "log"])
def test_a_full_disk_stops_the_run_and_with_room_it_goes_on(
    tmp_path: Path, small_disk: Path, server: sim.Simulator, what: str
) -> None:
    """Whatever lies on that disk: exit 4, one error with its file and a way out; then each row has one record."""
    (small_disk / "runs").mkdir()
    if what == "runs":
        (tmp_path / "runs").symlink_to(small_disk / "runs")
    cache = f"sqlite:///{small_disk}/cache.db" if what == "cache" else "off"
    out = small_disk / "out.jsonl" if what == "results" else tmp_path / "out.jsonl"
    log = (small_disk if what == "log" else tmp_path) / "log.jsonl"
    arguments = (server.url, "--cache", cache, "-o", str(out), "--log", str(log))
    ended = Ended(tmp_path, *arguments, after=20, then=lambda: fill(small_disk))
    assert ended.code == 4, (ended.document, ended.err)
    error = ended.document["error"]
    assert error["code"] == "machine"
    assert str(small_disk) in error["message"] or "runs/" in error["message"]
    assert "resumes" in error["message"] or "make room" in error["message"]
    (small_disk / "filler").unlink()
    again = Ended(tmp_path, *arguments)
    assert (again.code, again.document["rows"], again.document["ok"]) == (0, ROWS, ROWS), again.err
    ledger = next(tmp_path.glob("runs/*/ledger.jsonl")).read_text().splitlines()
    assert sorted(json.loads(line)["n"] for line in ledger) == list(range(ROWS))
    assert len(out.read_text().splitlines()) == ROWS
    # an answer whose record the disk did not take is asked again: one at most of each worker, two a permit
    assert ROWS <= requests_of(server) <= ROWS + 2 * 8


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_a_run_folder_that_goes_away_is_noticed_while_it_can_save_money(
    tmp_path: Path, server: sim.Simulator, how: str
) -> None:
    """Exit 4 long before the last row; put back, the run goes on, and without it the command starts over."""
    runs, aside = tmp_path / "runs", tmp_path / "aside"
    arguments = (server.url, "--cache", "off", "-o", "out.jsonl")
    ended = Ended(tmp_path, *arguments, after=20, then=lambda: runs.rename(aside))
    assert ended.code == 4, (ended.document, ended.err)
    assert "removed or moved" in ended.document["error"]["message"]
    assert "put its folder back" in ended.document["error"]["message"]
    assert not (tmp_path / "out.jsonl").exists()
    assert requests_of(server) < ROWS
    if how == "moved":
        aside.rename(runs)
    again = Ended(tmp_path, *arguments)
    assert (again.code, again.document["ok"]) == (0, ROWS), again.err
    if how == "moved":
        assert requests_of(server) <= ROWS + 2 * 8


def test_a_cache_that_is_removed_stops_the_run_with_its_figures(tmp_path: Path, server: sim.Simulator) -> None:
    """Exit 4; the summary is there, every answer that was paid for is in it, and the error names the file."""

    def lose() -> None:
        for path in tmp_path.glob("cache.db*"):
            path.unlink()

    arguments = (server.url, "--cache", "sqlite:///cache.db", "-o", "out.jsonl")
    ended = Ended(tmp_path, *arguments, after=20, then=lose)
    assert ended.code == 4, (ended.document, ended.err)
    assert ended.document["error"]["code"] == "machine"
    assert str(tmp_path / "cache.db") in ended.document["error"]["message"]
    assert ended.document["interrupted"] is True
    assert 20 <= ended.document["ok"] == requests_of(server) < ROWS
    assert "same command again" in ended.err
    again = Ended(tmp_path, *arguments)
    assert (again.code, again.document["ok"]) == (0, ROWS), again.err
    assert requests_of(server) == ROWS
