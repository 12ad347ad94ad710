"""A streamed chat completion: chunks of bytes in, and the completion at the end that a whole reply would have been.

Pieces of text are joined, tool calls by their index; what is neither is kept where it is said once. A stream is an
answer only when each of its choices has ended; one that just stops is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trivet.errors import ProtocolError
from trivet.types import JsonObject, Reply
from trivet.wire.excerpt import excerpt
from trivet.wire.openai_chat import read_completion
from trivet.wire.provider_errors import failure
from trivet.wire.sse import Message, SseParser

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_json = msgspec.json.Encoder().encode
_PLAIN = ("id", "type", "name", "role")  # said again and again, not continued


class ChatStreamReader:
    """Reads one streamed completion. `text`: whether visible text has come; `done`: nothing that follows matters."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._parser = SseParser()
        self._about: JsonObject = {}
        self._choices: dict[int, JsonObject] = {}
        self._usage: Any = None
        self.text = False
        self.done = False

    def feed(self, chunk: bytes) -> None:
        """Take what has come; raises `ProviderError` for an error told in the stream, `ProtocolError` for garbage."""
        for message in self._parser.feed(chunk):
            self._message(message)

    def finish(self) -> Reply:
        """The reply, once the stream has ended; raises `ProtocolError` where it was cut."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        if not choices or any(choice["finish_reason"] is None for choice in choices):
            raise ProtocolError("the stream ended before its answer did: the answer is cut")
        whole = {**self._about, "object": "chat.completion", "choices": choices, "usage": self._usage}
        return read_completion(self._headers, _json(whole))

    def _message(self, message: Message) -> None:
        data = message.data
        if data.startswith(b"[DONE]"):
            self.done = True
            return
        if not data.strip() or self.done:
            return
        try:
            chunk = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ProtocolError(f"an event of the stream can't be read (it starts {excerpt(data)})") from None
        if chunk.get("error"):
            raise failure(data, status=None, request_id=self._headers.get("x-request-id"))
        self._about.update({k: v for k, v in chunk.items() if k not in ("choices", "usage", "object", "obfuscation")})
        self._usage = chunk.get("usage") or self._usage
        try:
            for choice in chunk.get("choices") or []:
                self._choice(choice)
        except (KeyError, TypeError, AttributeError):
            raise ProtocolError(f"a chunk of the stream is none (it starts {excerpt(data)})") from None

    def _choice(self, chunk: JsonObject) -> None:
        index = int(chunk.get("index", 0))
        empty = {"role": "assistant", "content": None, "refusal": None}
        choice = self._choices.setdefault(
            index, {"index": index, "message": empty, "logprobs": None, "finish_reason": None}
        )
        delta = chunk.get("delta") or {}
        self.text = self.text or bool(delta.get("content"))
        _join(choice["message"], delta)
        if chunk.get("logprobs"):
            choice["logprobs"] = choice["logprobs"] or {}
            _join(choice["logprobs"], chunk["logprobs"])
        choice["finish_reason"] = chunk.get("finish_reason") or choice["finish_reason"]


def _join(whole: JsonObject, delta: JsonObject) -> None:
    """Continue what is there by what has come: text by text, lists by their items, parts with an index by that."""
    for name, value in delta.items():
        known = whole.get(name)
        if value is None:
            whole.setdefault(name, None)
        elif isinstance(value, str):
            whole[name] = value if name in _PLAIN or not isinstance(known, str) else known + value
        elif isinstance(value, dict):
            whole[name] = known if isinstance(known, dict) else {}
            _join(whole[name], value)
        elif isinstance(value, list):
            whole[name] = known if isinstance(known, list) else []
            _join_lists(whole[name], value)
        else:
            whole[name] = value


def _join_lists(whole: list[Any], delta: list[Any]) -> None:
    for item in delta:
        place = item.get("index") if isinstance(item, dict) else None
        if not isinstance(place, int):
            whole.append(item)
            continue
        if not 0 <= place <= len(whole):
            raise KeyError(place)
        if place == len(whole):
            whole.append({})
        _join(whole[place], {name: value for name, value in item.items() if name != "index"})
