"""The full response object of the provider's documentation, to be changed field by field."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

FULL: dict[str, Any] = {
    "id": "resp_67cc",
    "object": "response",
    "created_at": 1741476542,
    "status": "completed",
    "completed_at": 1741476543,
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "model": "gpt-6-luna",
    "output": [
        {
            "type": "message",
            "id": "msg_67cc",
            "status": "completed",
            "role": "assistant",
            "phase": "final_answer",
            "content": [{"type": "output_text", "text": "billing", "annotations": [], "logprobs": []}],
        }
    ],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": "none", "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": {
        "input_tokens": 36,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 87,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 123,
    },
    "user": None,
    "metadata": {},
}


@pytest.fixture(scope="session")
def full_response() -> dict[str, Any]:
    """The full response object; not to be changed."""
    return FULL


@pytest.fixture(scope="session")
def make_body() -> Callable[..., bytes]:
    """A function: the full response object as JSON bytes, with fields replaced, or left out by `...`."""

    def make(**changes: Any) -> bytes:
        merged = {**FULL, **changes}
        return json.dumps({name: value for name, value in merged.items() if value is not ...}).encode()

    return make
