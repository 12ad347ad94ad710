"""Streams: deltas, the terminal event, errors of both shapes, cuts, and replay."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import ProtocolError, ProviderError, RequestError
from trivet.types import Event, Reply, Usage
from trivet.wire.openai_responses import decode
from trivet.wire.sse import frame
from trivet.wire.stream import StreamReader, replay

MakeBody = Callable[..., bytes]
SSE = {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_1"}


def event(kind: str, **fields: Any) -> bytes:
    return frame(kind, json.dumps({"type": kind, "sequence_number": 0, **fields}).encode())


def delta(words: str) -> bytes:
    return event("response.output_text.delta", delta=words, item_id="m", output_index=0, content_index=0)


def terminal(kind: str, response: bytes) -> bytes:
    return frame(kind, b'{"type":"%s","response":%s}' % (kind.encode(), response))


def read(stream: bytes, headers: dict[str, str] = SSE, status: int = 200) -> tuple[list[Event], Reply]:
    reader = StreamReader(status, headers)
    events = reader.feed(stream)
    return events, reader.finish()


def test_a_whole_stream(make_body: MakeBody) -> None:
    """Deltas are the visible text; the last event and `finish` have the reply, its body the response."""
    response = make_body()
    stream = (
        event("response.created", response={"status": "in_progress", "output": [], "usage": None})
        + event("response.output_item.added", item={"type": "message"})
        + delta("bil")
        + b": ping\n\n"
        + delta("ling")
        + event("response.output_text.done", text="billing")
        + terminal("response.completed", response)
        + b"data: [DONE]\n\n"
    )
    events, reply = read(stream)
    assert "".join(e.delta for e in events) == "billing"
    assert [e.type for e in events if e.delta] == ["response.output_text.delta"] * 2
    assert [e.reply for e in events] == [None] * 5 + [reply]
    assert json.loads(events[0].data)["type"] == "response.created"
    assert reply == decode(200, SSE, response)
    assert reply.body == response


def test_only_text_is_visible(make_body: MakeBody) -> None:
    """Refusals, reasoning, tool calls and unknown events pass through and add nothing visible."""
    kinds = [
        "response.refusal.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.function_call_arguments.delta",
        "response.something.new",
    ]
    stream = b"".join(event(kind, delta="x") for kind in kinds)
    events, _ = read(stream + terminal("response.completed", make_body()))
    assert [e.type for e in events[:-1]] == kinds
    assert all(e.delta == "" for e in events)


def test_incomplete(make_body: MakeBody) -> None:
    """An incomplete answer is a reply that says why."""
    response = make_body(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    _, reply = read(terminal("response.incomplete", response))
    assert (reply.status, reply.reason) == ("incomplete", "max_output_tokens")


def test_the_event_tells_a_missing_status(make_body: MakeBody) -> None:
    """Where the response leaves its status out, it is the terminal event's."""
    assert read(terminal("response.incomplete", make_body(status=...)))[1].status == "incomplete"
    with pytest.raises(ProviderError):
        read(terminal("response.failed", make_body(status=...)))


def test_failed(make_body: MakeBody) -> None:
    """A failed response is the error its code says, without an HTTP status, with its usage."""
    response = make_body(status="failed", error={"code": "context_length_exceeded", "message": "long"})
    with pytest.raises(ProviderError) as caught:
        read(terminal("response.failed", response))
    found = caught.value
    assert (found.status, found.code, found.retryable) == (None, "context_length_exceeded", False)
    assert (found.possibly_billed, found.usage) == (True, Usage(input=36, output=87))


NESTED = {"error": {"type": "rate_limit_error", "code": "slow_down", "message": "slower", "param": None}}
FLAT = {"code": "slow_down", "message": "slower", "param": None}


@pytest.mark.parametrize(
    "stream",
    [
        event("error", **NESTED),
        event("error", **FLAT),
        event("error", **NESTED, **FLAT),
        frame("message", json.dumps({"type": "error", **FLAT}).encode()),
        frame("error", json.dumps(FLAT).encode()),
        frame("error", json.dumps({**FLAT, "type": "rate_limit_error"}).encode()),
        frame("message", json.dumps(NESTED).encode()),
        frame("message", json.dumps({"object": "error", **FLAT}).encode()),
    ],
)
@pytest.mark.parametrize("before", [b"", delta("some ")])
def test_error_events(stream: bytes, before: bytes) -> None:
    """Nested, flat or both, with or without a type: the error is raised, and may have been billed."""
    with pytest.raises(ProviderError, match="slower") as caught:
        StreamReader(200, SSE).feed(before + stream)
    found = caught.value
    assert (found.status, found.code, found.retryable) == (None, "slow_down", True)
    assert (found.possibly_billed, found.request_id) == (True, "req_1")
    assert found.type in (None, "rate_limit_error")


