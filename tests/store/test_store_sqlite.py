"""The SQLite store keeps every promise of a store, across processes, crashes, forks and damage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trivet.errors import MachineError
from trivet.store.sqlite import TOUCH_AFTER_SECONDS, SqliteStore
from trivet.testing.store import PLENTY, LocalStoreConformance, digest_of


class TestSqliteStore(LocalStoreConformance):
    persistent = True

    def open_store(self, folder: Path, *, limit_bytes: int) -> SqliteStore:
        return SqliteStore(folder / "cache.db", limit_bytes=limit_bytes)


class Clock:
    """A wall clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


def _store(path: Path, limit_bytes: int = PLENTY) -> SqliteStore:
    return SqliteStore(path, limit_bytes=limit_bytes)


# --- eviction, pruning, ages


async def test_a_use_long_after_counts_for_eviction(tmp_path: Path) -> None:
    """An entry used an hour after it was stored outlives one that was not."""
    clock = Clock()
    store = SqliteStore(tmp_path / "cache.db", limit_bytes=20_000, clock=clock)
    for n in range(10):
        await store.put(digest_of(n), bytes(1000))
    await store.flush()
    clock.now += TOUCH_AFTER_SECONDS + 1
    assert await store.get(digest_of(0)) is not None
    await store.flush()
    for n in range(10, 20):
        await store.put(digest_of(n), bytes(1000))
    await store.flush()
    assert await store.get(digest_of(0)) is not None
    assert await store.get(digest_of(1)) is None
    await store.close()


async def test_prune_by_age_and_by_size(tmp_path: Path) -> None:
    """What was stored longer ago goes, then the least recently used until it fits; ages tell what is left."""
    clock = Clock()
    store = SqliteStore(tmp_path / "cache.db", limit_bytes=PLENTY, clock=clock)
    assert await store.ages() is None
    start = clock.now
    for day in range(10):
        clock.now = start + day * 86_400
        await store.put(digest_of(day), bytes(1000))
    await store.flush()
    assert await store.ages() == pytest.approx((start, start + 9 * 86_400), abs=1)
    assert await store.prune(older_than_seconds=5.5 * 86_400) == 4
    assert await store.ages() == pytest.approx((start + 4 * 86_400, start + 9 * 86_400), abs=1)
    each = store.statistics().bytes // 6
    assert await store.prune(to_bytes=2 * each) == 4
    assert await store.get(digest_of(9)) is not None
    assert await store.get(digest_of(7)) is None
    assert await store.prune(to_bytes=0) == 2
    assert await store.prune() == 0
    assert store.statistics().bytes == 0
    await store.close()


async def test_clear_shrinks_the_file(tmp_path: Path) -> None:
    """After clear nothing is found, and the disk has its space back."""
    path = tmp_path / "cache.db"
    store = _store(path)
    for n in range(2000):
        await store.put(digest_of(n), os.urandom(1000))
    await store.flush()
    assert await store.clear() == 2000
    assert await store.get(digest_of(5)) is None
    assert path.stat().st_size < 100_000
    await store.put(digest_of(5), b"again")
    assert await store.get(digest_of(5)) == b"again"
    await store.close()


async def test_the_limit_bounds_the_file(tmp_path: Path) -> None:
    """Whatever the sizes, the file stays near the limit while far more passes through it."""
    path, limit = tmp_path / "cache.db", 2_000_000
    store = _store(path, limit)
    for n in range(4000):
        await store.put(digest_of(n), bytes((n * 7919) % 4000))
        if n % 200 == 0:
            await store.flush()
    await store.close()
    assert path.stat().st_size < 1.3 * limit
    assert store.statistics().evicted > 2000


async def test_used_after_close(tmp_path: Path) -> None:
    """A closed store says so."""
    store = _store(tmp_path / "cache.db")
    await store.close()
    with pytest.raises(MachineError, match="closed"):
        await store.put(digest_of(1), b"one")
    with pytest.raises(MachineError, match="closed"):
        await store.get(digest_of(1))
