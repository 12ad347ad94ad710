"""Reads the corpus of prompts: what the linter has to find in each, what has to survive and what has to go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.linting.lint import lint_task, lint_text
from trivet.linting.result import Lint
from trivet.tasks.labels import Labels
from trivet.tasks.schema import Schema
from trivet.tasks.task import Task

FOLDER = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Case:
    """A prompt of the corpus."""

    name: str
    text: str
    labels: tuple[str, ...]
    schema: dict[str, Any] | None
    find: tuple[str, ...]
    keep: tuple[str, ...]
    gone: tuple[str, ...]

    def lint(self, text: str | None = None) -> Lint:
        text = self.text if text is None else text
        if self.labels:
            return lint_task(Task(text, output=Labels(*self.labels)))
        if self.schema is not None:
            return lint_task(Task(text, output=Schema(self.schema)))
        return lint_text(text)


def read(folder: Path = FOLDER) -> list[Case]:
    """Every prompt of the corpus."""
    parts = [part for path in sorted(folder.glob("*.txt")) for part in ("\n" + path.read_text("utf-8")).split("\n=== ")]
    return [_case(part) for part in parts if part.strip()]


def _case(part: str) -> Case:
    head, _, rest = part.partition("\n")
    name, *options = [each.strip() for each in head.split(" | ")]
    given = {key.strip(): value.strip() for key, _, value in (each.partition(":") for each in options)}
    prompt, _, checks = rest.partition("\n--- keep\n")
    keep, _, gone = checks.partition("\n--- gone\n")
    labels = tuple(each.strip() for each in given.get("labels", "").split(",") if each.strip())
    schema = json.loads(given["schema"]) if "schema" in given else None
    return Case(
        name=name, text=prompt, labels=labels, schema=schema, find=tuple(given.get("find", "").split()),
        keep=tuple(filter(None, keep.split("\n"))), gone=tuple(filter(None, gone.split("\n"))),
    )  # fmt: skip
