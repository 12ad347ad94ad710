"""The OpenAI Chat Completions dialect: a request's fields to a key, a reply's bytes to a `Reply`, and back to a stream.

Source: the provider's OpenAPI file (August 2026) and what its SDK, 3.54.0, reads. What compatible servers leave out has
a default; a field of the wrong type is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from trivet.errors import ProtocolError
from trivet.types import JsonObject, Reply, Usage
from trivet.wire import openai_responses
from trivet.wire.headers import rate_limits
from trivet.wire.provider_errors import failure, raise_for_status
from trivet.wire.response_object import SIMULATED, UNREADABLE, not_a_response, why

PATH = "/chat/completions"

_Tokens = Annotated[int, Meta(ge=0, le=2**53)]
_NULL = Raw(b"null")
_CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}
_LISTS = ("tool_calls",)


class _InputDetails(Struct, gc=False):
    cached_tokens: _Tokens | None = None
    cache_write_tokens: _Tokens | None = None


class _OutputDetails(Struct, gc=False):
    reasoning_tokens: _Tokens | None = None


class ChatUsage(Struct, gc=False):
    """Tokens as this API tells them."""

    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Message(Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    tool_calls: Raw = _NULL
    function_call: Raw = _NULL
    audio: Raw = _NULL


class _Choice(Struct, gc=False):
    message: _Message | None = None
    finish_reason: str | None = None


class _Completion(Struct, gc=False):
    object: str | None = None
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    choices: list[_Choice] | None = None
    error: Raw = _NULL
    usage: ChatUsage | None = None


_completion = msgspec.json.Decoder(_Completion).decode
_json = msgspec.json.Encoder().encode


def encode(fields: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The request's body as `(head, tail)`; `head` is what the cache key is made of.

    `stream_options` is left out of both: it says how an answer is delivered, its usage included, never what it is.
    """
    return openai_responses.encode({name: value for name, value in fields.items() if name != "stream_options"})


def decode(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """The `Reply` of a whole HTTP reply; header names are lower-case. `text` is the first choice's.

    Raises `ProviderError` for statuses from 400 on, `ProtocolError` for what is not a chat completion.
    """
    raise_for_status(status, headers, body)
    return read_completion(headers, body)


def read_completion(headers: Mapping[str, str], body: bytes) -> Reply:
    """The reply that a chat completion object (JSON bytes) is."""
    try:
        found = _completion(body)
    except UNREADABLE as broken:
        raise not_a_response(headers, body, why(broken)) from None
    if bytes(found.error) != b"null" and not found.choices:
        raise failure(body, status=200, request_id=headers.get("x-request-id"))
    if found.choices is None or found.object not in (None, "chat.completion"):
        raise not_a_response(headers, body, "it is no chat completion")
    messages = [choice.message or _Message() for choice in found.choices]
    first = messages[0] if messages else _Message()
    reason = _reason(found.choices)
    return Reply(
        text=first.content or "",
        status="incomplete" if reason else "completed",
        model=found.model or "",
        id=found.id or "",
        reason=reason,
        refusal=next((message.refusal for message in messages if message.refusal), None),
        usage=usage_of(found.usage),
        tier=found.service_tier,
        body=body,
        request_id=headers.get("x-request-id"),
        limits=rate_limits(headers),
        simulated=SIMULATED in headers,
        has_other_output=any(_has_other(message) for message in messages),
    )


def usage_of(usage: ChatUsage | None) -> Usage | None:
    """None where it can't be billed by: a total is missing, or parts of the input exceed the whole."""
    if usage is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    details = usage.prompt_tokens_details or _InputDetails()
    cached, written = details.cached_tokens or 0, details.cache_write_tokens or 0
    if cached + written > usage.prompt_tokens:
        return None
    reasoning = usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens
    return Usage(
        input=usage.prompt_tokens,
        cached_input=cached,
        cache_write=written,
        output=usage.completion_tokens,
        reasoning=reasoning or 0,
    )


def replay(body: bytes, *, with_usage: bool) -> list[bytes]:
    """The chunks (JSON bytes) that a stored completion might have come in: role, content and end of each choice.

    `with_usage`: the last chunk tells it, as `stream_options.include_usage` asks. Raises `ProtocolError` where the body
    is not a chat completion.
    """
    try:
        stored = msgspec.json.decode(body, type=dict[str, Any])
        return [_json(chunk) for chunk in _chunks(stored, with_usage)]
    except (*UNREADABLE, AttributeError, TypeError, KeyError) as broken:
        raise ProtocolError(f"a stored completion can't be replayed: {why(broken)}", retryable=False) from None


def _chunks(stored: JsonObject, with_usage: bool) -> Iterator[JsonObject]:
    base = {name: value for name, value in stored.items() if name not in ("choices", "usage")}
    base["object"] = "chat.completion.chunk"
    if with_usage:
        base["usage"] = None
    for place, choice in enumerate(stored["choices"]):
        index = choice.get("index", place)
        message = dict(choice["message"])
        said = {name: value for name, value in message.items() if name != "role" and value is not None}
        opened = {"role": message.get("role", "assistant")}
        if "content" in message:
            opened["content"] = "" if message["content"] is not None else None
        yield {**base, "choices": [_part(index, opened)]}
        for name in _LISTS:
            if isinstance(said.get(name), list):
                said[name] = [{"index": at, **item} for at, item in enumerate(said[name])]
        if said:
            yield {**base, "choices": [_part(index, said, choice.get("logprobs"))]}
        yield {**base, "choices": [{**_part(index, {}), "finish_reason": choice.get("finish_reason")}]}
    if with_usage:
        yield {**base, "choices": [], "usage": stored.get("usage")}


def _part(index: int, delta: JsonObject, logprobs: object = None) -> JsonObject:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}


def _reason(choices: list[_Choice]) -> str | None:
    """Why one of the answers is not whole, if one is not."""
    return next((_CUT[c.finish_reason] for c in choices if c.finish_reason in _CUT), None)


def _has_other(message: _Message) -> bool:
    return any(
        bytes(part) not in (b"null", b"[]") for part in (message.tool_calls, message.function_call, message.audio)
    )
