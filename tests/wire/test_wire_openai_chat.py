"""The dialect of chat completions, whole and streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import ProtocolError, ProviderError
from trivet.wire.cacheable import chat_cacheable
from trivet.wire.chat_stream import ChatStreamReader
from trivet.wire.openai_chat import decode, encode, replay

USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


def whole(*messages: dict[str, Any], finish: str = "stop", **more: Any) -> bytes:
    """A completion, with a choice for each message."""
    choices = [
        {
            "index": n,
            "message": {"role": "assistant", "refusal": None, **message},
            "finish_reason": finish,
            "logprobs": None,
        }
        for n, message in enumerate(messages)
    ]
    told = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": USAGE}
    return json.dumps({**told, **more}).encode()


def read(chunks: list[bytes], size: int = 7) -> Any:
    """What a stream of these chunks comes to, however it is cut."""
    raw = b"".join(b"data: " + chunk + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    reader = ChatStreamReader({"x-request-id": "r"})
    for start in range(0, len(raw), size):
        reader.feed(raw[start : start + size])
    assert reader.done
    return reader.finish()


def test_a_completion_is_read() -> None:
    """Text, tokens as they are billed, ids."""
    reply = decode(200, {"x-request-id": "r"}, whole({"content": "hi"}, service_tier="flex"))
    assert (reply.text, reply.status, reply.model, reply.id, reply.tier) == ("hi", "completed", "m", "c", "flex")
    assert reply.usage is not None
    assert (reply.usage.input, reply.usage.cached_input, reply.usage.output, reply.usage.reasoning) == (9, 3, 4, 1)
    assert reply.request_id == "r"


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_a_cut_completion_is_incomplete(finish: str, reason: str) -> None:
    """With the reason in the words of the other API."""
    reply = decode(200, {}, whole({"content": "hi"}, finish=finish))
    assert (reply.status, reply.reason) == ("incomplete", reason)


def test_tool_calls_are_output_and_refusals_are_told() -> None:
    """A message need not hold text."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert decode(200, {}, whole({"content": None, "tool_calls": [call]}, finish="tool_calls")).has_other_output
    assert decode(200, {}, whole({"content": None, "refusal": "no"})).refusal == "no"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"object":"list"}', b"<html>", b'{"choices":[{"message":3}]}']
)
def test_what_is_none_is_an_error(body: bytes) -> None:
    """Never an empty answer."""
    with pytest.raises(ProtocolError):
        decode(200, {}, body)


def test_errors_are_those_of_the_other_api() -> None:
    """By status, or told inside a good one."""
    error = {"error": {"message": "x", "type": "server_error", "code": None, "param": None}}
    with pytest.raises(ProviderError):
        decode(500, {}, json.dumps(error).encode())
    with pytest.raises(ProviderError):
        decode(200, {}, json.dumps(error).encode())


def test_how_a_stream_is_told_is_no_part_of_the_question() -> None:
    """The head is the same with and without."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    streamed = {**asked, "stream": True, "stream_options": {"include_usage": True}}
    assert encode(asked)[0] == encode(streamed)[0]
    assert encode(asked)[0] != encode({**asked, "n": 2})[0]


TEXT = st.text(max_size=40)
CALL = st.fixed_dictionaries(
    {
        "id": st.just("call"),
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": st.just("f"), "arguments": TEXT}),
    }
)


@given(
    st.lists(
        st.one_of(
            st.fixed_dictionaries({"content": TEXT}),
            st.fixed_dictionaries({"content": st.none(), "tool_calls": st.lists(CALL, min_size=1, max_size=3)}),
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 200),
)
def test_what_is_replayed_reads_as_what_was_kept(messages: list[dict[str, Any]], size: int) -> None:
    """Whatever it holds and however the stream is cut, with the usage where it is asked for."""
    body = whole(*messages)
    found = read(replay(body, with_usage=True), size)
    kept = json.loads(body)
    assert json.loads(found.body) == kept
    assert read(replay(body, with_usage=False)).usage is None


def test_fields_of_other_servers_are_kept() -> None:
    """Reasoning beside the content, log probabilities."""
    pieces = [
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": "a"}}]},
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"reasoning_content": "b", "content": "x"}}]},
        {"choices": [{"index": 0, "delta": {"content": "y"}, "logprobs": {"content": [{"token": "y"}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
        {"choices": [], "usage": USAGE},
    ]
    found = json.loads(read([json.dumps(piece).encode() for piece in pieces]).body)
    assert found["choices"][0]["message"]["reasoning_content"] == "ab"
    assert found["choices"][0]["message"]["content"] == "xy"
    assert found["choices"][0]["logprobs"] == {"content": [{"token": "y"}]}


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b'{"choices":[3]}', b'{"choices":[{"delta":{"tool_calls":[{"index":9}]}}]}', b'{"choices":{"a":1}}'],
)
def test_garbage_in_a_stream_is_an_error(data: bytes) -> None:
    """And nothing worse."""
    with pytest.raises(ProtocolError):
        ChatStreamReader({}).feed(b"data: " + data + b"\n\n")


def test_an_error_told_in_a_stream_is_one() -> None:
    """Not the end of an answer."""
    with pytest.raises(ProviderError):
        ChatStreamReader({}).feed(b'data: {"error": {"message": "x", "code": "server_error"}}\n\n')


def test_a_stream_that_is_cut_is_no_answer() -> None:
    """However much of it had come."""
    reader = ChatStreamReader({})
    reader.feed(b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n')
    assert reader.text
    with pytest.raises(ProtocolError, match="cut"):
        reader.finish()


@pytest.mark.parametrize("body", [b"{}", b"[]", b"{", b'{"choices":[{}]}', b'{"choices":[{"message":1}]}'])
def test_what_is_no_completion_is_not_replayed(body: bytes) -> None:
    """A damaged entry is a miss, not a broken stream."""
    with pytest.raises(ProtocolError):
        replay(body, with_usage=True)


@pytest.mark.parametrize(
    "more",
    [
        {"web_search_options": {}},
        {"tools": [{"type": "web_search"}]},
        {"tools": "all"},
        {"messages": None},
        {"messages": ["x"]},
        {"messages": [{"content": [{"image_url": {"url": "http://x"}}]}]},
        {"messages": [{"content": [{"image_url": 3}]}]},
        {"messages": [{"audio": {"id": "a"}}]},
    ],
)
def test_what_the_body_does_not_decide_is_not_cacheable(more: dict[str, Any]) -> None:
    """Nor what can't be looked into."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    assert chat_cacheable(asked)
    assert chat_cacheable({**asked, "messages": [{"content": [{"image_url": {"url": "data:image/png;base64,AA"}}]}]})
    assert not chat_cacheable({**asked, **more})
