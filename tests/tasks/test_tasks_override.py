from __future__ import annotations

import json
from typing import Any

import pytest

from trivet.errors import TaskError
from trivet.tasks.file import override
from trivet.tasks.output import Schema
from trivet.tasks.task import Task

TASK = Task(
    "{{ x }}",
    model="a",
    params={"top_p": 1, "text": {"a": 1}},
    plan={"model": "b", "effort": "none", "verbosity": "low", "tier": "flex"},
)


def sent(task: Task) -> dict[str, Any]:
    request = task.request({"x": "y"})
    body: dict[str, Any] = json.loads(request.head + request.tail)
    return body


def test_without_changes_the_task_asks_the_same() -> None:
    assert override(TASK).digest == TASK.digest
    assert sent(override(TASK)) == sent(TASK)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("0.5", 0.5),
        ("16", 16),
        ("true", True),
        ("null", None),
        ('"16"', "16"),
        ('["a"]', ["a"]),
        ("low", "low"),
        ("01", "01"),
        ("NaN", "NaN"),
        ("", ""),
        ("a b", "a b"),
        ("[" * 100_000, "[" * 100_000),
        (3, 3),
    ],
)
def test_a_value_is_json_where_it_can_be_and_else_text(given: Any, value: Any) -> None:
    assert sent(override(TASK, params={"x": given}))["x"] == value


def test_what_the_command_line_says_wins_over_the_task() -> None:
    body = sent(
        override(TASK, model="c", tier="standard", params={"reasoning.effort": "low", "text.b": "2", "top_p": "0"})
    )
    assert body["model"] == "c"
    assert body["service_tier"] == "default"
    assert body["reasoning"] == {"effort": "low"}
    assert body["text"] == {"a": 1, "b": 2, "verbosity": "low"}
    assert body["top_p"] == 0


def test_a_tier_wins_over_one_of_the_params() -> None:
    task = Task("{{ x }}", params={"service_tier": "auto"})
    assert sent(override(task, tier="fast"))["service_tier"] == "fast"
    assert sent(override(TASK, params={"service_tier": "auto"}))["service_tier"] == "auto"


def test_dotted_names_and_tables_in_json_go_together() -> None:
    body = sent(override(TASK, params={"metadata.a": "x", "metadata": '{"b": "y"}', "metadata.c": "z"}))
    assert body["metadata"] == {"a": "x", "b": "y", "c": "z"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params": {"input": "x"}}, "'input' can't be one of the params"),
        ({"params": {"model": "x"}}, "'model' can't be one of the params"),
        ({"params": {"": "x"}}, "is no name of a parameter"),
        ({"params": {"a..b": "x"}}, "'a..b' is no name of a parameter"),
        ({"params": {".": "x"}}, "is no name of a parameter"),
        ({"params": {"a": "1", "a.b": "2"}}, "'a' was given a value of its own"),
        ({"params": {"max_output_tokens": "many"}}, "max_output_tokens must be a whole number"),
        ({"tier": "batch"}, "not available in this version"),
        ({"tier": "flexx"}, "did you mean 'flex'"),
        ({"model": ""}, "model must be the name of a model"),
        ({"params": {"text": "plain"}}, "'text' is set"),
    ],
)
def test_what_a_task_can_t_have_is_a_task_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        override(TASK, **changes)


def test_the_format_of_a_schema_can_t_be_overridden() -> None:
    task = Task("{{ x }}", output=Schema({"type": "object"}))
    with pytest.raises(TaskError, match=r"'text\.format' can't be one of the params"):
        override(task, params={"text.format.type": "text"})
