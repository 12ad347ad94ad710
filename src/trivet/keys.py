"""Cache keys: fail-closed digests of everything that can change an answer.

A key is the SHA-256 of the server's origin, the account's scope, the task's cache version, the sample's
number and the request's head, which is a prefix of the very bytes that are sent. A body field is left out
only when it is on the dialect's short list of neutral ones, so a field nobody thought of makes a miss,
never a wrong answer. A folded key (white space and Unicode form folded) lives in a space of its own.
"""

from __future__ import annotations

from hashlib import sha256

from trivet.settings import Endpoint
from trivet.types import Request

_FORMAT = b"trivet/1"


class Keys:
    """Makes the keys for one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._starts: dict[str, bytes] = {}

    def key(self, request: Request) -> bytes:
        """The 32-byte key of a request."""
        start = self._starts.get(request.path)
        if start is None:
            origin, scope = self._endpoint.origin(request.path), self._endpoint.scope()
            start = b"\0".join((_FORMAT, origin.encode(), scope.encode(), b""))
            self._starts[request.path] = start
        kind, text = (b"exact", request.head) if request.fold is None else (b"folded", request.fold)
        return sha256(b"%b%b\0%d\0%d\0%b" % (start, kind, request.version, request.sample, text)).digest()
