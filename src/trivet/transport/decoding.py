"""Undoing a body's content coding, in pieces of bounded size.

A compressed body may grow a thousandfold, so a piece is made only when it is asked for, and is never larger
than `PIECE`: the caller counts what came and stops where it likes. A body that ends inside its compressed
data is an error, not a shorter body (RFC 1952, RFC 1950).
"""

from __future__ import annotations

import zlib
from typing import Protocol

PIECE = 256 * 1024
"""Bytes of decoded body that are made at a time."""

MAX_MEMBERS = 1000
"""Members of one gzip body: each may be empty, so that their number needs a bound of its own."""


class DecodingError(Exception):
    """A body is not what its Content-Encoding says."""


class _Inflate(Protocol):
    """What `zlib.decompressobj` returns, which has no public type."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class Decoder:
    """Undoes `gzip` or `deflate`: feed what came, then pull until nothing is left; raises `DecodingError`."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._inflate: _Inflate | None = None
        self._members = 0
        self._pending = b""
        self._full = False

    def feed(self, data: bytes) -> None:
        """Take encoded bytes."""
        self._pending += data

    def pull(self) -> bytes:
        """At most `PIECE` decoded bytes; empty when more input is needed."""
        while self._pending or self._full:
            inflate = self._inflate or self._next_member()
            try:
                piece = inflate.decompress(self._pending, PIECE)
            except zlib.error:
                raise DecodingError(f"the body is not valid {self._coding}") from None
            # A full piece may leave output inside zlib although all input is consumed.
            self._full = len(piece) == PIECE and not inflate.eof
            self._inflate = None if inflate.eof else inflate
            self._pending = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            if piece:
                return piece
        return b""

    def finish(self) -> None:
        """Say that no more input comes."""
        if self._inflate is not None:
            raise DecodingError(f"the body ends inside its {self._coding} data")

    def _next_member(self) -> _Inflate:
        if self._members >= (MAX_MEMBERS if self._coding == "gzip" else 1):
            raise DecodingError(f"the body goes on after the end of its {self._coding} data")
        self._members += 1
        if self._coding == "gzip":
            window = 16 + zlib.MAX_WBITS
        else:  # `deflate` means the zlib format, but many send it raw: the first byte tells
            window = zlib.MAX_WBITS if self._pending[0] & 0x0F == 8 else -zlib.MAX_WBITS
        self._inflate = zlib.decompressobj(window)
        return self._inflate


def decoder(content_encoding: str) -> Decoder | None:
    """The decoder for a Content-Encoding header, or None where there is nothing to undo."""
    coding = content_encoding.strip().lower().removeprefix("x-")
    if coding in ("", "identity"):
        return None
    if coding not in ("gzip", "deflate"):
        raise DecodingError(f"the content encoding {coding[:40]!r} was not asked for and is not known")
    return Decoder(coding)
