"""Run folders, and which of them is resumed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from trivet.errors import MachineError, RunError
from trivet.jobs import runs
from trivet.jobs.ledger import Ledger
from trivet.jobs.runs import Identity, Manifest
from trivet.jobs.select import Selection
from trivet.jobs.summary import Totals

NOW = 1_790_000_000.0


def identity(**changes: Any) -> Identity:
    fields: dict[str, Any] = {
        "task": "triage.toml",
        "variant": "base",
        "data": "tickets.jsonl",
        "selection": Selection(),
        "model": "gpt-5.4-mini",
        "base_url": "https://api.openai.com/v1",
        "out": None,
    }
    return runs.identity(**(fields | changes))


def begun(root: Path, who: Identity | None = None, started_at: float = NOW, **changes: Any) -> Path:
    folder = runs.create(root, "triage", started_at)
    fields: dict[str, Any] = {
        "run": folder.name,
        "identity": who or identity(),
        "task": "triage.toml",
        "data": "tickets.jsonl",
        "model": "gpt-5.4-mini",
        "provider": "api.openai.com",
        "version": "0.1.0",
        "task_digest": "t1",
        "data_fingerprint": "d1",
        "started_at": started_at,
    }
    runs.write_manifest(folder, Manifest(**(fields | changes)), started_at)
    return folder


def finish(folder: Path, *, interrupted: bool = False) -> None:
    summary = Totals().summary(run="r", task="t", model="m", provider="p", wall_s=1.0, now=NOW, interrupted=interrupted)
    runs.finish(folder, summary, NOW + 1)


def unfinished(root: Path, who: Identity | None = None, **changes: Any) -> Path | None:
    options: dict[str, Any] = {"task_digest": "t1", "data_fingerprint": "d1", "finished": False}
    return runs.find(root, who or identity(), **(options | changes))


def test_folders_of_one_second_are_different_private_and_named_after_the_task(tmp_path: Path) -> None:
    folders = [runs.create(tmp_path / "deep" / "runs", "triage", NOW) for _ in range(3)]
    assert len(set(folders)) == 3
    assert re.fullmatch(r"triage-\d{8}-\d{6}", folders[0].name)
    assert folders[1].name == folders[0].name + "-2"
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in folders)


@pytest.mark.parametrize("stem", ["../../etc", "", "...", "a/b\\c d", "é😀" * 200, "שלום", "-rf"])
def test_no_name_of_a_task_makes_a_folder_elsewhere(tmp_path: Path, stem: str) -> None:
    folder = runs.create(tmp_path / "runs", stem, NOW)
    assert folder.parent == tmp_path / "runs"
    assert not folder.name.startswith(("-", "."))
    assert os.listdir(tmp_path) == ["runs"]


def test_a_folder_that_can_not_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(MachineError, match="can't be written"):
        runs.create(tmp_path / "runs", "triage", NOW)


def test_an_interrupted_run_of_the_same_work_is_found(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    assert unfinished(tmp_path) == folder
    finish(folder, interrupted=True)
    assert unfinished(tmp_path) == folder
    finish(folder)
    assert unfinished(tmp_path) is None
    assert unfinished(tmp_path, finished=True) == folder
    assert unfinished(tmp_path / "none") is None


@pytest.mark.parametrize(
    "change",
    [
        {"task": "other.toml"},
        {"variant": "concise"},
        {"data": "other.jsonl"},
        {"selection": Selection(first=3)},
        {"model": "gpt-5.4-nano"},
        {"base_url": "http://localhost:8000/v1"},
        {"out": "out.jsonl"},
    ],
)
def test_other_work_is_another_run(tmp_path: Path, change: dict[str, Any]) -> None:
    begun(tmp_path)
    assert unfinished(tmp_path, identity(**change)) is None


def test_only_the_newest_run_counts(tmp_path: Path) -> None:
    begun(tmp_path, started_at=NOW)
    newer = begun(tmp_path, started_at=NOW + 60)
    assert unfinished(tmp_path) == newer
    finish(newer)
    assert unfinished(tmp_path) is None


def test_what_has_changed_since_is_said(tmp_path: Path) -> None:
    folder = begun(tmp_path, task_parts={"prompt": "1", "output": "2", "params": "3"})
    with pytest.raises(RunError) as raised:
        unfinished(tmp_path, task_digest="t2", task_parts={"prompt": "1", "output": "9", "params": "8"})
    assert str(raised.value) == (
        f"since the run {folder} was begun, the task triage.toml (output, params) has changed: "
        "put that back to take it up, or use --fresh to start over"
    )
    with pytest.raises(RunError, match=r"the data tickets\.jsonl has changed"):
        unfinished(tmp_path, data_fingerprint="d2")
    with pytest.raises(RunError, match="has changed and the data"):
        unfinished(tmp_path, task_digest="t2", data_fingerprint="d2")


def test_data_without_a_fingerprint_is_not_resumed_unless_it_was_kept(tmp_path: Path) -> None:
    begun(tmp_path, data_fingerprint=None)
    assert unfinished(tmp_path, data_fingerprint=None) is None
    kept = begun(tmp_path, identity(data="-"), data_fingerprint=None)
    assert unfinished(tmp_path, identity(data="-"), data_fingerprint=None) == kept


def test_folders_that_are_no_runs_are_passed_over(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    for name, content in (("empty", ""), ("broken", '{"run"'), ("other", '{"a": 1}'), ("binary", "\0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(content)
    (tmp_path / "dir" / "run.json").mkdir(parents=True)
    assert unfinished(tmp_path) == folder
    with pytest.raises(RunError, match="is not a run folder"):
        runs.read_manifest(tmp_path)
    with pytest.raises(RunError, match=r"broken/run\.json can't be read"):
        runs.read_manifest(tmp_path / "broken")


def test_credentials_never_reach_the_manifest(tmp_path: Path) -> None:
    folder = begun(tmp_path, identity(base_url="https://me:sk-secret@host:8443/v1?key=sk-secret#sk-secret"))
    assert runs.read_manifest(folder).identity.base_url == "https://host:8443/v1"
    assert b"secret" not in (folder / "run.json").read_bytes()


def test_the_manifest_is_private_and_whole(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    finish(folder)
    assert sorted(os.listdir(folder)) == ["run.json", "summary.json"]
    assert (folder / "run.json").stat().st_mode & 0o777 == 0o600
    assert runs.read_manifest(folder).finished_at == NOW + 1


def test_the_second_process_learns_pid_host_and_time_of_the_first(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    ledger = Ledger.open(folder)
    with pytest.raises(RunError, match=rf"is being run by process {os.getpid()} on \S+ since 2026-"):
        Ledger.open(folder)
    ledger.close()
