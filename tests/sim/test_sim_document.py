"""Every document is valid against its schema."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import example as explicitly
from hypothesis import strategies as st

from trivet.sim.chooser import Chooser
from trivet.sim.document import Writer
from trivet.sim.draws import Draws
from trivet.sim.pattern import example
from trivet.sim.read import Shape, read


def write(schema: Any, matter: str = "I was charged twice for order 12", ask: str = "") -> Any:
    shape = read(ask) if ask else Shape()
    return Writer(schema, shape, matter, "medium", Chooser(Draws(0, b"", 0), 0)).write()


NAMES = st.sampled_from(["category", "summary", "next_action", "id", "score", "tags", "urgent", "x"])
BOUNDS = st.tuples(st.integers(-50, 50), st.integers(0, 40))
LEAVES = st.one_of(
    st.just({"type": "string"}),
    BOUNDS.map(lambda b: {"type": "string", "minLength": abs(b[0]), "maxLength": abs(b[0]) + b[1]}),
    st.sampled_from(["date", "date-time", "time", "email", "uuid", "ipv4", "ipv6", "uri", "hostname"]).map(
        lambda form: {"type": "string", "format": form}
    ),
    BOUNDS.map(lambda b: {"type": "integer", "minimum": b[0], "maximum": b[0] + b[1]}),
    BOUNDS.map(lambda b: {"type": "number", "exclusiveMinimum": b[0], "maximum": b[0] + b[1] + 1}),
    st.integers(1, 9).map(lambda n: {"type": "integer", "multipleOf": n, "minimum": 3}),
    st.just({"type": "integer", "maximum": -7}),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": ["string", "null"]}),
    st.just({"const": 4}),
    st.lists(st.one_of(st.text(max_size=8), st.integers()), min_size=1, max_size=5).map(lambda v: {"enum": v}),
    st.sampled_from([r"^[A-Z]{3}-\d{4}$", r"^\+?\d{7,15}$", r"^(yes|no)$", r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$"]).map(
        lambda pattern: {"type": "string", "pattern": pattern}
    ),
)


def _inner(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.dictionaries(NAMES, children, max_size=4).map(
        lambda properties: {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    )
    arrays = st.tuples(children, st.integers(0, 4), st.integers(0, 4)).map(
        lambda made: {"type": "array", "items": made[0], "minItems": made[1], "maxItems": made[1] + made[2]}
    )
    either = st.lists(children, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches})
    return st.one_of(objects, arrays, either)


SCHEMAS = st.recursive(LEAVES, _inner, max_leaves=12)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS, st.text(max_size=200))
def test_a_document_is_valid_whatever_the_schema_and_the_text(schema: Any, matter: str) -> None:
    """Against an independent validator, formats checked."""
    value = write({"type": "object", "properties": {"root": schema}, "required": ["root"]}, matter)
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(json.loads(json.dumps(value))["root"])


def test_recursion_ends_at_a_bounded_depth() -> None:
    """A schema that refers to itself gives a finite, valid document."""
    node = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        },
        "required": ["name", "next", "children"],
        "additionalProperties": False,
    }
    schema = {"$ref": "#/$defs/node", "$defs": {"node": node}}
    value = write(schema)
    jsonschema_rs.validator_for(schema).validate(value)
    assert len(json.dumps(value)) < 1_000_000


def test_references_and_all_of_are_followed() -> None:
    """Definitions under either name, and parts merged."""
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/definitions/A"}, "b": {"$ref": "#/$defs/B"}},
        "required": ["a", "b"],
        "definitions": {"A": {"enum": ["x"]}},
        "$defs": {
            "B": {
                "allOf": [
                    {"type": "object", "properties": {"c": {"const": 1}}, "required": ["c"]},
                    {"properties": {"d": {"type": "boolean"}}, "required": ["d"]},
                ]
            }
        },
    }
    assert write(schema) == {"a": "x", "b": {"c": 1, "d": False}}


def test_enums_are_chosen_by_the_words_and_the_prompt_s_descriptions() -> None:
    """As labels are."""
    schema = {"type": "object", "properties": {"category": {"enum": ["billing", "technical", "other"]}}}
    assert write(schema)["category"] == "billing"
    assert write(schema, "the app crashes on start")["category"] == "technical"


def test_a_free_string_takes_the_labels_that_the_prompt_names() -> None:
    """A category without an enum is one of the prompt's labels; a summary has its bounds."""
    properties = {"category": {"type": "string"}, "summary": {"type": "string"}}
    value = write({"type": "object", "properties": properties}, ask="Labels: billing, other. Summary: at most 4 words.")
    assert value["category"] == "billing"
    assert 1 <= len(value["summary"].split()) <= 12


def test_each_numbered_row_fills_an_item_of_its_own() -> None:
    """Identifiers come back, and each label fits its own row."""
    item = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "label": {"enum": ["billing", "technical"]}},
    }
    schema = {"type": "object", "properties": {"results": {"type": "array", "items": item}}}
    value = write(schema, "1. charged twice\n2. app crashes\n3. refund")
    assert [entry["id"] for entry in value["results"]] == [1, 2, 3]
    assert [entry["label"] for entry in value["results"]] == ["billing", "technical", "billing"]


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{3}-\d{2}$",
        r"^#[0-9a-fA-F]{6}$",
        r"^(?:a|bc)+x?$",
        r"[A-Z][a-z]+",
        r"^.{5,}$",
        r"^\w+\s\w+$",
        r"^[^a-z]{2}$",
    ],
)
def test_a_pattern_s_example_matches_it(pattern: str) -> None:
    """And is as long as asked, where the pattern allows."""
    made = example(pattern)
    assert made is not None
    assert re.search(pattern, made)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(st.text(max_size=30))
@explicitly("[[")
def test_an_example_matches_or_is_none_for_any_expression(pattern: str) -> None:
    """Garbage included."""
    made = example(pattern)
    assert made is None or re.search(pattern, made)
