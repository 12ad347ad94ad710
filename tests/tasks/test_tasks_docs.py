from __future__ import annotations

import re
from pathlib import Path

import pytest

from trivet.tasks.file import load, variants
from trivet.tasks.task import Task

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
TOML = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_file_and_the_python_of_the_page_are_the_same_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "triage.toml").write_text(TOML[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    shown: dict[str, Task] = {}
    exec("\n".join(PYTHON[0].split("triage = trivet.Task.load")[:1]), shown)
    assert shown["triage"].digest == load("triage.toml").digest
    exec(PYTHON[0], shown)
    assert shown["cheaper"].model == "gpt-6-luna"
    assert shown["triage"].prompt == shown["cheaper"].prompt


def test_every_variant_of_the_page_can_be_asked(tmp_path: Path) -> None:
    path = tmp_path / "triage.toml"
    path.write_text("\n".join(TOML), encoding="utf-8")
    asked = {name: task.request({"ticket": "Help"}) for name, task in variants(path).items()}
    assert list(asked) == ["base", "verbose", "small"]
    assert (asked["small"].model, asked["small"].max_output) == ("gpt-6-luna", 8)
