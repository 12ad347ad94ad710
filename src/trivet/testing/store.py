"""What every store must do: subclass `StoreConformance`, say how one is opened, and run it with pytest.

One that needs nothing but this machine has a promise more: `LocalStoreConformance`.

    class TestMine(StoreConformance):
        def open_store(self, folder, *, limit_bytes):
            return MyStore(folder / "cache", limit_bytes=limit_bytes)

The tests are `async def`, so a runner of asyncio tests is needed (pytest-asyncio in auto mode).
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from trivet.store.protocol import Store

PLENTY = 1_000_000_000


def digest_of(name: object) -> bytes:
    """A 32-byte digest of anything's text."""
    return hashlib.sha256(str(name).encode()).digest()


def same_prefix(digest: bytes) -> bytes:
    """Another digest with the same first 64 bits."""
    return digest[:8] + bytes(byte ^ 0xFF for byte in digest[8:])


class StoreConformance:
    """The promises of `trivet.store.protocol.Store`."""

    persistent = False
    """Whether entries outlive `close`."""

    many = 100_000
    """Entries that the test of many puts; fewer where each is a round trip."""

    def open_store(self, folder: Path, *, limit_bytes: int) -> Store:
        """A store of this kind; the same one each time for a folder, where it is persistent."""
        raise NotImplementedError

    @asynccontextmanager
    async def _store(self, folder: Path, limit_bytes: int = PLENTY) -> AsyncIterator[Store]:
        store = self.open_store(folder, limit_bytes=limit_bytes)
        try:
            yield store
        finally:
            await store.close()

    async def test_round_trip(self, tmp_path: Path) -> None:
        """What was put comes back byte for byte, before and after a flush; anything else is a miss."""
        values = [b"", b"\0", b"plain", "emoji 🦊 and עברית".encode(), bytes(range(256)) * 5000]
        async with self._store(tmp_path) as store:
            for n, value in enumerate(values):
                await store.put(digest_of(n), value)
            for _ in range(2):
                for n, value in enumerate(values):
                    found = await store.get(digest_of(n))
                    assert type(found) is bytes and found == value
                assert await store.get(digest_of("never put")) is None
                await store.flush()

    async def test_a_look_is_a_get_that_never_waits(self, tmp_path: Path) -> None:
        """A store that can `look` finds what `get` finds, in any thread, and leaves misses to `get` to count."""
        async with self._store(tmp_path) as store:
            look: Callable[[bytes], bytes | None] | None = getattr(store, "look", None)
            if look is None:
                return
            await store.put(digest_of("one"), b"value")
            for _ in range(2):
                assert look(digest_of("one")) == b"value"
                assert await asyncio.to_thread(look, digest_of("one")) == b"value"
                assert look(digest_of("two")) is None
                await store.flush()
            assert (store.statistics().hits, store.statistics().misses) == (4, 0)

    async def test_overwrite(self, tmp_path: Path) -> None:
        """A second put replaces the first, whether or not the first was written yet, and counts once."""
        async with self._store(tmp_path) as store:
            digest = digest_of("one")
            for value in (b"first", b"second", b"third" * 1000, b""):
                await store.put(digest, value)
                assert await store.get(digest) == value
            await store.flush()
            await store.put(digest, b"last")
            assert await store.get(digest) == b"last"
            await store.flush()
            assert await store.get(digest) == b"last"
            assert store.statistics().entries == 1

    async def test_same_first_64_bits(self, tmp_path: Path) -> None:
        """Two digests that share their first 64 bits never give each other's value."""
        async with self._store(tmp_path) as store:
            one, other = digest_of("one"), same_prefix(digest_of("one"))
            await store.put(one, b"one")
            assert await store.get(other) is None
            await store.flush()
            assert await store.get(other) is None
            await store.put(other, b"other")
            assert await store.get(one) in (b"one", None)
            await store.flush()
            assert await store.get(other) == b"other"
            assert await store.get(one) in (b"one", None)

    async def test_the_callers_buffer_may_change(self, tmp_path: Path) -> None:
        """A value is kept as it was when it was put, even from a buffer that is used again."""
        async with self._store(tmp_path) as store:
            buffer = bytearray(b"before")
            await store.put(digest_of("buffer"), cast(bytes, buffer))
            buffer[:] = b"after!"
            assert await store.get(digest_of("buffer")) == b"before"
            await store.flush()
            assert await store.get(digest_of("buffer")) == b"before"

    async def test_a_digest_has_32_bytes(self, tmp_path: Path) -> None:
        """A put under anything else is a ValueError, and stores nothing."""
        async with self._store(tmp_path) as store:
            for digest in (b"", b"short", bytes(33)):
                try:
                    await store.put(digest, b"value")
                except ValueError:
                    continue
                raise AssertionError(f"a digest of {len(digest)} bytes was taken")
            await store.flush()
            assert store.statistics().entries == 0

    async def test_large_values(self, tmp_path: Path) -> None:
        """A value of 64 MB is kept and comes back whole."""
        value = digest_of("large") * (64_000_000 // 32)
        async with self._store(tmp_path) as store:
            await store.put(digest_of("large"), value)
            await store.flush()
            assert await store.get(digest_of("large")) == value

    async def test_many_entries(self, tmp_path: Path) -> None:
        """As many entries as may be are all found, and counted."""
        count = self.many
        async with self._store(tmp_path) as store:
            digests = [digest_of(n) for n in range(count)]
            for digest in digests:
                await store.put(digest, digest[:16])
            await store.flush()
            assert store.statistics().entries == count
            for digest in digests[::17]:
                assert await store.get(digest) == digest[:16]

    async def test_counts(self, tmp_path: Path) -> None:
        """Hits, misses, puts, entries and bytes are counted as they happen."""
        async with self._store(tmp_path) as store:
            await store.put(digest_of(1), bytes(1000))
            await store.put(digest_of(2), bytes(1000))
            await store.get(digest_of(1))
            await store.get(digest_of(3))
            await store.flush()
            await store.get(digest_of(2))
            counts = store.statistics()
            assert (counts.hits, counts.misses, counts.puts, counts.entries) == (2, 1, 2, 2)
            assert 2000 <= counts.bytes <= 4000
            assert (counts.limit_bytes, counts.evicted) == (PLENTY, 0)

    async def test_eviction(self, tmp_path: Path) -> None:
        """The bytes never stay above the limit, the newest entries are there and the oldest gone."""
        limit = 200_000
        async with self._store(tmp_path, limit) as store:
            for n in range(1000):
                await store.put(digest_of(n), bytes(1000))
                if n % 50 == 49:
                    await store.flush()
                    assert store.statistics().bytes <= limit
            counts = store.statistics()
            assert counts.evicted == 1000 - counts.entries > 0
            assert counts.entries > 100
            assert await store.get(digest_of(999)) == bytes(1000)
            assert await store.get(digest_of(0)) is None

    async def test_a_value_beyond_the_limit(self, tmp_path: Path) -> None:
        """A value larger than the whole store is not kept, pushes nothing out, and leaves no older one."""
        async with self._store(tmp_path, 100_000) as store:
            await store.put(digest_of("small"), b"small")
            await store.put(digest_of("grows"), b"still small")
            await store.flush()
            await store.put(digest_of("grows"), bytes(200_000))
            assert await store.get(digest_of("grows")) is None
            await store.flush()
            assert await store.get(digest_of("grows")) is None
            assert await store.get(digest_of("small")) == b"small"

    async def test_concurrent_tasks(self, tmp_path: Path) -> None:
        """Tasks that put and get at once see whole values, their own included."""
        async with self._store(tmp_path) as store:

            async def work(task: int) -> None:
                for n in range(100):
                    digest = digest_of((task % 5, n))
                    value = f"{task % 5}:{n}:".encode() * 50
                    await store.put(digest, value)
                    assert await store.get(digest) == value
                    if n % 25 == 0:
                        await store.flush()
                    await asyncio.sleep(0)

            async with asyncio.TaskGroup() as group:
                for task in range(20):
                    group.create_task(work(task))

    async def test_threads_with_loops_of_their_own(self, tmp_path: Path) -> None:
        """One store serves several threads, each with its own loop."""
        failures: list[BaseException] = []
        async with self._store(tmp_path) as store:

            async def work(thread: int) -> None:
                for n in range(200):
                    value = f"{thread}:{n}".encode()
                    await store.put(digest_of(value), value)
                    assert await store.get(digest_of(value)) == value
                await store.flush()

            def run(thread: int) -> None:
                try:
                    asyncio.run(work(thread))
                except BaseException as failure:  # noqa: BLE001 - reported by the test's own thread
                    failures.append(failure)

            threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            assert not failures
            assert store.statistics().entries == 800

    async def test_cancellation(self, tmp_path: Path) -> None:
        """A cancelled put or flush leaves the store whole: nothing put is lost, and others go on."""
        async with self._store(tmp_path) as store:

            async def work(n: int) -> None:
                await store.put(digest_of(n), b"value")
                await store.flush()

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work(n)) for n in range(50)]
                await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
            await store.flush()
            for n in range(50):
                if not tasks[n].cancelled():
                    assert await store.get(digest_of(n)) == b"value"
            assert await store.get(digest_of("none")) is None

    async def test_closing_twice(self, tmp_path: Path) -> None:
        """A second close does nothing, and the statistics can still be read."""
        store = self.open_store(tmp_path, limit_bytes=PLENTY)
        await store.put(digest_of(1), b"one")
        await store.close()
        await store.close()
        assert store.statistics().puts == 1

    async def test_what_outlives_it(self, tmp_path: Path) -> None:
        """A persistent store opened again has everything; another is empty."""
        async with self._store(tmp_path) as store:
            for n in range(500):
                await store.put(digest_of(n), f"value {n}".encode())
        async with self._store(tmp_path) as again:
            for n in range(500):
                found = await again.get(digest_of(n))
                assert found == (f"value {n}".encode() if self.persistent else None)


class LocalStoreConformance(StoreConformance):
    """What is promised besides by a store on this machine."""

    async def test_get_never_waits(self, tmp_path: Path) -> None:
        """A get ends without a suspension, so that a caller without a running loop can drive it."""
        async with self._store(tmp_path) as store:
            await store.put(digest_of(1), b"one")
            await store.flush()
            for digest, expected in ((digest_of(1), b"one"), (digest_of(2), None)):
                lookup = store.get(digest)
                try:
                    lookup.send(None)
                except StopIteration as end:
                    assert end.value == expected
                else:
                    lookup.close()
                    raise AssertionError("get waited for something")
