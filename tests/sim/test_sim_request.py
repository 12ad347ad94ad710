"""Wrong requests are refused as the API refuses them, with all four fields of the error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.sim.core import Core
from trivet.sim.scenario import Scenario

CASES = [
    ({"model": None}, 400, "missing_required_parameter", "model"),
    ({"input": None}, 400, "missing_required_parameter", "input"),
    ({"model": "gpt-9"}, 404, "model_not_found", None),
    ({"model": 7}, 400, "invalid_type", "model"),
    ({"input": 7}, 400, "invalid_type", "input"),
    ({"nonsense": 1}, 400, "unknown_parameter", "nonsense"),
    ({"max_tokens": 16}, 400, "unknown_parameter", "max_tokens"),
    ({"max_output_tokens": "16"}, 400, "invalid_type", "max_output_tokens"),
    ({"max_output_tokens": True}, 400, "invalid_type", "max_output_tokens"),
    ({"max_output_tokens": 0}, 400, "integer_below_min_value", "max_output_tokens"),
    ({"temperature": 3}, 400, "decimal_above_max_value", "temperature"),
    ({"top_p": -1}, 400, "decimal_below_min_value", "top_p"),
    ({"stream": "yes"}, 400, "invalid_type", "stream"),
    ({"reasoning": {"effort": "huge"}}, 400, "invalid_value", "reasoning.effort"),
    ({"reasoning": {"effort": "minimal"}}, 400, "unsupported_value", "reasoning.effort"),
    ({"reasoning": {"effort": "max"}}, 400, "unsupported_value", "reasoning.effort"),
    ({"reasoning": {"depth": 1}}, 400, "unknown_parameter", "reasoning.depth"),
    ({"model": "gpt-6-astra", "reasoning": {"effort": "none"}}, 400, "unsupported_value", "reasoning.effort"),
    ({"model": "gpt-4o", "reasoning": {"effort": "low"}}, 400, "unsupported_parameter", "reasoning.effort"),
    ({"model": "gpt-6.2-sol", "temperature": 0.2}, 400, "unsupported_parameter", "temperature"),
    ({"text": {"verbosity": "huge"}}, 400, "invalid_value", "text.verbosity"),
    ({"text": {"format": {"type": "xml"}}}, 400, "invalid_value", "text.format.type"),
    (
        {"text": {"format": {"type": "json_schema", "schema": {}}}},
        400,
        "missing_required_parameter",
        "text.format.name",
    ),
    (
        {"text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}},
        400,
        "invalid_value",
        "text.format.name",
    ),
    ({"service_tier": "cheap"}, 400, "invalid_value", "service_tier"),
    ({"model": "gpt-6.2-sol", "service_tier": "flex"}, 400, None, "service_tier"),
    ({"metadata": {"k": 1}}, 400, "invalid_type", "metadata.k"),
    ({"metadata": {"k" * 65: "v"}}, 400, "string_above_max_length", "metadata"),
    ({"metadata": {str(n): "v" for n in range(17)}}, 400, "object_above_max_properties", "metadata"),
    ({"safety_identifier": "x" * 129}, 400, "string_above_max_length", "safety_identifier"),
    ({"input": [{"role": "nobody", "content": "x"}]}, 400, "invalid_value", "input[0].role"),
    ({"input": [{"role": "user"}]}, 400, "missing_required_parameter", "input[0].content"),
    (
        {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        400,
        "invalid_value",
        "input[0].content[0].type",
    ),
    ({"input": ["x"]}, 400, "invalid_type", "input[0]"),
    ({"background": True}, 400, "unsupported_parameter", "background"),
]


@pytest.mark.parametrize(("fields", "status", "code", "param"), CASES, ids=[json.dumps(case[0])[:40] for case in CASES])
def test_a_wrong_field_is_refused_by_name(provider: Any, fields: Any, status: int, code: str, param: str) -> None:
    """With message, type, param and code."""
    asked = provider().post("/v1/responses", {"model": "gpt-5.4-mini", "input": "x", **fields})
    assert asked.status == status
    assert set(asked.error) == {"message", "type", "param", "code"}
    assert (asked.error["code"], asked.error["param"]) == (code, param)
    assert asked.error["type"] == "invalid_request_error"
    assert asked.error["message"]
    assert asked.headers["x-request-id"].startswith("req_")


def test_an_unsupported_effort_names_what_the_model_takes(provider: Any) -> None:
    """In the provider's words."""
    asked = provider().ask("x", reasoning={"effort": "minimal"})
    assert asked.error["message"] == (
        "Unsupported value: 'minimal' is not supported with the 'gpt-5.4-mini' model. "
        "Supported values are: 'none', 'low', 'medium', 'high', and 'xhigh'."
    )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{}x", b"[" * 100_000, b'{"a":\x00}']
)
def test_a_body_that_is_no_json_object_is_a_400(provider: Any, body: bytes) -> None:
    """However it is broken."""
    asked = provider().post("/v1/responses", body)
    assert asked.status == 400
    assert set(asked.error) == {"message", "type", "param", "code"}


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=9)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3)),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["model", "input", "instructions", "text", "reasoning", "metadata", "tools", "tool_choice", "include", "stream",
     "stream_options", "prompt", "prompt_cache_options", "conversation", "context_management", "max_output_tokens",
     "prompt_cache_key", "truncation", "service_tier", "temperature", "user", "store", "other"]
)  # fmt: skip
CORE = Core(Scenario(time_scale=0))
HEADERS = {"authorization": "Bearer any", "content-type": "application/json"}


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(FIELDS, VALUES, max_size=5))
def test_no_json_object_breaks_the_server(fields: dict[str, Any]) -> None:
    """Any fields of any types give an answer or a documented error."""
    body = json.dumps({"model": "gpt-5.4-mini", "input": "Hi", **fields}).encode()
    exchange = CORE.handle("POST", "/v1/responses", HEADERS, body, 1.8e9)
    list(exchange.chunks)
    assert exchange.status in (200, 400, 404)


def test_dates_and_aliases_name_the_same_model(provider: Any) -> None:
    """The snapshot's name is echoed as it was asked for."""
    for name in ("gpt-5.4-mini-2026-03-17", "gpt-5.6"):
        asked = provider().ask("x", model=name)
        assert asked.status == 200
        assert asked.json["model"] == name


@pytest.mark.parametrize(
    ("model", "asked", "echoed"),
    [
        ("gpt-5.4-mini", None, "default"),
        ("gpt-5.4-mini", "auto", "default"),
        ("gpt-5.4-mini", "flex", "flex"),
        ("gpt-5.4-mini", "fast", "priority"),
        ("gpt-5.4-mini", "priority", "priority"),
        ("gpt-6-luna", "priority", "fast"),
        ("gpt-5.4-nano", "fast", "default"),
        ("gpt-5.4-mini", "ultrafast", "default"),
        ("gpt-6.2-sol", "ultrafast", "ultrafast"),
    ],
)
def test_the_tier_that_served_is_echoed(provider: Any, model: str, asked: str | None, echoed: str) -> None:
    """Fast under the name of the model's generation; the default where a model lacks it."""
    assert provider().ask("x", model=model, service_tier=asked).json["service_tier"] == echoed
