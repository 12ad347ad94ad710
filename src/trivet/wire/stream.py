"""A streamed reply: chunks of bytes in, typed events out, and the `Reply` at the end; and back again.

A stream is an answer only when its terminal event has passed; one that just ends is an error, however much
text had come. Errors inside a stream are told in two shapes, nested under `error` (as the live API sends
them) and flat (as the documentation says); both are raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from trivet.errors import ProtocolError
from trivet.types import Event, JsonObject, Reply
from trivet.wire.excerpt import excerpt
from trivet.wire.openai_responses import decode
from trivet.wire.provider_errors import failure
from trivet.wire.response_object import UNREADABLE, not_a_response, read_response, why
from trivet.wire.sse import MAX_EVENT, Message, SseParser

_TERMINAL = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}
_TERMINAL_OF = {status: kind for kind, status in _TERMINAL.items() if status != "failed"}
_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_ERROR_BODY = 1 << 20  # bytes of an error's body that are kept
_NOTHING = Raw(b"null")


class _Payload(Struct, gc=False):
    type: str = ""
    object: str | None = None
    delta: Raw = _NOTHING
    response: Raw = _NOTHING
    error: Raw = _NOTHING


_payload = msgspec.json.Decoder(_Payload).decode
_text = msgspec.json.Decoder(str).decode
_json = msgspec.json.Encoder().encode


class StreamReader:
    """Reads one streamed reply; a server that sends a whole JSON body for a stream is read as well.

    A reply with an error status, or with a body that is JSON or a web page, yields no events: `finish`
    returns its `Reply` or raises. `done`: the terminal event has passed, and nothing after it matters.
    """

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self._status = status
        self._headers = headers
        self._parser = SseParser()
        self._is_sse: bool | None = None if 200 <= status < 300 else False
        self._body: list[bytes] = []  # of a reply that is no event stream, or not yet known to be one
        self._size = 0
        self._limit = MAX_EVENT if self._is_sse is None else _ERROR_BODY
        self._events = 0
        self._reply: Reply | None = None

    @property
    def done(self) -> bool:
        """Whether the whole answer is here, so that the rest of the stream need not be awaited."""
        return self._reply is not None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes, the last of all with the `reply`.

        Raises `ProviderError` for an error event and a failed response, `ProtocolError` for what is no
        event of this protocol; events of the same chunk before it are lost with it.
        """
        if self.done or not chunk:
            return []
        if not self._is_sse:
            self._keep(chunk)
            if self._is_sse is None:
                self._is_sse = self._looks_like_sse(b"".join(self._body))
            if not self._is_sse:
                return []
            chunk = b"".join(self._body)
            self._body.clear()
        events: list[Event] = []
        for message in self._parser.feed(chunk):
            event = self._event(message)
            if event is not None:
                events.append(event)
                if event.reply is not None:
                    break
        self._events += len(events)
        return events

    def finish(self, now: float | None = None) -> Reply:
        """The reply, once the body has ended; raises as `feed` does, and where the stream was cut.

        `now` (Unix time) is when that was, for an error that says at what time to come back.
        """
        if self._reply is not None:
            return self._reply
        if self._is_sse:
            raise ProtocolError(
                f"the stream ended after {self._events} events without its terminal event: the answer is cut"
            )
        self._reply = decode(self._status, self._headers, b"".join(self._body), now)
        return self._reply

    def _keep(self, chunk: bytes) -> None:
        if self._size + len(chunk) > self._limit:
            if self._limit == _ERROR_BODY:
                return
            raise ProtocolError(f"the reply's body exceeds {self._limit} bytes", retryable=False)
        self._size += len(chunk)
        self._body.append(chunk)

    def _looks_like_sse(self, head: bytes) -> bool | None:
        """None while only blanks have come. By the first byte, for servers are careless with content-type."""
        start = head.removeprefix(_BOM).lstrip(_BLANK)[:1]
        if not start or (head.startswith(_BOM[:1]) and len(head) < len(_BOM)):
            return None
        if "event-stream" in self._headers.get("content-type", "").lower():
            return start not in b"{[<"
        return start in b"edir:"

    def _event(self, message: Message) -> Event | None:
        data = message.data
        if not data.strip() or data.startswith(b"[DONE]"):
            return None
        try:
            payload = _payload(data)
            kind = payload.type or message.event
            if kind == "response.output_text.delta":
                return Event(type=kind, delta=_text(payload.delta), data=data)
        except UNREADABLE as broken:
            raise ProtocolError(
                f"an event of the stream can't be read: {why(broken)} (it starts {excerpt(data)})"
            ) from None
        if kind in _TERMINAL:
            self._reply = self._terminal(kind, payload, data)
            return Event(type=kind, data=data, reply=self._reply)
        if "error" in (kind, message.event) or (not payload.type and _is_error(payload)):
            raise failure(data, status=None, request_id=self._headers.get("x-request-id"))
        return Event(type=kind, data=data)

    def _terminal(self, kind: str, payload: _Payload, data: bytes) -> Reply:
        response = bytes(payload.response)
        if response == b"null":
            raise not_a_response(self._headers, data, f"the event {kind} carries no response")
        return read_response(self._headers, response, http_status=None, status=_TERMINAL[kind])


