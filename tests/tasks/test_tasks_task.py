from __future__ import annotations

import dataclasses
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from trivet.errors import AnswerError, DataError, TaskError
from trivet.tasks.output import Labels, Text
from trivet.tasks.plan import DEFAULT_MODEL, Plan
from trivet.tasks.task import Task
from trivet.types import Reply

PROMPT = "Classify into {{ labels | join(', ') }}.\n\n{{ ticket }}"
LABELS = Labels("billing", "other")


def body(task: Task, row: dict[str, Any], **call: Any) -> dict[str, Any]:
    request = task.request(row, **call)
    sent: dict[str, Any] = json.loads(request.head + request.tail)
    return sent


def completed(text: str) -> Reply:
    return Reply(text=text, status="completed", model="m")


class Ticket(BaseModel):
    category: str


def test_a_request_says_everything_the_task_says() -> None:
    task = Task(
        PROMPT,
        output=LABELS,
        instructions="You serve {{ shop }}.",
        params={"max_output_tokens": 16, "metadata": {"a": "b"}},
        plan={"effort": "none", "tier": "flex"},
        cache_version=3,
    )
    request = task.request({"ticket": "Help! 🎉", "shop": "us"}, timeout=9.5, sample=2, cacheable=False, label="row 1")
    assert json.loads(request.head + request.tail) == {
        "model": DEFAULT_MODEL,
        "instructions": "You serve us.",
        "input": "Classify into billing, other.\n\nHelp! 🎉",
        "max_output_tokens": 16,
        "reasoning": {"effort": "none"},
        "metadata": {"a": "b"},
        "service_tier": "flex",
    }
    assert b"flex" not in request.head
    assert (request.model, request.max_output, request.tier, request.version) == (
        DEFAULT_MODEL,
        16,
        "flex",
        3,
    )
    assert (request.timeout, request.sample, request.cacheable, request.label) == (9.5, 2, False, "row 1")
    assert request.characters == len("You serve us.") + len("Classify into billing, other.\n\nHelp! 🎉")
    assert request.fold is None


def test_a_stream_is_asked_for_in_the_tail_so_that_it_shares_the_cache() -> None:
    task = Task("{{ x }}")
    whole, stream = task.request({"x": "y"}), task.request({"x": "y"}, stream=True)
    assert whole.head == stream.head
    assert json.loads(stream.head + stream.tail)["stream"] is True


def test_the_request_accepts_exactly_what_the_task_takes_for_a_result() -> None:
    task = Task(PROMPT, output=LABELS)
    accept = task.request({"ticket": "x"}).accept
    assert accept(completed("Billing.")) is None
    assert task.result(completed("Billing.")) == "billing"
    why = accept(completed("what?"))
    with pytest.raises(AnswerError) as caught:
        task.result(completed("what?"))
    assert why == str(caught.value)


def test_a_model_s_schema_is_sent_beside_the_verbosity() -> None:
    sent = body(Task("{{ x }}", output=Ticket, plan=Plan(verbosity="low")), {"x": "y"})
    assert sent["text"]["verbosity"] == "low"
    assert sent["text"]["format"]["name"] == "Ticket"
    assert Task("{{ x }}", output=Ticket).result(completed('{"category": "a"}')) == Ticket(category="a")


def test_the_call_s_model_wins_over_the_plan_s_over_the_task_s_over_the_default() -> None:
    assert body(Task("{{ x }}"), {"x": "y"})["model"] == DEFAULT_MODEL
    assert body(Task("{{ x }}", model="a"), {"x": "y"})["model"] == "a"
    both = Task("{{ x }}", model="a", plan={"model": "b"})
    assert body(both, {"x": "y"})["model"] == "b"
    assert both.request({"x": "y"}, model="c").model == "c"


