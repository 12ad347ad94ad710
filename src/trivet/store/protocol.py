"""What the cache asks of a store; `trivet.testing.store` holds the conformance suite."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class StoreStatistics(Struct, frozen=True, kw_only=True):
    """What a store holds, and what happened to it since it was opened."""

    url: str
    entries: int
    bytes: int
    limit_bytes: int
    hits: int
    misses: int
    puts: int
    evicted: int


class Store(Protocol):
    """Opaque values by 32-byte digest. The value's version, checksum and age are the caller's business.

    A store that never waits may also have `look(digest)`, a `get` for any thread that is no coroutine; None from it
    is not counted as a miss, because whoever looked then asks with `get`.
    """

    async def get(self, digest: bytes) -> bytes | None:
        """The value, or None. Never raises for a damaged entry: that is a miss."""
        ...

    async def put(self, digest: bytes, value: bytes) -> None:
        """Keep a value; an existing one is replaced. Written for good by `flush` at the latest."""
        ...

    async def flush(self) -> None:
        """Return when everything put so far would survive the death of this process."""
        ...

    async def close(self) -> None:
        """Flush and let go of files and connections."""
        ...

    def statistics(self) -> StoreStatistics:
        """Counts so far."""
        ...
