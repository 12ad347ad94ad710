"""Counting a request's input tokens at the provider: `POST /responses/input_tokens`, which bills nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from trivet.wire.openai_responses import encode as encode_fields
from trivet.wire.provider_errors import raise_for_status
from trivet.wire.response_object import UNREADABLE, not_a_response, why

PATH = "/responses/input_tokens"

COUNTED = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "personality",
        "previous_response_id",
        "prompt",  # not taken by the provider so far: better refused by it than left out of the count
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
"""The fields of a request that its input tokens depend on. Source: the provider's SDK, 3.54.0."""


class _Count(Struct):
    input_tokens: Annotated[int, Meta(ge=0)]


_count = msgspec.json.Decoder(_Count).decode


def encode(fields: Mapping[str, Any]) -> bytes:
    """The body that asks how many input tokens a request of these fields has; other fields are left out."""
    head, tail = encode_fields({name: value for name, value in fields.items() if name in COUNTED})
    return head + tail


def decode(status: int, headers: Mapping[str, str], body: bytes) -> int:
    """The number of input tokens, the formatting of roles and boundaries included.

    Raises `ProviderError` for statuses from 400 on, `ProtocolError` for what is not a count.
    """
    raise_for_status(status, headers, body)
    try:
        return _count(body).input_tokens
    except UNREADABLE as broken:
        raise not_a_response(headers, body, f"a count of tokens was asked for, and {why(broken)}") from None
