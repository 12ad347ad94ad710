"""The memory store keeps every promise of a store, and evicts exactly by last use."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trivet.store.memory import ENTRY_BYTES, MemoryStore
from trivet.testing.store import LocalStoreConformance, digest_of


class TestMemoryStore(LocalStoreConformance):
    def open_store(self, folder: Path, *, limit_bytes: int) -> MemoryStore:
        return MemoryStore(limit_bytes=limit_bytes)


async def test_a_used_entry_outlives_an_unused_one() -> None:
    """A hit counts as a use: of two entries, the one not asked for makes room."""
    store = MemoryStore(limit_bytes=2 * (100 + ENTRY_BYTES))
    await store.put(digest_of("a"), bytes(100))
    await store.put(digest_of("b"), bytes(100))
    await store.get(digest_of("a"))
    await store.put(digest_of("c"), bytes(100))
    assert await store.get(digest_of("a")) is not None
    assert await store.get(digest_of("b")) is None


def _drive(coroutine: object) -> object:
    try:
        coroutine.send(None)  # type: ignore[attr-defined]
    except StopIteration as end:
        return end.value
    raise AssertionError("it waited")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400), st.booleans()), max_size=80))
def test_the_same_as_a_list_ordered_by_use(steps: list[tuple[int, int, bool]]) -> None:
    """Against a plain model: the same entries, the same bytes, never above the limit."""
    limit = 1500
    store = MemoryStore(limit_bytes=limit)
    model: list[tuple[int, bytes]] = []  # least recently used first
    for name, size, is_put in steps:
        old = next((entry for entry in model if entry[0] == name), None)
        if is_put:
            model = [entry for entry in model if entry[0] != name]
            if size + ENTRY_BYTES <= limit:
                model.append((name, bytes(size)))
            while sum(len(value) + ENTRY_BYTES for _, value in model) > limit:
                model.pop(0)
            _drive(store.put(digest_of(name), bytes(size)))
        else:
            if old is not None:
                model.remove(old)
                model.append(old)
            assert _drive(store.get(digest_of(name))) == (old[1] if old else None)
        counts = store.statistics()
        assert counts.entries == len(model)
        assert counts.bytes == sum(len(value) + ENTRY_BYTES for _, value in model) <= limit