def _is_error(payload: _Payload) -> bool:
    return payload.object == "error" or bytes(payload.error) != b"null"


def replay(reply: Reply) -> list[Event]:
    """The events that a stored reply might have come in: completed or incomplete; the last carries `reply`.

    The order is the documented one: created, in progress, each item with its parts, the terminal event. The
    text of a part is one delta; the terminal event holds the response object byte for byte.

    Raises `ProtocolError` where the reply's `body` is not its response object or the reply never ended.
    """
    terminal = _TERMINAL_OF.get(reply.status)
    if terminal is None:
        raise ProtocolError(f"a reply that is {reply.status} can't be replayed", retryable=False)
    try:
        response = msgspec.json.decode(reply.body, type=dict[str, Any])
        payloads = list(_payloads(response))
    except (*UNREADABLE, AttributeError, TypeError) as broken:
        raise not_a_response({}, reply.body, why(broken)) from None
    events = [
        Event(type=kind, delta=_delta(kind, fields), data=_data(kind, number, fields))
        for number, (kind, fields) in enumerate(payloads)
    ]
    last = _data(terminal, len(events), {"response": msgspec.Raw(reply.body)})
    return [*events, Event(type=terminal, data=last, reply=reply)]


def _data(kind: str, number: int, fields: JsonObject) -> bytes:
    return _json({"type": kind, "sequence_number": number, **fields})


def _delta(kind: str, fields: JsonObject) -> str:
    return str(fields["delta"]) if kind == "response.output_text.delta" else ""


def _payloads(response: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    begun = {
        **response,
        "status": "in_progress",
        "output": [],
        "usage": None,
        "completed_at": None,
        "incomplete_details": None,
    }
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(response.get("output") or []):
        yield from _item(index, item)


def _item(index: int, item: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    kind = item.get("type")
    opened = {**item, "status": "in_progress"} if "status" in item else dict(item)
    if kind == "message":
        opened["content"] = []
    elif kind == "function_call":
        opened["arguments"] = ""
    yield "response.output_item.added", {"output_index": index, "item": opened}
    at = {"item_id": item.get("id", ""), "output_index": index}
    if kind == "message":
        for number, part in enumerate(item.get("content") or []):
            yield from _part({**at, "content_index": number}, part)
    elif kind == "function_call":
        arguments = item.get("arguments", "")
        yield "response.function_call_arguments.delta", {**at, "delta": arguments}
        yield (
            "response.function_call_arguments.done",
            {**at, "name": item.get("name", ""), "arguments": arguments},
        )
    yield "response.output_item.done", {"output_index": index, "item": item}


def _part(at: JsonObject, part: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    kind = part.get("type")
    if kind == "output_text":
        text, more = part.get("text", ""), {"logprobs": part.get("logprobs") or []}
        yield (
            "response.content_part.added",
            {**at, "part": {**part, "text": "", "annotations": [], "logprobs": []}},
        )
        yield "response.output_text.delta", {**at, "delta": text, **more}
        yield "response.output_text.done", {**at, "text": text, **more}
    elif kind == "refusal":
        refusal = part.get("refusal", "")
        yield "response.content_part.added", {**at, "part": {**part, "refusal": ""}}
        yield "response.refusal.delta", {**at, "delta": refusal}
        yield "response.refusal.done", {**at, "refusal": refusal}
    else:
        yield "response.content_part.added", {**at, "part": part}
    yield "response.content_part.done", {**at, "part": part}
