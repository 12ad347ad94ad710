"""A cache URL names a store, or the error says what does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import SettingsError
from trivet.store.memory import MemoryStore
from trivet.store.open import MEMORY_LIMIT, SQLITE_LIMIT, open_store, parse_size
from trivet.store.redis import RedisStore
from trivet.store.sqlite import SqliteStore


@pytest.mark.parametrize("url", [None, "off"])
def test_off(url: str | None) -> None:
    """No URL and `off` mean no cache."""
    assert open_store(url) is None


@pytest.mark.parametrize(
    ("url", "limit"),
    [
        ("memory://", MEMORY_LIMIT),
        ("MEMORY://", MEMORY_LIMIT),
        ("memory://?size=100MB", 100_000_000),
        ("memory://?size=1.5gb", 1_500_000_000),
        ("memory://?size=4096", 4096),
    ],
)
def test_memory(url: str, limit: int) -> None:
    """A memory store, bounded as asked."""
    store = open_store(url)
    assert isinstance(store, MemoryStore)
    assert store.statistics().limit_bytes == limit


async def test_sqlite_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes name a path from the working folder."""
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///folder/cache.db")
    assert isinstance(store, SqliteStore)
    assert (tmp_path / "folder" / "cache.db").exists()
    assert store.statistics().limit_bytes == SQLITE_LIMIT
    assert store.statistics().url == f"sqlite:///{tmp_path}/folder/cache.db"
    await store.close()


async def test_sqlite_absolute(tmp_path: Path) -> None:
    """Four slashes name a path from the root, and the URL of the statistics opens the same file again."""
    store = open_store(f"sqlite:///{tmp_path}/cache 1.db?size=1TB")
    assert store is not None
    assert (tmp_path / "cache 1.db").exists()
    assert store.statistics().limit_bytes == 10**12
    await store.close()
    again = open_store(store.statistics().url)
    assert again is not None
    await again.close()


async def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde is the user's home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    store = open_store("sqlite:///~/cache.db")
    assert store is not None
    assert (tmp_path / "cache.db").exists()
    await store.close()


@pytest.mark.parametrize("url", ["redis://:hunter2@host/0", "REDISS://user:hunter2@host:7000?size=5MB&prefix=team"])
def test_redis(url: str) -> None:
    """A Redis URL opens a store there without connecting, which never repeats the password."""
    store = open_store(url)
    assert isinstance(store, RedisStore)
    assert "hunter2" not in repr(store) + store.statistics().url
    assert store.statistics().limit_bytes == (5_000_000 if "size" in url else 1_000_000_000)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@host",
        "redis://:hunter2@host/",
        "redis://:hunter2@",
        "redis://",
        "redis:///0",
        "redis://:hunter2@host:port/0",
        "redis://:hunter2@host:99999/0",
        "redis://:hunter2@host/zero",
        "redis://:hunter2@host/-1",
        "redis://:hun#ter2@host/0",
        "redis://:hunter2@host/0?prefix=",
        "redis://:hunter2@host/0?prefix=a:b",
        "redis://:hunter2@host/0?prefix=*",
        "redis://:hunter2@host/0?size=lots",
        "redis://:hunter2@host/0?lease=10ms",
        "redis://:hunter2@host/0?lease=soon",
        "redis://:hunter2@host/0?tls=yes",
        "redis://[:hunter2@host/0",
    ],
)
def test_a_wrong_redis_url_is_refused(url: str) -> None:
    """What names no database or prefix, or can't be read, is a settings error without the password."""
    with pytest.raises(SettingsError) as refused:
        open_store(url)
    assert "hunter2" not in str(refused.value)
    assert "hun#" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cache.db",
        "/tmp/cache.db",
        "on",
        "OFF",
        "file:///x",
        "postgres://me:hunter2@host/db",
        "hunter2://",
        "sqlite://cache.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///?size=1MB",
        "memory://shared",
        "memory://?size=",
        "memory://?size=0",
        "memory://?size=-5MB",
        "memory://?size=lots",
        "memory://?sise=5MB",
        "🦊://",
        "sqlite:///~nobody-of-this-name/x",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    """What names no store is a settings error in one sentence that says what to write, without secrets."""
    with pytest.raises(SettingsError) as refused:
        open_store(url)
    said = str(refused.value)
    assert "memory://" in said or "size" in said or "home" in said
    assert "\n" not in said
    assert "me:hunter2" not in said


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    """Any text either opens memory or is a settings error."""
    if text.lower().startswith("sqlite:"):
        return
    try:
        store = open_store(text)
    except SettingsError:
        return
    assert store is None or isinstance(store, MemoryStore)


@given(st.integers(1, 999_999), st.sampled_from(["", "B", "kb", "MB", "Gb", "TB"]))
def test_sizes(number: int, unit: str) -> None:
    """A whole number and a unit is exactly that many bytes."""
    factor = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}[unit.upper()]
    assert parse_size(f"{number}{unit}") == parse_size(f" {number} {unit} ") == number * factor