def test_the_call_s_params_win_and_take_nothing_else_away() -> None:
    task = Task("{{ x }}", params={"top_p": 1, "text": {"a": 1}}, plan={"effort": "low", "verbosity": "low"})
    sent = body(task, {"x": "y"}, params={"reasoning": {"effort": "high"}, "top_p": 0.5, "text": {"b": 2}})
    assert sent["reasoning"] == {"effort": "high"}
    assert sent["text"] == {"a": 1, "b": 2, "verbosity": "low"}
    assert sent["top_p"] == 0.5
    assert body(task, {"x": "y"})["reasoning"] == {"effort": "low"}
    with pytest.raises(TaskError, match="'input' can't be one of the params"):
        task.request({"x": "y"}, params={"input": "z"})


def test_an_effort_that_the_model_lacks_is_refused_before_anything_is_sent() -> None:
    task = Task("{{ x }}", plan={"effort": "max"})
    for ask in (task.fields, lambda: task.request({"x": "y"})):
        with pytest.raises(TaskError, match=r"gpt-5\.4-mini does not take the effort 'max'"):
            ask()
    assert body(task, {"x": "y"}, model="gpt-6-luna")["reasoning"] == {"effort": "max"}
    with pytest.raises(TaskError, match="does not take the effort 'minimal'"):
        Task("{{ x }}").request({"x": "y"}, params={"reasoning": {"effort": "minimal"}})


def test_columns_are_those_of_prompt_and_instructions_that_a_row_must_have() -> None:
    task = Task(PROMPT + "{{ a | default('') }}{{ b }}", output=LABELS, instructions="{{ c }}{{ a }}{{ d | d(1) }}")
    assert task.columns == ("ticket", "a", "b", "c")
    assert task.optional_columns == ("d",)


def test_without_labels_the_name_is_a_column_like_any_other() -> None:
    assert Task("{{ labels }}").columns == ("labels",)
    with pytest.raises(DataError, match="the task's output has no labels"):
        Task("{{ labels }}").rendered({"ticket": "x"})


@pytest.mark.parametrize("value", ["", "  \n", None])
def test_a_row_whose_prompt_is_empty_is_a_data_error(value: object) -> None:
    with pytest.raises(DataError, match="the prompt is empty for this row"):
        Task("{{ x }}").request({"x": value})


def test_a_row_that_is_no_valid_unicode_is_a_data_error() -> None:
    with pytest.raises(DataError, match="not valid Unicode"):
        Task("{{ x }}").request({"x": "a\ud800"})


@given(st.text(alphabet=st.characters(codec="utf-8")).filter(str.strip))
def test_any_text_of_a_row_reaches_the_provider_unchanged(text: str) -> None:
    assert body(Task("{{ x }}", normalise=True), {"x": text})["input"] == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": " \n"}, "the prompt is empty"),
        ({"prompt": "Say hi"}, "uses no column"),
        ({"prompt": "{{ labels }}", "output": LABELS}, "uses no column"),
        ({"prompt": 3}, "must be text"),
        ({"instructions": 3}, "the instructions must be text"),
        ({"instructions": "{{"}, "the instructions is not a valid template|instructions"),
        ({"params": {"input": "x"}}, "'input'"),
        ({"params": [1]}, "params must be a mapping"),
        ({"params": {"top_p": float("nan")}}, "top_p"),
        ({"plan": 3}, "plan must be a mapping"),
        ({"plan": {"effort": "x"}}, "effort must be one of"),
        ({"plan": {"verbosity": "low"}, "params": {"text": {"verbosity": "low"}}}, "keep one"),
        ({"model": ""}, "model must be the name"),
        ({"output": 3}, "output can't be 3"),
        ({"cache_version": -1}, "cache version"),
        ({"cache_version": True}, "cache version"),
        ({"normalise": 1}, "normalise must be true or false"),
    ],
)
def test_what_can_be_seen_to_be_wrong_is_a_task_error_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        Task(**{"prompt": "{{ x }}", **arguments})


def test_instructions_alone_may_use_the_column() -> None:
    assert Task("Go on.", instructions="{{ x }}").columns == ("x",)


def test_a_task_can_t_be_changed_and_does_not_follow_its_arguments() -> None:
    params = {"text": {"a": 1}}
    task = Task("{{ x }}", params=params)
    params["text"]["a"] = 2
    assert task.params == {"text": {"a": 1}}
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.model = "x"  # type: ignore[misc]


