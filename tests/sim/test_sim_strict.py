"""A strict schema that breaks the dialect is refused in the documented words."""

from __future__ import annotations

from typing import Any

import pytest

GOOD = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def nested(inner: Any) -> dict[str, Any]:
    return {**GOOD, "properties": {"a": inner}}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (
            {**GOOD, "additionalProperties": True},
            "'additionalProperties' is required to be supplied and to be false.",
        ),
        (
            {key: GOOD[key] for key in ("type", "properties", "required")},
            "In context=(), 'additionalProperties'",
        ),
        ({**GOOD, "required": []}, "including every key in properties. Missing 'a'."),
        ({**GOOD, "required": ["a", "b"]}, "Extra required key 'b' supplied."),
        (
            {"type": "array", "items": {"type": "string"}},
            "schema must be a JSON Schema of 'type: \"object\"'",
        ),
        (
            nested({"type": "object", "properties": {}}),
            "In context=('properties', 'a'), 'additionalProperties'",
        ),
        (nested({"type": "array"}), "array schema missing items."),
        (nested({}), "schema must have a 'type' key."),
        (nested({"allOf": [{"type": "string"}], "type": "string"}), "'allOf' is not permitted."),
        (nested({"type": "text"}), "'text' is not valid"),
        (nested({"$ref": "#/$defs/Gone"}), "reference can only point to definitions"),
        (nested({"$ref": "https://example.com/x"}), "reference can only point to definitions"),
        ({**GOOD, "anyOf": [GOOD]}, "'anyOf' is not permitted at the root."),
        ([], "schema must be a JSON object."),
    ],
)
def test_a_broken_rule_is_named_with_its_place(provider: Any, schema: Any, words: str) -> None:
    """400 invalid_json_schema, param text.format.schema."""
    form = {"type": "json_schema", "name": "Ticket", "strict": True, "schema": schema}
    asked = provider().ask("x", text={"format": form})
    assert asked.status == 400
    assert asked.error["code"] == "invalid_json_schema"
    assert asked.error["type"] == "invalid_request_error"
    assert asked.error["param"] == "text.format.schema"
    assert asked.error["message"].startswith("Invalid schema for response_format 'Ticket': In context=(")
    assert words in asked.error["message"]


def test_without_strict_only_what_is_no_schema_is_refused(provider: Any) -> None:
    """Open objects and optional properties are fine then."""
    form = {"type": "json_schema", "name": "T", "schema": {"type": "object", "properties": {"a": {}}}}
    assert provider().ask("x", text={"format": form}).status == 200
    form = {"type": "json_schema", "name": "T", "schema": {"type": "nothing"}}
    assert provider().ask("x", text={"format": form}).status == 400


def test_a_deeply_nested_schema_is_refused_not_crashed_on(provider: Any) -> None:
    """A thousand levels are a 400."""
    schema: Any = {"type": "string"}
    for _ in range(900):
        schema = {"type": "array", "items": schema}
    form = {"type": "json_schema", "name": "T", "schema": {"type": "object", "properties": {"a": schema}}}
    assert provider().ask("x", text={"format": form}).status == 400