@pytest.mark.parametrize(
    "stream",
    [
        delta("half an ans"),
        delta("half") + b"data: [DONE]\n\n",
        delta("half") + b'event: response.completed\ndata: {"type":"response.comp',
        b": only a comment\n\n",
        event("response.created"),
    ],
)
def test_a_cut_stream_is_no_answer(stream: bytes) -> None:
    """Without its terminal event a stream is an error that says so, and may have been billed."""
    with pytest.raises(ProtocolError, match="without its terminal event") as caught:
        read(stream)
    assert (caught.value.retryable, caught.value.possibly_billed) == (True, True)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"data: {broken\n\n", "JSON is broken"),
        (b"data: []\n\n", "wrong type"),
        (b"data: nonsense\n\n", "JSON is broken"),
        (event("response.output_text.delta"), "wrong type"),
        (event("response.output_text.delta", delta=5), "wrong type"),
        (frame("x", b'{"type":5}'), "wrong type"),
        (event("response.completed"), "carries no response"),
        (event("response.completed", response=None), "carries no response"),
        (event("response.completed", response={}), "no output"),
        (event("response.completed", response="done"), "wrong type"),
    ],
)
def test_broken_events(stream: bytes, words: str) -> None:
    """An event that breaks the protocol is an error that says how."""
    with pytest.raises(ProtocolError, match=words):
        StreamReader(200, SSE).feed(stream)


@pytest.mark.parametrize("headers", [{"content-type": "application/json"}, SSE, {}])
def test_a_whole_body_for_a_stream(make_body: MakeBody, headers: dict[str, str]) -> None:
    """A server that ignores `stream` is read all the same, in any chunks."""
    body = make_body()
    reader = StreamReader(200, headers)
    for start in range(0, len(body), 7):
        assert reader.feed(body[start : start + 7]) == []
    assert reader.finish() == decode(200, headers, body)


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"content-type": "application/json"}])
def test_a_stream_under_another_type(make_body: MakeBody, headers: dict[str, str]) -> None:
    """An event stream is known by how it begins, for servers are careless with its type."""
    stream = b"\xef\xbb\xbf\r\n: hi\n\n" + delta("x") + terminal("response.completed", make_body())
    reader = StreamReader(200, headers)
    events = [e for i in range(len(stream)) for e in reader.feed(stream[i : i + 1])]
    assert [e.delta for e in events] == ["x", ""]
    assert reader.finish().text == "billing"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"\r\n", "empty"),
        (b"<html>hello", "does not look like an API"),
        (b"Bad thing", "JSON is broken"),
    ],
)
def test_no_stream_at_all(body: bytes, words: str) -> None:
    """What is neither a stream nor a body is named for what it is."""
    with pytest.raises(ProtocolError, match=words):
        read(body, {"content-type": "text/html"})


def test_error_status() -> None:
    """A reply with an error status raises at its end what the whole body says, under whatever type."""
    reader = StreamReader(429, {**SSE, "retry-after": "3"})
    body = json.dumps({"error": {"message": "Rate limit", "type": "tokens", "code": "rate_limit_exceeded"}})
    assert reader.feed(body.encode()) == []
    with pytest.raises(ProviderError) as caught:
        reader.finish()
    assert (caught.value.status, caught.value.retry_after) == (429, 3.0)


def test_an_endless_error_body_is_bounded() -> None:
    """Of an error's body only the beginning is kept."""
    reader = StreamReader(500, {})
    for _ in range(64):
        reader.feed(b"x" * 65536)
    with pytest.raises(ProviderError) as caught:
        reader.finish()
    assert caught.value.code == "http_500"


def test_after_the_end_nothing_matters(make_body: MakeBody) -> None:
    """Once the terminal event has passed the reader is done, and what follows is ignored."""
    reader = StreamReader(200, SSE)
    assert not reader.done
    stream = terminal("response.completed", make_body())
    assert len(reader.feed(stream + event("error", message="late"))) == 1
    assert reader.done
    assert reader.feed(b"data: garbage\n\n") == []
    assert reader.finish() is reader.finish()


