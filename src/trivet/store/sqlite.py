"""A cache in one SQLite file, shared safely by threads, loops and processes of one user.

Reads go straight to the file, by the first 64 bits of the digest as the integer primary key with the rest of
the digest checked; writes go through one thread that commits them in groups (`writer.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from trivet.errors import MachineError, TrivetError
from trivet.store.database import is_busy, is_damaged, machine_error, open_database
from trivet.store.entries import (
    Pending,
    Totals,
    ages,
    charge,
    delete_all,
    delete_before,
    key_of,
    shrink,
    totals,
)
from trivet.store.protocol import StoreStatistics
from trivet.store.writer import Writer

DIGEST_BYTES = 32

TOUCH_AFTER_SECONDS = 3600.0
"""A use is noted once it is so much later than the last one noted: the order of eviction is that coarse."""

_MICRO = 1_000_000
_TOUCH_AFTER = int(TOUCH_AFTER_SECONDS * _MICRO)
_GET = "SELECT entry.rest, entry.used, value.value FROM entry JOIN value ON value.seq = entry.seq WHERE entry.id = ?"

log = logging.getLogger("trivet.store")


class SqliteStore:
    """Opaque values by 32-byte digest, in the file at `path`, of which about `limit_bytes` are used.

    `clock` gives Unix time. `get` never waits and may be driven without a running loop. Opening raises
    SettingsError for a file that is not a cache and MachineError where the machine refuses; a full disk or a
    lost file later is a MachineError of `put` or `flush`, and stays one.
    """

    def __init__(self, path: Path, *, limit_bytes: int, clock: Callable[[], float] = time.time) -> None:
        self._path = path.absolute()
        self._limit = limit_bytes
        self._clock = clock
        self._reader: sqlite3.Connection | None = open_database(self._path)
        self._lock = Lock()
        self._writer = Writer(self._path, limit_bytes)
        self._generation = 0
        self._closed = False
        self._warned = False
        self._last = Totals(0, 0)
        self._hits = self._misses = self._puts = 0
        # At the latest when the interpreter ends, what was put is written.
        self._finalizer = weakref.finalize(self, self._writer.stop)
        _watch_forks(self)

    def __repr__(self) -> str:
        return f"SqliteStore({str(self._path)!r}, limit_bytes={self._limit})"

    async def get(self, digest: bytes) -> bytes | None:
        """The value, or None; a damaged entry is a miss. MachineError where the file can't be read at all."""
        value = self.look(digest)
        self._misses += value is None
        return value

    def look(self, digest: bytes) -> bytes | None:
        """The same from any thread; None is not counted as a miss: for whoever then asks with `get`."""
        waiting = self._writer.waiting(digest)
        if waiting is not None:
            self._hits += waiting.value is not None
            return waiting.value
        key = key_of(digest)
        with self._lock:
            try:
                row = self._database().execute(_GET, (key,)).fetchone()
            except sqlite3.Error as error:
                self._warn_or_raise(error)
                row = None
        # Another digest with the same 64 bits is a miss, never its value.
        if row is None or row[0] != digest[8:] or type(row[2]) is not bytes:
            return None
        now = self._now()
        if type(row[1]) is not int or now - row[1] > _TOUCH_AFTER:
            self._writer.touch(key, now)
        self._hits += 1
        value: bytes = row[2]
        return value

    async def put(self, digest: bytes, value: bytes) -> None:
        """Keep a value; an existing one is replaced. Returns before it is written, unless very much waits."""
        if len(digest) != DIGEST_BYTES:
            raise ValueError(f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
        self._puts += 1
        kept = bytes(value) if charge(len(value)) <= self._limit else None
        if self._writer.add(digest, Pending(kept, self._now())):
            await self.flush()

    async def flush(self) -> None:
        """Return when everything put so far would survive the death of this process."""
        await self._run(_nothing)

    async def close(self) -> None:
        """Flush and let go of the file; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._writer.failure is not None:
                raise self._writer.failure.copy()
            await self.flush()
        finally:
            self._finalizer()
            with self._lock:
                self._last = self._totals()
                self._close_reader()

    def statistics(self) -> StoreStatistics:
        """Counts so far; `bytes` is what the entries are charged against the limit, near their disk space."""
        with self._lock:
            held = self._last if self._closed else self._totals()
        return StoreStatistics(
            url=f"sqlite:///{self._path}",
            entries=held.entries,
            bytes=held.bytes,
            limit_bytes=self._limit,
            hits=self._hits,
            misses=self._misses,
            puts=self._puts,
            evicted=self._writer.evicted,
        )

    async def ages(self) -> tuple[float, float] | None:
        """Unix time at which the oldest and the newest entry were stored; None for an empty cache."""
        found = await self._run(ages)
        return None if found is None else (found[0] / _MICRO, found[1] / _MICRO)

    async def prune(self, *, older_than_seconds: float | None = None, to_bytes: int | None = None) -> int:
        """Delete what was stored longer ago, then the least recently used down to `to_bytes`; how many.

        The file shrinks by what is freed.
        """
        before = None if older_than_seconds is None else self._now() - int(older_than_seconds * _MICRO)

        def delete(db: sqlite3.Connection) -> int:
            removed = 0 if before is None else delete_before(db, before)
            return removed + (0 if to_bytes is None else shrink(db, to_bytes))

        removed = int(await self._run(delete))
        await asyncio.to_thread(_give_back, self._path)
        return removed

    async def clear(self) -> int:
        """Delete every entry; how many. The file shrinks to nearly nothing."""
        removed = int(await self._run(delete_all))
        await asyncio.to_thread(_give_back, self._path)
        return removed

    async def _run(self, job: Callable[[sqlite3.Connection], Any]) -> Any:
        return await asyncio.wrap_future(self._writer.submit(job))

    def _now(self) -> int:
        return int(self._clock() * _MICRO)

    def _database(self) -> sqlite3.Connection:
        """The reader's connection, opened again after a fork and when the file was replaced."""
        if self._reader is None or self._generation != self._writer.generation:
            if self._closed:
                raise MachineError(f"the cache {self._path} is closed")
            self._close_reader()
            self._generation = self._writer.generation
            self._reader = open_database(self._path)
        return self._reader

    def _warn_or_raise(self, error: sqlite3.Error) -> None:
        if not (is_damaged(error) or is_busy(error)):
            raise machine_error(self._path, error) from error
        if not self._warned:
            self._warned = True
            log.warning("the cache %s has unreadable entries (%s): they are misses", self._path, error)

    def _totals(self) -> Totals:
        try:
            return totals(self._database())
        except (sqlite3.Error, TrivetError):
            return self._last

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _before_fork(self) -> None:
        self._lock.acquire()
        self._close_reader()
        self._writer.before_fork()

    def _after_fork_in_parent(self) -> None:
        self._writer.after_fork_in_parent()
        self._lock.release()

    def _after_fork_in_child(self) -> None:
        self._writer.after_fork_in_child()
        self._lock = Lock()


def _nothing(db: sqlite3.Connection) -> None:
    """The change that changes nothing: done when all before it is."""


def _give_back(path: Path) -> None:
    """Return the pages that deleting has freed to the file system."""
    db = open_database(path)
    try:
        # A script steps through the pragma to its end; a statement would free one page.
        db.executescript("PRAGMA incremental_vacuum")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        raise machine_error(path, error) from error
    finally:
        db.close()


_open: weakref.WeakSet[SqliteStore] = weakref.WeakSet()
_at_fork: list[SqliteStore] = []


def _watch_forks(store: SqliteStore) -> None:
    """SQLite keeps its locks per process, so no connection of ours is open while this one forks."""
    _register()
    _open.add(store)


@cache
def _register() -> None:
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _before() -> None:
    _at_fork.extend(_open)
    for store in _at_fork:
        store._before_fork()


def _in_parent() -> None:
    for store in _at_fork:
        store._after_fork_in_parent()
    _at_fork.clear()


def _in_child() -> None:
    for store in _at_fork:
        store._after_fork_in_child()
    _at_fork.clear()
