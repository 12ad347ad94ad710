"""A cache in Redis, shared by processes and machines; and the leases that let one of them ask for all.

A Redis that goes away during work takes no answer with it: lookups miss, what is put is not kept, nobody
waits for anybody, the user is told once, and it is taken up again when it is back. Only one that was never
there is an error: then the URL is wrong.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from threading import Lock
from typing import Any, NamedTuple

from trivet.errors import MachineError
from trivet.store.protocol import StoreStatistics
from trivet.store.redis_connection import RedisConnection
from trivet.store.redis_line import Away, Line
from trivet.store.redis_scripts import CLAIM, EXTEND, FORGET, PUT, RELEASE, SHRINK, TOUCH

DIGEST_BYTES = 32

ENTRY_BYTES = 350
"""What an entry takes in Redis beside its value: the key, its places in two indexes."""

LEASE_SECONDS = 10.0

TOUCH_BATCH = 500
_CHUNK = 1000
_MICRO = 1_000_000


class Claim(NamedTuple):
    """Whether the lease is ours, and the value that lay there by then."""

    mine: bool
    value: bytes | None


class RedisStore:
    """Opaque values by 32-byte digest, of which about `limit_bytes` are kept; the least recently used leave.

    Values are in Redis when `put` returns. MachineError as long as this Redis has never answered.
    """

    def __init__(self, connection: RedisConnection, *, limit_bytes: int, lease_seconds: float = LEASE_SECONDS) -> None:
        self._connection = connection
        self._limit = limit_bytes
        self._line = Line(connection)
        prefix = connection.prefix.encode()
        self._values = prefix + b":answer/"
        self._index = (prefix + b":used", prefix + b":entries", prefix + b":bytes")
        self.leases = Leases(self._line, self._values, prefix + b":lease/", lease_seconds)
        self._lock = Lock()
        self._touched: set[bytes] = set()
        self._closed = False
        self._entries = self._bytes = self._evicted = 0
        self._hits = self._misses = self._puts = 0

    def __repr__(self) -> str:
        return f"RedisStore({str(self._connection.place)!r}, limit_bytes={self._limit})"

    async def reach(self) -> None:
        """Ask for a sign of life; SettingsError or MachineError where none comes."""
        await self._line.reach()

    async def get(self, digest: bytes) -> bytes | None:
        """The value, or None; one round trip, which it shares with others under way."""
        self._check()
        try:
            value = await self._line.run("GET", self._values + digest)
        except Away:
            value = None
        if value is None:
            self._misses += 1
            return None
        self._hits += 1
        with self._lock:
            self._touched.add(digest)
        if len(self._touched) >= TOUCH_BATCH:
            await self._touch()
        return bytes(value)

    async def put(self, digest: bytes, value: bytes) -> None:
        """Keep a value; an existing one is replaced. In an outage it is counted, not kept."""
        if len(digest) != DIGEST_BYTES:
            raise ValueError(f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
        self._check()
        self._puts += 1
        kept = bytes(value)
        charge = len(kept) + ENTRY_BYTES
        try:
            found = await self._script(
                PUT, digest, kept if charge <= self._limit else b"", charge, self._limit, self._values
            )
        except Away:
            self._line.outage.lost += 1
            return
        self._note(found)

    async def flush(self) -> None:
        """Note what was used, and bring the counts up to date; what was put is there already."""
        if self._closed:
            return
        await self._touch()
        try:
            self._note(await self._script(SHRINK, self._limit, self._values))
        except Away:
            return

    async def close(self) -> None:
        """Flush and close the connections; a second time does nothing."""
        if self._closed:
            return
        try:
            if self._line.was_reached:
                await self.flush()
        finally:
            self._closed = True
            await self._connection.close()

    def statistics(self) -> StoreStatistics:
        """Counts so far; `entries` and `bytes` as of the last put or flush, `bytes` as charged to the limit."""
        return StoreStatistics(
            url=str(self._connection.place),
            entries=self._entries,
            bytes=self._bytes,
            limit_bytes=self._limit,
            hits=self._hits,
            misses=self._misses,
            puts=self._puts,
            evicted=self._evicted,
        )

    async def ages(self) -> tuple[float, float] | None:
        """Unix time at which the oldest and the newest entry were stored; None for an empty cache."""
        stored = [moment async for _, moment in self._stored()]
        await self.flush()
        return (min(stored) / _MICRO, max(stored) / _MICRO) if stored else None

    async def prune(self, *, older_than_seconds: float | None = None, to_bytes: int | None = None) -> int:
        """Delete what was stored longer ago, then the least recently used down to `to_bytes`; how many."""
        removed = 0
        if older_than_seconds is not None:
            seconds, micro = await self._certain("TIME")
            before = (seconds - older_than_seconds) * _MICRO + micro
            removed += await self._forget([digest async for digest, moment in self._stored() if moment < before])
        while to_bytes is not None:
            gone = self._note(await self._sure(SHRINK, to_bytes, self._values), evicted=False)
            if not gone:
                break
            removed += gone
        return removed

    async def clear(self) -> int:
        """Delete every entry; how many."""
        removed = await self._forget([digest async for digest, _ in self._stored()])
        # and what the index has lost
        async for keys in self._scan("SCAN", "MATCH", self._values + b"*"):
            await self._forget([key.removeprefix(self._values) for key in keys])
        return removed

    async def _stored(self) -> AsyncIterator[tuple[bytes, int]]:
        async for flat in self._scan("HSCAN", self._index[1]):
            for digest, entry in zip(flat[::2], flat[1::2], strict=True):
                yield digest, int(entry.split()[1])

    async def _scan(self, command: str, *arguments: Any) -> AsyncIterator[list[bytes]]:
        key, options = (arguments[:1], arguments[1:]) if command == "HSCAN" else ((), arguments)
        cursor: Any = 0
        while True:
            answer = await self._certain(command, *key, cursor, *options, "COUNT", _CHUNK)
            # the client's own reading of a scan gives a dictionary for HSCAN
            cursor, found = answer
            yield [part for pair in found.items() for part in pair] if isinstance(found, dict) else found
            if not int(cursor):
                return

    async def _forget(self, digests: list[bytes]) -> int:
        removed = 0
        for start in range(0, len(digests), _CHUNK):
            removed += self._note(
                await self._sure(FORGET, self._values, *digests[start : start + _CHUNK]), evicted=False
            )
        return removed

    async def _touch(self) -> None:
        with self._lock:
            touched, self._touched = self._touched, set()
        if touched:
            try:
                await self._line.run("EVAL", TOUCH, 1, self._index[0], *touched)
            except Away:
                return

    def _check(self) -> None:
        if self._closed:
            raise MachineError(f"the cache {self._connection.place} is closed")

    async def _script(self, script: str, *arguments: Any) -> Any:
        return await self._line.run("EVAL", script, len(self._index), *self._index, *arguments)

    async def _sure(self, script: str, *arguments: Any) -> Any:
        return await self._certain("EVAL", script, len(self._index), *self._index, *arguments)

    async def _certain(self, *command: Any) -> Any:
        """The answer to what somebody asked for by name: without one there is nothing to go on with."""
        try:
            return await self._line.run(*command)
        except Away as away:
            raise self._connection.explain(self._line.why or away) from None

    def _note(self, found: list[int], *, evicted: bool = True) -> int:
        self._entries, self._bytes, gone = found
        if evicted:
            self._evicted += gone
        return gone


class Leases:
    """Who asks for which value at the moment, among all who share a Redis; a lease dies with its holder.

    While Redis is away every claim is granted: then each process is on its own.
    """

    def __init__(self, line: Line, values: bytes, prefix: bytes, seconds: float) -> None:
        self._line = line
        self._values = values
        self._prefix = prefix
        self.seconds = seconds

    @staticmethod
    def token() -> bytes:
        """What tells one holder from all others."""
        return secrets.token_bytes(12)

    async def claim(self, digest: bytes, token: bytes) -> Claim:
        """Take the lease where nobody has it, and see what lies under the digest, in one step."""
        try:
            mine, value = await self._line.run(
                "EVAL", CLAIM, 2, self._prefix + digest, self._values + digest, token, self._milliseconds
            )
        except Away:
            return Claim(True, None)
        return Claim(bool(mine), value)

    async def extend(self, held: dict[bytes, bytes]) -> None:
        """Keep the leases of these digests, by token, for another while."""
        pairs = list(held.items())
        for start in range(0, len(pairs), _CHUNK):
            some = pairs[start : start + _CHUNK]
            keys = [self._prefix + digest for digest, _ in some]
            await self._tell("EVAL", EXTEND, len(some), *keys, self._milliseconds, *(token for _, token in some))

    async def release(self, digest: bytes, token: bytes) -> None:
        """Give back one's own lease; another's is left alone."""
        await self._tell("EVAL", RELEASE, 1, self._prefix + digest, token)

    @property
    def _milliseconds(self) -> int:
        return round(self.seconds * 1000)

    async def _tell(self, *command: Any) -> None:
        try:
            await self._line.run(*command)
        except Away:
            return