@given(words=st.lists(st.text(max_size=9), max_size=6), cuts=st.lists(st.integers(0, 5000), max_size=10))
def test_any_chunking_gives_the_same_reply(make_body: MakeBody, words: list[str], cuts: list[int]) -> None:
    """Where the stream is cut changes neither the events nor the reply."""
    stream = b"".join(map(delta, words)) + terminal("response.completed", make_body())
    reader, events, start = StreamReader(200, SSE), [], 0
    for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        events += reader.feed(stream[start:cut])
        start = cut
    assert (events, reader.finish()) == read(stream)
    assert "".join(e.delta for e in events) == "".join(words)


@given(st.lists(st.binary(), max_size=5), st.integers(0, 999), st.dictionaries(st.text(), st.text()))
def test_bytes_never_break_a_stream(chunks: list[bytes], status: int, headers: dict[str, str]) -> None:
    """Whatever comes, there is a reply or one of our errors."""
    for sent in (headers, SSE):
        reader = StreamReader(status, sent)
        try:
            for chunk in chunks:
                reader.feed(chunk)
                reader.feed(b"data: " + chunk + b"\n\n")
            reader.finish()
        except RequestError:
            continue


OUTPUT: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [
            {"type": "output_text", "text": "Grüße 😀\r\n\u2028", "annotations": [], "logprobs": []},
            {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
            {"type": "refusal", "refusal": "no"},
        ],
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "f",
        "arguments": '{"a":1}',
        "status": "completed",
    },
]


@pytest.mark.parametrize("pretty", [False, True])
def test_replay_is_a_valid_stream(make_body: MakeBody, pretty: bool) -> None:
    """A replayed reply, read again, is the same reply with the same visible text."""
    body = make_body(output=OUTPUT)
    if pretty:
        body = json.dumps(json.loads(body), indent=2).encode()
    reply = decode(200, SSE, body)
    events = replay(reply)
    read_again, again = read(b"".join(frame(e.type, e.data) for e in events))
    assert "".join(e.delta for e in events) == reply.text
    assert [(e.type, e.delta) for e in read_again] == [(e.type, e.delta) for e in events]
    assert json.loads(again.body) == json.loads(body)
    assert (again.text, again.refusal, again.usage) == (reply.text, reply.refusal, reply.usage)
    assert events[-1].reply is reply
    numbers = [json.loads(e.data)["sequence_number"] for e in events]
    assert numbers == list(range(len(events)))


def test_replay_of_an_incomplete_reply(make_body: MakeBody) -> None:
    """An incomplete reply ends in its own terminal event."""
    reply = decode(200, {}, make_body(status="incomplete", incomplete_details={"reason": "content_filter"}))
    assert replay(reply)[-1].type == "response.incomplete"


def test_what_cannot_be_replayed(make_body: MakeBody) -> None:
    """A reply without its body, with a broken one, or that never ended, is refused with our error."""
    queued = decode(200, {}, make_body(status="queued", output=[]))
    odd = [
        b"",
        b"[]",
        b"{",
        b'{"output":5}',
        b'{"output":["x"]}',
        b'{"output":[{"type":"message","content":[5]}]}',
    ]
    for reply in (queued, *(Reply(text="", status="completed", model="m", body=body) for body in odd)):
        with pytest.raises(ProtocolError):
            replay(reply)


def test_the_official_sdk_reads_a_replay(make_body: MakeBody) -> None:
    """The SDK's own stream helper accepts the events and ends with the same response."""
    openai, httpx2 = pytest.importorskip("openai"), pytest.importorskip("httpx2")
    reply = decode(200, {}, make_body(output=OUTPUT))
    stream = b"".join(frame(e.type, e.data) for e in replay(reply))
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    with (
        httpx2.Client(transport=httpx2.MockTransport(lambda _: answer)) as http,
        openai.OpenAI(api_key="none", base_url="http://loopback.invalid/v1", http_client=http) as client,
        client.responses.stream(model="gpt-6-luna", input="hi") as events,
    ):
        kinds = [e.type for e in events]
        final = events.get_final_response()
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert final.output_text == reply.text
    assert [item.type for item in final.output] == [item["type"] for item in OUTPUT]