def test_a_changed_copy_differs_in_what_was_named_alone() -> None:
    task = Task(PROMPT, output=LABELS, params={"top_p": 1}, plan={"effort": "low"}, cache_version=2, normalise=True)
    other = task.with_(model="gpt-6-luna")
    assert other.model == "gpt-6-luna"
    assert (other.prompt, other.output, other.params, other.plan) == (
        task.prompt,
        LABELS,
        {"top_p": 1},
        task.plan,
    )
    assert (other.cache_version, other.normalise) == (2, True)
    with pytest.raises(TaskError, match=r"a task has no 'promt' \(did you mean 'prompt'\?\)"):
        task.with_(promt="x")
    with pytest.raises(TaskError, match="uses no column"):
        task.with_(prompt="x")


def test_the_normalised_key_folds_white_space_and_unicode_form_of_the_texts_alone() -> None:
    schema = {"type": "object", "properties": {"a": {"description": "two  spaces"}}}
    task = Task("Say:  {{ x }}", output=schema, instructions=" Be  kind ", params={"stop": "a  b"}, normalise=True)
    request = task.request({"x": " e\u0301\u00a0\n x "})
    assert request.fold is not None
    folded = json.loads(request.fold + b"}")
    sent = json.loads(request.head + b"}")
    assert folded["input"] == "Say: \u00e9 x"
    assert folded["instructions"] == "Be kind"
    assert {key: folded[key] for key in ("text", "stop", "model")} == {
        key: sent[key] for key in ("text", "stop", "model")
    }
    assert sent["input"] == "Say:   e\u0301\u00a0\n x "


@given(st.text(alphabet=st.characters(codec="utf-8")).filter(str.strip))
def test_texts_that_differ_in_form_and_space_alone_have_the_same_folded_key(text: str) -> None:
    task = Task("A {{ x }}", normalise=True)
    once = task.request({"x": text}).fold
    spaced = " \n" + unicodedata.normalize("NFD", text).replace(" ", "  \t") + "  "
    assert task.request({"x": spaced}).fold == once


CHANGES: list[dict[str, Any]] = [
    {"prompt": PROMPT + " "},
    {"instructions": "Be kind."},
    {"output": Labels("billing", "others")},
    {"output": Labels("other", "billing")},
    {"output": Text(bullets=3), "prompt": "{{ ticket }}"},
    {"params": {"top_p": 0.5}},
    {"model": "gpt-6-luna"},
    {"plan": {"effort": "low"}},
    {"plan": {"verbosity": "low"}},
    {"cache_version": 1},
    {"normalise": True},
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_changes_with_whatever_can_change_a_result(change: dict[str, Any]) -> None:
    assert Task(**{"prompt": PROMPT, "output": LABELS, **change}).digest != Task(PROMPT, output=LABELS).digest


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"name": "other"},
        {"plan": {"tier": "flex"}},
        {"params": {"metadata": {"a": "b"}, "prompt_cache_key": "k"}},
        {"model": DEFAULT_MODEL},
        {"plan": {"model": DEFAULT_MODEL}, "model": "gpt-6-luna"},
        {"instructions": ""},
        {"prompt": PROMPT + "\n"},
    ],
)
def test_the_digest_stays_with_what_can_t_change_a_result(same: dict[str, Any]) -> None:
    assert Task(**{"prompt": PROMPT, "output": LABELS, **same}).digest == Task(PROMPT, output=LABELS).digest


def test_the_digest_is_the_same_in_every_process() -> None:
    # a change here makes every interrupted run of an older version start over
    assert Task("{{ x }}", model="m").digest == "4128fd74c930bef5b789a2e8bff0f2d038a553954d3a1f3b77478f4a78f76dba"


def test_a_task_shows_itself_in_one_line() -> None:
    assert repr(Task(PROMPT, output=LABELS, name="triage")) == (
        "Task('triage', columns=('ticket',), output=Labels(labels=('billing', 'other')))"
    )
