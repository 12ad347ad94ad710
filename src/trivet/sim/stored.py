"""Responses kept for `GET /v1/responses/{id}`, the oldest forgotten first."""

from __future__ import annotations

from collections import OrderedDict

from trivet.sim import constants


class Stored:
    """Encoded responses by id, bounded in number and bytes."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def put(self, response_id: str, body: bytes) -> None:
        """Keep a response."""
        self._bytes += len(body) - len(self._bodies.pop(response_id, b""))
        self._bodies[response_id] = body
        while len(self._bodies) > constants.STORED_COUNT.value or self._bytes > constants.STORED_BYTES.value:
            _, dropped = self._bodies.popitem(last=False)
            self._bytes -= len(dropped)

    def get(self, response_id: str) -> bytes | None:
        """The response, or None."""
        return self._bodies.get(response_id)

    def delete(self, response_id: str) -> bool:
        """Forget a response; whether it was there."""
        body = self._bodies.pop(response_id, None)
        self._bytes -= len(body or b"")
        return body is not None
