"""Server-sent events, bytes in and messages out, however the bytes are cut into chunks.

Source: the WHATWG HTML standard, "Server-sent events", section on interpreting an event stream. An event
that the stream ends in is dropped, as the standard says: it may be cut.
"""

from __future__ import annotations

from msgspec import Struct

from trivet.errors import ProtocolError

MAX_EVENT = 64 * 1024 * 1024
"""Bytes of one event beyond which the stream is refused."""

_BOM = b"\xef\xbb\xbf"


class Message(Struct, frozen=True, gc=False):
    """One event of a stream: its name, "message" where it has none, and its data lines joined by LF."""

    event: str
    data: bytes


class SseParser:
    """Holds what of the stream is not yet a whole event; at most `limit` bytes of it."""

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._partial: list[bytes] = []  # the pieces of a line whose end has not come
        self._data: list[bytes] = []
        self._event = b""
        self._kept = 0  # bytes in `_data`
        self._held = 0  # the same and those in `_partial`
        self._skip_lf = False  # the last chunk ended in CR, so an LF now belongs to it
        self._at_start = True

    def feed(self, chunk: bytes) -> list[Message]:
        """The events that this chunk completes; `ProtocolError` for one larger than the limit."""
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        if not chunk:
            return []
        messages: list[Message] = []
        for line in chunk.splitlines(keepends=True):
            self._held += len(line)
            if self._held > self._limit:
                raise ProtocolError(f"an event of the stream exceeds {self._limit} bytes", retryable=False)
            if not line.endswith((b"\n", b"\r")):
                self._partial.append(line)
                break
            if self._partial:
                line = b"".join([*self._partial, line])
                self._partial.clear()
            message = self._line(line.rstrip(b"\r\n"))
            self._held = self._kept
            if message is not None:
                messages.append(message)
        self._skip_lf = chunk.endswith(b"\r")
        return messages

    def _line(self, line: bytes) -> Message | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._kept += len(value) + 1
        elif name == b"event":
            self._event = value
        return None

    def _dispatch(self) -> Message | None:
        data, event = self._data, self._event
        self._data, self._event, self._kept = [], b"", 0
        if not data:
            return None
        name = event.decode("utf-8", "replace") if event else "message"
        return Message(name, data[0] if len(data) == 1 else b"\n".join(data))


def frame(event: str, data: bytes) -> bytes:
    """One event as bytes of a stream, to send on; line ends inside `data` become lines of their own."""
    lines = b"".join(b"data: " + line + b"\n" for line in data.splitlines() or [b""])
    name = b"".join(event.encode("utf-8", "replace").splitlines())
    return b"event: " + name + b"\n" + lines + b"\n"
