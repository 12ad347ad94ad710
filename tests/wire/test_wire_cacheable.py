"""Which requests may share an answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.wire.cacheable import cacheable, chat_cacheable


def part(**fields: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "input_text", "text": "look"}, fields]}]


ALONE = [
    {"input": "text"},
    {"input": ""},
    {"input": None},
    {},
    {"input": [{"role": "user", "content": "שלום 😀"}]},
    {"input": ({"role": "user", "content": ({"type": "input_text", "text": "x"},)},)},
    {"input": [{"type": "message", "role": "developer", "content": []}]},
    {"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}]},
    {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]},
    {"input": [{"type": "function_call_output", "call_id": "c", "output": "3"}]},
    {"input": part(type="input_image", image_url="data:image/png;base64,AA")},
    {"input": part(type="input_image", file_id="file_1", image_url=None)},
    {"input": part(type="input_file", file_data="data:application/pdf;base64,AA")},
    {"tools": None},
    {"tools": []},
    {"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}]},
    {"background": False, "previous_response_id": None, "conversation": None, "prompt": None},
    {"store": True, "truncation": "auto", "temperature": 1.9},
]

NOT_ALONE = [
    {"background": True},
    {"previous_response_id": "resp_1"},
    {"conversation": "conv_1"},
    {"conversation": {"id": "conv_1"}},
    {"prompt": {"id": "pmpt_1"}},
    {"tools": [{"type": "web_search"}]},
    {"tools": ({"type": "file_search"},)},
    {"tools": [{"type": "function"}, {"type": "mcp", "server_url": "x"}]},
    {"tools": [{"type": "code_interpreter"}]},
    {"tools": [{"type": "a tool of next year"}]},
    {"tools": [{}]},
    {"tools": ["function"]},
    {"tools": {"type": "function"}},
    {"tools": msgspec.Raw(b'[{"type":"web_search"}]')},
    {"input": [{"type": "item_reference", "id": "msg_1"}]},
    {"input": ({"type": "item_reference", "id": "msg_1"},)},
    {"input": [{"role": "user", "content": "x"}, {"id": "msg_1"}]},
    {"input": [{"type": None, "id": "msg_1"}]},
    {"input": msgspec.Raw(b'[{"type":"item_reference"}]')},
    {"input": ["text"]},
    {"input": part(type="input_image", image_url="https://a.example/x.png")},
    {"input": part(type="input_file", file_url="https://a.example/x.pdf")},
    {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "image_url": "http://x"}]}]},
    {"input": [{"type": "computer_call_output", "output": {"image_url": "https://x"}}]},
]


@pytest.mark.parametrize("fields", ALONE)
def test_a_body_that_decides_the_question_alone_may_be_cached(fields: dict[str, Any]) -> None:
    assert cacheable({"model": "m"} | fields)


@pytest.mark.parametrize("fields", NOT_ALONE)
def test_a_body_that_leans_on_the_server_or_the_world_may_not(fields: dict[str, Any]) -> None:
    assert not cacheable({"model": "m"} | fields)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, JSON)
def test_any_shape_is_judged_without_an_error(tools: Any, items: Any) -> None:
    assert cacheable({"tools": tools, "input": items}) in (True, False)


@pytest.mark.parametrize(
    "model",
    ["gpt-4o-search-preview", "gpt-4o-mini-search-preview-2025-03-11", "gpt-5-search-api", "o4-mini-deep-research"],
)
def test_models_that_search_by_themselves_are_not_shared(model: str) -> None:
    assert not cacheable({"model": model, "input": "What is new?"})
    assert not chat_cacheable({"model": model, "messages": [{"role": "user", "content": "What is new?"}]})
