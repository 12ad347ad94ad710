"""A cache in memory: bounded by bytes, the least recently used entry leaves first. Gone with the process."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from trivet.store.protocol import StoreStatistics

ENTRY_BYTES = 200
"""Bytes an entry is charged beside its value: the digest, two object headers, its place in the order."""

DIGEST_BYTES = 32


class MemoryStore:
    """Opaque values by 32-byte digest, for any number of threads and loops of one process.

    No method ever waits: each may be driven without a running loop. A value larger than `limit_bytes` is
    not kept.
    """

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._entries: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0
        self._hits = self._misses = self._puts = self._evicted = 0
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"MemoryStore(entries={len(self._entries)}, bytes={self._bytes}, limit_bytes={self._limit})"

    def look(self, digest: bytes) -> bytes | None:
        """The value, or None, which is not counted as a miss: for whoever then asks with `get`."""
        with self._lock:
            value = self._entries.get(digest)
            if value is not None:
                self._entries.move_to_end(digest)
                self._hits += 1
            return value

    async def get(self, digest: bytes) -> bytes | None:
        """The value, or None."""
        value = self.look(digest)
        self._misses += value is None
        return value

    async def put(self, digest: bytes, value: bytes) -> None:
        """Keep a value; an existing one is replaced, and the least recently used ones make room."""
        if len(digest) != DIGEST_BYTES:
            raise ValueError(f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
        kept = bytes(value)
        with self._lock:
            self._puts += 1
            old = self._entries.pop(digest, None)
            if old is not None:
                self._bytes -= len(old) + ENTRY_BYTES
            if len(kept) + ENTRY_BYTES > self._limit:
                return
            self._entries[digest] = kept
            self._bytes += len(kept) + ENTRY_BYTES
            while self._bytes > self._limit:
                _, gone = self._entries.popitem(last=False)
                self._bytes -= len(gone) + ENTRY_BYTES
                self._evicted += 1

    async def flush(self) -> None:
        """Nothing to wait for: memory does not outlive the process."""

    async def close(self) -> None:
        """Let go of every entry."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def statistics(self) -> StoreStatistics:
        """Counts so far; `bytes` is what the entries are charged against the limit."""
        with self._lock:
            return StoreStatistics(
                url="memory://",
                entries=len(self._entries),
                bytes=self._bytes,
                limit_bytes=self._limit,
                hits=self._hits,
                misses=self._misses,
                puts=self._puts,
                evicted=self._evicted,
            )
