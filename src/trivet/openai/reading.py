"""What the layers learn from a reply on its way: an answer, an error, or something that is none of their business."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec.structs import replace

from trivet.errors import ProtocolError, RequestError
from trivet.openai.asking import Asked
from trivet.openai.raw import Decoder, Raw, decoded, lower
from trivet.types import Reply
from trivet.wire import openai_chat, openai_responses
from trivet.wire.chat_stream import ChatStreamReader
from trivet.wire.headers import rate_limits
from trivet.wire.provider_errors import provider_error
from trivet.wire.response_object import SIMULATED
from trivet.wire.stream import StreamReader

UNREAD = "unread"
"""The status of a reply that is handed on without having been understood; such a one is never kept."""


def read_whole(asked: Asked, raw: Raw, body: bytes) -> Reply:
    """The reply of a whole body, `raw` with it; raises `ProviderError` for statuses from 400 on, `raw` with it too."""
    headers = lower(raw.headers)
    if raw.status >= 400:
        error = provider_error(raw.status, headers, decoded(raw, headers, body))
        error.raw = raw
        raise error
    if asked.dialect is None or not 200 <= raw.status < 300:
        return unread(asked, raw, headers)
    dialect = openai_chat if asked.dialect == "chat" else openai_responses
    try:
        reply = dialect.decode(raw.status, headers, decoded(raw, headers, body))
    except RequestError as error:
        return unread(asked, raw, headers, error)
    return with_raw(reply, raw)


def unread(asked: Asked, raw: Raw, headers: Mapping[str, str], error: RequestError | None = None) -> Reply:
    """A reply that goes on as it is; of a failed response, what it was billed is known all the same."""
    return Reply(
        text="",
        status=UNREAD,
        model=asked.request.model,
        reason=None if error is None else error.code,
        usage=None if error is None else error.usage,
        request_id=headers.get("x-request-id"),
        limits=rate_limits(headers),
        simulated=SIMULATED in headers,
        raw=raw,
    )


def with_raw(reply: Reply, raw: Raw) -> Reply:
    """The same with the HTTP reply that it came in."""
    return replace(reply, raw=raw)


class Watcher:
    """Reads along with a stream that is handed on byte for byte. `saw_text` is called at its first visible text."""

    def __init__(self, asked: Asked, status: int, headers: Mapping[str, str], saw_text: Callable[[], None]) -> None:
        self._asked = asked
        self._headers = headers
        self._status = status
        self._saw_text = saw_text
        self._seen = False
        self._decoder = Decoder(headers.get("content-encoding", "").lower())
        self._broken: RequestError | None = None
        self._chat = ChatStreamReader(headers) if asked.dialect == "chat" else None
        self._responses = StreamReader(status, headers) if asked.dialect == "responses" else None
        if not self._decoder.known:
            self._broken = ProtocolError("the stream is encoded in a way that is not read along")

    @property
    def done(self) -> bool:
        """Whether the whole answer is here, so that nothing is lost to whoever stops reading."""
        reader = self._responses or self._chat
        return self._broken is None and reader is not None and reader.done

    def feed(self, chunk: bytes) -> None:
        """Take a piece; what can't be read is no reason to stop the stream."""
        if self._broken is not None:
            return
        try:
            plain = self._decoder(chunk)
            if self._responses is not None:
                for event in self._responses.feed(plain):
                    self._text(bool(event.delta))
            elif self._chat is not None:
                self._chat.feed(plain)
                self._text(self._chat.text)
        except RequestError as error:
            self._broken = error
        except Exception as error:  # noqa: BLE001 - whatever the stream holds, it is the SDK's to judge
            self._broken = ProtocolError(f"the stream can't be read: {type(error).__name__}")

    def _text(self, seen: bool) -> None:
        if seen and not self._seen:
            self._seen = True
            self._saw_text()

    def finish(self, raw: Raw) -> Reply:
        """What the stream came to, once it has ended."""
        reader = self._responses or self._chat
        if self._broken is None and reader is not None:
            with suppress(RequestError):
                return with_raw(reader.finish(), raw)
        return unread(self._asked, raw, self._headers, self._broken)
