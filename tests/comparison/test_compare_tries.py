"""Changes to try: what each makes of a task, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from trivet.comparison.tries import change_of, names_of, tried
from trivet.errors import TaskError
from trivet.tasks.labels import Labels
from trivet.tasks.task import Task

TASK = Task(
    "Label: {{ ticket }}",
    output=Labels("a", "b"),
    model="gpt-5.4-mini",
    params={"max_output_tokens": 16, "reasoning": {"effort": "low", "summary": "auto"}},
    plan={"verbosity": "low"},
)


def made(text: str, task: Task = TASK) -> Task:
    return tried(task, change_of(text))


def test_each_key_changes_its_own_place(tmp_path: Path) -> None:
    """Model, prompt, plan and parameters; what said the same elsewhere gives way."""
    assert made("model=gpt-5.4-nano").model_for() == "gpt-5.4-nano"
    assert made("prompt=Now {{ ticket }}").prompt == "Now {{ ticket }}"
    (tmp_path / "p.txt").write_text("From a file: {{ ticket }}\n")
    assert made(f"prompt=@{tmp_path}/p.txt").prompt == "From a file: {{ ticket }}\n"
    assert made("max_output_tokens=4").fields()["max_output_tokens"] == 4
    assert made("effort=none").fields()["reasoning"] == {"effort": "none", "summary": "auto"}
    assert made("verbosity=high").fields()["text"]["verbosity"] == "high"
    assert made("params.reasoning.effort=medium").fields()["reasoning"]["effort"] == "medium"
    assert made("params.text.verbosity=medium").fields()["text"]["verbosity"] == "medium"
    assert made("tier=flex").fields()["service_tier"] == "flex"
    assert made("instructions=Be brief.").instructions == "Be brief."
    planned = TASK.with_(plan={"model": "gpt-5.4", "verbosity": "low"})
    assert made("model=gpt-5.4-nano", planned).model_for() == "gpt-5.4-nano"


@pytest.mark.parametrize(
    "text",
    ["effort", "=x", "effort=", "efort=none", "colour=red", "params.=1", "params.a..b=1", "effort=very", "tier=batch",
     "max_output_tokens=many", "max_output_tokens=0", "prompt=@/no/such/file", "prompt=no column", "model= ",
     "verbosity=low", "max_output_tokens=16", "prompt={{ broken"],
)  # fmt: skip
def test_what_can_not_be_tried_is_one_sentence(text: str) -> None:
    """An unknown key, a value that can't be, a change that changes nothing."""
    with pytest.raises(TaskError) as found:
        made(text)
    assert "\n" not in str(found.value)


def test_an_unknown_key_names_the_near_one() -> None:
    """And those that there are."""
    with pytest.raises(TaskError, match=r"effort.*verbosity"):
        change_of("efort=none")


def test_variants_are_called_by_their_change() -> None:
    """Long ones are cut, and never two alike."""
    names = names_of([change_of("effort=none"), *(change_of("prompt=" + "{{ ticket }} " * 9 + end) for end in "ab")])
    assert names[0] == "effort=none"
    assert len(set(names)) == 3
    assert all(len(name) < 40 for name in names)
