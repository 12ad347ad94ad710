from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.tasks.strict import is_strict, strict


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TICKET = an_object(category={"enum": ["a", "b"]}, tags={"type": "array", "items": an_object(name={"type": "string"})})


def test_a_closed_object_with_all_properties_required_is_strict() -> None:
    assert is_strict(TICKET)
    assert is_strict(an_object())
    assert is_strict({**an_object(x={"$ref": "#/$defs/T"}), "$defs": {"T": TICKET}})
    assert is_strict(an_object(x={"anyOf": [TICKET, {"type": "null"}]}))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": TICKET},
        {"anyOf": [TICKET]},
        {**TICKET, "additionalProperties": True},
        {key: value for key, value in TICKET.items() if key != "additionalProperties"},
        {**TICKET, "required": ["category"]},
        an_object(x={"type": "object"}),
        an_object(x={"type": ["object", "null"]}),
        an_object(x={"properties": {}}),
        an_object(x={"type": "array", "items": {**TICKET, "required": []}}),
        an_object(x={"anyOf": [{"type": "object"}, {"type": "null"}]}),
        {**an_object(), "$defs": {"T": {"type": "object"}}},
        an_object(x={"oneOf": [TICKET]}),
        an_object(x={"allOf": [TICKET]}),
        an_object(x={"not": TICKET}),
        an_object(x={"type": "array", "prefixItems": [{"type": "string"}]}),
        an_object(x=True),
    ],
)
def test_a_schema_outside_of_the_dialect_is_not_strict(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)


def test_a_property_may_be_named_like_a_keyword() -> None:
    schema = an_object(allOf={"type": "string"}, properties={"type": "string"}, required={"type": "string"})
    assert is_strict(schema)
    assert strict(schema) == schema


def test_the_schema_given_is_not_changed() -> None:
    given_schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A", "title": "t"}},
        "$defs": {"A": TICKET},
    }
    before = copy.deepcopy(given_schema)
    strict(given_schema)
    assert given_schema == before


NODES = st.recursive(
    st.sampled_from([{"type": "string"}, {"type": "integer", "default": None}, {"$ref": "#/$defs/A", "title": "x"}]),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner).map(lambda p: {"type": "object", "properties": p}),
        inner.map(lambda item: {"type": "array", "items": item}),
        inner.map(lambda item: {"allOf": [item]}),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"anyOf": each}),
    ),
)


OBJECTS = st.dictionaries(st.sampled_from("abc"), NODES).map(lambda p: {"type": "object", "properties": p})


@given(st.dictionaries(st.sampled_from("abc"), NODES), OBJECTS)
def test_rewriting_gives_a_strict_schema_and_is_idempotent(properties: dict[str, Any], definition: Any) -> None:
    schema = {"type": "object", "properties": properties, "$defs": {"A": definition}}
    rewritten = strict(schema)
    assert is_strict(rewritten)
    assert strict(rewritten) == rewritten
