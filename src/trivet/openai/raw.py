"""An HTTP reply as it came, to be handed to the SDK as if nothing stood in between."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from trivet.openai.asking import Asked
from trivet.openai.notes import EXTENSION, Note
from trivet.types import Reply
from trivet.wire import openai_chat, stream
from trivet.wire.sse import frame

SOURCE = b"x-trivet-source"
_JSON = b"application/json"
_EVENTS = b"text/event-stream; charset=utf-8"

Pairs = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Raw:
    """`body` is None where it goes to one reader alone, as `stream`; `extensions` are httpx2's.

    `first`: the response that it came in, for the caller whose request it was.
    """

    status: int
    headers: Pairs
    body: bytes | None
    extensions: dict[str, Any] = field(default_factory=dict)
    stream: Any = None
    first: httpx2.Response | None = None

    def response(self, note: Note, *, source: bytes | None = None) -> httpx2.Response:
        """A response of its own for one caller; `source` where it was not the answer to their own request."""
        first, self.first = (None, self.first) if source else (self.first, None)
        if first is not None:
            first.extensions[EXTENSION] = note
            if self.body is not None:
                first.stream = Body([self.body])
            return first
        headers = [*self.headers, (SOURCE, source)] if source else self.headers
        extensions = {**self.extensions, EXTENSION: note}
        if self.body is None:
            return httpx2.Response(self.status, headers=headers, stream=self.stream, extensions=extensions)
        return httpx2.Response(self.status, headers=headers, stream=Body([self.body]), extensions=extensions)


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Bytes that are all there."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def lower(headers: Pairs) -> dict[str, str]:
    """The headers as the wire reads them; of one that is repeated, all values."""
    found: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def decoded(raw: Raw, headers: Mapping[str, str], body: bytes) -> bytes:
    """The body with its content encoding undone; as it is where that can't be."""
    if "content-encoding" not in headers or not body:
        return body
    try:
        return httpx2.Response(raw.status, headers=raw.headers, content=body).content
    except httpx2.DecodingError:
        return body


class Decoder:
    """Undoes the content encoding of a stream, piece by piece; None for one that it does not know."""

    def __init__(self, encoding: str) -> None:
        self.known = encoding in ("", "identity", "gzip", "deflate")
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in ("gzip", "deflate") else None

    def __call__(self, chunk: bytes) -> bytes:
        """The plain bytes of this piece."""
        return chunk if self._inflate is None else self._inflate.decompress(chunk)


def of_reply(reply: Reply, asked: Asked) -> Raw:
    """A reply that was kept, in the form that this request asks for."""
    headers: Pairs = []
    if reply.request_id:
        headers.append((b"x-request-id", reply.request_id.encode("ascii", "replace")))
    if asked.streamed:
        return Raw(200, [(b"content-type", _EVENTS), *headers], _events(reply, asked))
    length = (b"content-length", b"%d" % len(reply.body))
    return Raw(200, [(b"content-type", _JSON), length, *headers], reply.body)


def _events(reply: Reply, asked: Asked) -> bytes:
    if asked.dialect == "chat":
        chunks = openai_chat.replay(reply.body, with_usage=asked.with_usage)
        return b"".join([b"data: " + chunk + b"\n\n" for chunk in chunks]) + b"data: [DONE]\n\n"
    return b"".join([frame(event.type, event.data) for event in stream.replay(reply)])
