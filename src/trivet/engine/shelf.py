"""How replies lie in a store: encoded, versioned, checksummed, dated; and which may lie there at all.

An entry is `T1` + CRC-32 of the rest + Unix time of storing + the reply in MessagePack. Whatever does not
fit that, or is older than the time to live, is a miss.
"""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trivet.errors import MachineError
from trivet.store.protocol import Store
from trivet.types import Reply, Request

log = logging.getLogger("trivet.cache")

_MAGIC = b"T1"
_HEAD = struct.Struct("<2sId")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Reply).decode


def encode(reply: Reply, now: float) -> bytes:
    """An entry for a reply stored at `now`."""
    bare = replace(
        reply,
        source="provider",
        attempts=(),
        queued=0.0,
        latency=0.0,
        ttft=None,
        cost=None,
        saved=None,
        limits=None,
        raw=None,
    )
    payload = _encode(bare)
    dated = struct.pack("<d", now) + payload
    return _HEAD.pack(_MAGIC, zlib.crc32(dated), now) + payload


def decode(entry: bytes) -> tuple[Reply, float] | None:
    """The reply of an entry and when it was stored; None when it is damaged or of another version."""
    if len(entry) < _HEAD.size:
        return None
    magic, checksum, stored_at = _HEAD.unpack_from(entry)
    if magic != _MAGIC or zlib.crc32(memoryview(entry)[_HEAD.size - 8 :]) != checksum:
        return None
    try:
        return _decode(memoryview(entry)[_HEAD.size :]), stored_at
    except msgspec.DecodeError:
        return None


class ShelfStatistics(Struct, frozen=True, kw_only=True):
    """Replies handed out and kept; entries that were found and not handed out: too old, not accepted, damaged."""

    hits: int
    kept: int
    stale: int
    unaccepted: int
    damaged: int


class Shelf:
    """Puts replies into a store and finds them again. `now`: the wall clock, Unix time."""

    def __init__(self, store: Store | None, ttl: float | None, now: Callable[[], float]) -> None:
        self._store = store
        # A store that never waits has this besides `get`.
        self._look: Callable[[bytes], bytes | None] | None = getattr(store, "look", None)
        self._ttl = ttl
        self._now = now
        self._hits = self._kept = self._stale = self._unaccepted = self._damaged = 0
        self._broken: MachineError | None = None

    async def find(self, request: Request) -> Reply | None:
        """The stored reply of this key, if it is whole, young enough and still accepted.

        Raises the `MachineError` of an earlier `keep`: a store that can't keep must not let more be paid for.
        """
        if self._store is None:
            return None
        if self._broken is not None:
            raise self._broken.copy()
        entry = await self._store.get(request.key)
        if entry is None:
            return None
        found = self._judge(request, entry)
        if isinstance(found, Reply):
            self._hits += 1
            return found
        self._stale += found == "stale"
        self._unaccepted += found == "unaccepted"
        self._damaged += found == "damaged"
        if found == "damaged" and self._damaged == 1:
            log.warning("a cache entry is damaged or of another version; it counts as a miss")
        return None

    def look(self, request: Request) -> Reply | None:
        """The same as `find` from any thread and without a loop; None where the store might have to wait."""
        if self._look is None or self._broken is not None:
            return None
        entry = self._look(request.key)
        found = None if entry is None else self.read(request, entry)
        self._hits += found is not None
        return found

    def read(self, request: Request, entry: bytes) -> Reply | None:
        """The reply of an entry that was found in another way, as often as need be: it is not counted."""
        found = self._judge(request, entry)
        return found if isinstance(found, Reply) else None

    def _judge(self, request: Request, entry: bytes) -> Reply | Literal["damaged", "stale", "unaccepted"]:
        found = decode(entry)
        if found is None:
            return "damaged"
        reply, stored_at = found
        if self._ttl is not None and self._now() - stored_at > self._ttl:
            return "stale"
        if request.accept(reply) is not None:
            return "unaccepted"
        return replace(reply, source="cache", stored_at=stored_at, cost=Decimal(0))

    async def keep(self, request: Request, reply: Reply) -> None:
        """Store a reply that is completed and that the request accepts; anything else is not kept.

        A store that fails does not take the reply with it: that was paid for and goes on to the caller.
        """
        if self._store is None or reply.status != "completed" or request.accept(reply) is not None:
            return
        try:
            await self._store.put(request.key, encode(reply, self._now()))
            self._kept += 1
        except MachineError as error:
            self._broken = error

    def statistics(self) -> ShelfStatistics:
        """Counts so far."""
        return ShelfStatistics(
            hits=self._hits,
            kept=self._kept,
            stale=self._stale,
            unaccepted=self._unaccepted,
            damaged=self._damaged,
        )

    def __repr__(self) -> str:
        return f"Shelf(hits={self._hits}, kept={self._kept})"
