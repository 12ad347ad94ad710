"""A task file changed in one place: all else stays, to the comment, and what can't be said is not written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trivet.errors import TaskError
from trivet.tasks import edit
from trivet.tasks import file as task_file

SOURCE = '''# what this is
model = "gpt-5.4-mini"   # the one we had

prompt = """
Label it: {{ labels | join(', ') }}.

{{ ticket }}
"""

[output]
labels = ["a", "b"]      # two

[params]
max_output_tokens = 16   # enough
reasoning.effort = "low"

[variants.long]
prompt = "At length: {{ ticket }}"   # longer
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "t.toml"
    found.write_text(SOURCE)
    return found


def changed(path: Path, place: tuple[str, ...], value: Any, variant: str | None = None, **wanted: Any) -> list[str]:
    """Write it, and give back the lines that differ."""
    task = task_file.load(path, variant).with_(**wanted)
    before = path.read_text().split("\n")
    edit.write(path, variant, place, value, wanted=task)
    made = task_file.load(path, variant)
    assert (made.digest, made.plan) == (task.digest, task.plan)
    return [line for line in path.read_text().split("\n") if line not in before]


def test_one_key_changes_one_line(path: Path) -> None:
    """The model changes, its comment stays, and so does every other line."""
    assert changed(path, ("model",), "gpt-5.4-nano", model="gpt-5.4-nano") == [
        'model = "gpt-5.4-nano"   # the one we had'
    ]


def test_a_key_that_was_not_there_gets_its_table(path: Path) -> None:
    """A plan is added; what the parameters said of the same goes."""
    lines = changed(path, ("plan", "effort"), "none", plan={"effort": "none"}, params={"max_output_tokens": 16})
    assert "[plan]" in lines
    assert 'effort = "none"' in lines
    assert "reasoning" not in path.read_text()
    assert "# enough" in path.read_text()


@pytest.mark.parametrize(
    "prompt",
    ["Short: {{ ticket }}", "Two\nlines: {{ ticket }}\n", '\n\nQuotes """ and \\ {{ ticket }}',
     "Ends in \"{{ ticket }}\"", "Emoji 🎫 و {{ ticket }}\n\ttab"],
)  # fmt: skip
def test_a_prompt_is_written_as_it_was_measured(path: Path, prompt: str) -> None:
    """To the character, whatever is in it."""
    changed(path, ("prompt",), prompt, prompt=prompt)
    assert task_file.load(path).prompt == prompt
    assert "# two" in path.read_text()


def test_a_variant_is_changed_in_its_own_table(path: Path) -> None:
    """The task itself stays as it is."""
    own = task_file.load(path).digest
    changed(path, ("prompt",), "Now: {{ ticket }}", "long", prompt="Now: {{ ticket }}")
    assert task_file.load(path).digest == own
    assert "# longer" in path.read_text()


def test_what_would_not_say_what_was_measured_is_not_written(path: Path) -> None:
    """The file stays, to the byte, and one sentence says so; nothing is left beside it."""
    wanted = task_file.load(path).with_(model="gpt-5.4")
    with pytest.raises(TaskError, match="left as it is"):
        edit.write(path, None, ("model",), "gpt-5.4-nano", wanted=wanted)
    with pytest.raises(TaskError, match="can't be set"):
        edit.write(path, None, ("model", "name"), "x", wanted=wanted)
    assert path.read_text() == SOURCE
    assert list(path.parent.iterdir()) == [path]
