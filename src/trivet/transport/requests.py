"""A call as HTTP/1.1 sends it: where it goes, and the bytes of its head. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from msgspec import Struct

PORTS = {"http": 80, "https": 443}

_SENDABLE = "!#$%&'()*+,/:;=?@[]~"  # what a path and a query may hold as it is (RFC 3986); `%` is taken as meant
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN = re.compile(r"[\0\r\n]")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


class Origin(Struct, frozen=True):
    """Where connections lead: those of one origin are as good as each other."""

    host: str
    port: int
    tls: bool


class Target(Struct, frozen=True, kw_only=True):
    """A call's origin, and its head up to the length of the body."""

    origin: Origin
    head: bytes
    method: str

    def request(self, length: int) -> bytes:
        """The whole head for a body of `length` bytes."""
        if length or self.method in ("POST", "PUT", "PATCH"):
            return b"%bcontent-length: %d\r\n\r\n" % (self.head, length)
        return self.head + b"\r\n"


def target_of(method: str, url: str, headers: Iterable[tuple[str, str]]) -> Target:
    """Where a call goes and how it begins; ValueError for what HTTP forbids, or what frames a message twice."""
    parts = urlsplit(url)
    host, port = (parts.hostname or "").rstrip("."), parts.port
    if parts.scheme not in PORTS or not host or parts.username is not None:
        raise ValueError
    host = host if host.isascii() and ":" in host else host.encode("idna").decode()
    place = f"[{host}]" if ":" in host else host
    lines = {
        "host": place if port in (None, PORTS[parts.scheme]) else f"{place}:{port}",
        "accept-encoding": "gzip, deflate",
        **dict(headers),
    }
    for name, value in lines.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING or _FORBIDDEN.search(value):
            raise ValueError
    if not _TOKEN.fullmatch(method):
        raise ValueError
    path = quote(parts.path or "/", safe=_SENDABLE)
    query = f"?{quote(parts.query, safe=_SENDABLE)}" if parts.query else ""
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Target(
        origin=Origin(host, port or PORTS[parts.scheme], parts.scheme == "https"),
        head=f"{method} {path}{query} HTTP/1.1\r\n{fields}".encode(),
        method=method,
    )
