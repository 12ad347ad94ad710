from __future__ import annotations

from typing import Any

import pytest

from trivet.errors import AnswerError, TaskError
from trivet.tasks.schema import Schema

TICKET = {
    "title": "Support ticket",
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": ["billing", "other"]},
        "items": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}},
    },
    "required": ["category"],
}


def test_a_document_that_fits_is_the_result() -> None:
    assert Schema(TICKET).parse(' {"category": "billing", "items": []}\n') == {
        "category": "billing",
        "items": [],
    }
    assert Schema({"type": "integer"}).parse("3") == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('{"category": "bill"}', r"at category: \"bill\" is not one of"),
        (
            '{"category": "other", "items": [{}, {"price": "3"}]}',
            r"at items\[1\]\.price: \"3\" is not of type",
        ),
        ("{}", '"category" is a required property'),
        ("[]", "is not of type"),
        ('```json\n{"category": "other"}\n```', "JSON is malformed"),
        ('{"category": "other", "category": "billing"}', "'category' is there twice"),
        ('{"category": "other", "x": NaN}', "JSON is malformed"),
        ("", "JSON that fits"),
        ("[" * 50_000, "nested too deeply"),
        ("\u202e{ אבג 🎉", "JSON is malformed"),
    ],
)
def test_a_document_that_does_not_fit_is_invalid_and_the_message_says_where(answer: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message) as caught:
        Schema(TICKET).parse(answer)
    assert caught.value.code == "invalid_output"
    assert str(caught.value).startswith("expected JSON that fits the schema 'Support_ticket' (")
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value) and "\u202e" not in str(caught.value)


def test_the_format_is_strict_only_for_a_schema_of_the_strict_dialect() -> None:
    loose = Schema(TICKET).fields()["text"]["format"]
    assert loose == {"type": "json_schema", "name": "Support_ticket", "strict": False, "schema": TICKET}
    closed = {**TICKET, "properties": {"category": {"type": "string"}}, "additionalProperties": False}
    assert Schema(closed, name="t-1").fields()["text"]["format"] == {
        "type": "json_schema",
        "name": "t-1",
        "strict": True,
        "schema": closed,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"type": "string", "pattern": "("},
        {"$ref": "#/$defs/missing"},
        {"$schema": "http://example.invalid/mine"},
        {"properties": []},
        {"enum": [{1, 2}]},
        {1: 2},
        "text",
        [],
        None,
    ],
)
def test_what_is_no_schema_is_a_task_error(schema: Any) -> None:
    with pytest.raises(TaskError, match=r"[Ss]chema"):
        Schema(schema)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.json", "https://example.invalid/x", "file:///etc/hostname"])
def test_another_document_is_never_fetched(url: str) -> None:
    with pytest.raises(TaskError, match="nothing is fetched: copy it into"):
        Schema({"type": "object", "properties": {"a": {"$ref": url}}})


def test_a_schema_nested_without_end_is_a_task_error() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(2000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(TaskError):
        Schema(schema)


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "é", 3])
def test_a_name_that_the_provider_would_refuse_is_a_task_error(name: Any) -> None:
    with pytest.raises(TaskError, match="name must be"):
        Schema(TICKET, name=name)


@pytest.mark.parametrize(("title", "name"), [("Ticket", "Ticket"), ("a b/c", "a_b_c"), ("票", "output"), (3, "output")])
def test_the_name_is_made_from_the_title(title: Any, name: str) -> None:
    assert Schema({"$comment": "x", "title": title} if isinstance(title, str) else {}).name == name


def test_later_changes_of_the_dict_do_not_reach_the_contract() -> None:
    mine: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
    contract = Schema(mine)
    mine["properties"]["a"]["type"] = "integer"
    assert contract.schema["properties"]["a"] == {"type": "string"}
    assert contract.parse('{"a": "x"}') == {"a": "x"}
