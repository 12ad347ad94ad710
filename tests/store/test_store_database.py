"""The cache file itself: private, never a stranger's, and whole again after damage."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from trivet.errors import MachineError, SettingsError
from trivet.store.database import APPLICATION_ID, SCHEMA_VERSION
from trivet.store.entries import key_of
from trivet.store.sqlite import SqliteStore
from trivet.testing.store import PLENTY, digest_of


def _store(path: Path, limit_bytes: int = PLENTY) -> SqliteStore:
    return SqliteStore(path, limit_bytes=limit_bytes)


async def test_private_to_the_user(tmp_path: Path) -> None:
    """The file and its companions are 0600, folders made for it 0700; other folders stay as they are."""
    tmp_path.chmod(0o755)
    path = tmp_path / "made" / "and made" / "кэш 🦊?#%.db"
    store = _store(path)
    await store.put(digest_of(1), b"one")
    await store.flush()
    assert {stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 3
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    await store.close()


async def _filled(path: Path, count: int = 200) -> None:
    store = _store(path)
    for n in range(count):
        await store.put(digest_of(n), os.urandom(1000))
    await store.close()


async def test_a_damaged_file_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file of ours that can't be read is kept under another name, with one warning; a fresh one is made."""
    path = tmp_path / "cache.db"
    await _filled(path)
    damaged = path.read_bytes()[:100] + b"\xff" * 8000
    path.write_bytes(damaged)
    with caplog.at_level(logging.WARNING, "trivet.store"):
        store = _store(path)
        assert await store.get(digest_of(1)) is None
        await store.put(digest_of(1), b"one")
        await store.flush()
        assert await store.get(digest_of(1)) == b"one"
        await store.close()
    assert [record.getMessage().count("moved to") for record in caplog.records] == [1]
    assert (tmp_path / "cache.db.damaged-1").read_bytes() == damaged


async def test_damage_found_while_writing_heals(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the damage shows only later, reads miss, and the next write starts a fresh file and is kept."""
    path = tmp_path / "cache.db"
    await _filled(path, 3000)
    content = bytearray(path.read_bytes())
    content[8 * 4096 :] = b"\xa5" * (len(content) - 8 * 4096)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "trivet.store"):
        store = _store(path)
        for n in range(3000):
            await store.get(digest_of(n))
        for n in range(600):
            await store.put(digest_of(("new", n)), b"new")
            if n % 100 == 0:
                await store.flush()
        await store.flush()
        for n in range(600):
            assert await store.get(digest_of(("new", n))) == b"new"
        await store.close()
    assert 1 <= len(caplog.records) <= 2
    again = _store(path)
    assert again.statistics().entries == 600
    await again.close()


async def test_a_damaged_row_is_a_miss(tmp_path: Path) -> None:
    """A row whose value or digest is not what it should be is a miss, never an error or a wrong value."""
    path = tmp_path / "cache.db"
    await _filled(path, 6)
    db = sqlite3.connect(path)
    for n, change in enumerate(
        (
            "UPDATE value SET value = 'text' WHERE seq = (SELECT seq FROM entry WHERE id = ?)",
            "UPDATE value SET value = 7 WHERE seq = (SELECT seq FROM entry WHERE id = ?)",
            "DELETE FROM value WHERE seq = (SELECT seq FROM entry WHERE id = ?)",
            "UPDATE entry SET rest = x'00' WHERE id = ?",
            "UPDATE entry SET rest = 'text' WHERE id = ?",
        )
    ):
        db.execute(change, (key_of(digest_of(n)),))
    db.execute("UPDATE entry SET used = 'never' WHERE id = ?", (key_of(digest_of(5)),))
    db.commit()
    db.close()
    store = _store(path)
    assert [await store.get(digest_of(n)) for n in range(5)] == [None] * 5
    assert await store.get(digest_of(5)) is not None
    await store.put(digest_of(0), b"mended")
    await store.flush()
    assert await store.get(digest_of(0)) == b"mended"
    await store.close()


def _foreign_database(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.commit()
    db.close()


@pytest.mark.parametrize("kind", ["text", "database", "marked", "short", "nuls"])
def test_a_foreign_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    """A file that is not ours is refused by name and not a byte of it changes."""
    path = tmp_path / "precious.db"
    if kind in ("database", "marked"):
        _foreign_database(path)
        if kind == "marked":
            db = sqlite3.connect(path)
            db.execute("PRAGMA application_id = 252006674")
            db.close()
    else:
        contents = {"text": b"my notes\n" * 50, "short": b"SQLite format 3\0", "nuls": bytes(5000)}
        path.write_bytes(contents[kind])
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=r"precious\.db is not a trivet cache"):
        _store(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["precious.db"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


async def test_an_empty_file_is_taken(tmp_path: Path) -> None:
    """A file of no bytes, as `touch` or `mktemp` makes it, becomes a cache."""
    path = tmp_path / "cache.db"
    path.touch()
    await _filled(path, 3)
    header = path.read_bytes()[:100]
    assert int.from_bytes(header[68:72], "big") == APPLICATION_ID
    assert int.from_bytes(header[60:64], "big") == SCHEMA_VERSION


def _set_version(path: Path, version: int) -> None:
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()


async def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    """A cache of a later trivet is neither read nor changed, and the message says what to do."""
    path = tmp_path / "cache.db"
    await _filled(path, 3)
    _set_version(path, SCHEMA_VERSION + 1)
    with pytest.raises(SettingsError, match="newer trivet"):
        _store(path)
    _set_version(path, SCHEMA_VERSION)
    store = _store(path)
    assert store.statistics().entries == 3
    await store.close()


async def test_an_older_version_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A cache of an earlier trivet is not read: it is kept under another name and a fresh one made."""
    path = tmp_path / "cache.db"
    await _filled(path, 3)
    _set_version(path, -1)
    with caplog.at_level(logging.WARNING, "trivet.store"):
        store = _store(path)
    assert store.statistics().entries == 0
    assert len(caplog.records) == 1
    assert (tmp_path / "cache.db.v-1-1").exists()
    await store.close()


@pytest.mark.parametrize("place", ["folder", "file/cache.db", "nul\0byte"])
def test_a_path_that_can_not_be_a_file(tmp_path: Path, place: str) -> None:
    """A folder, a path below a file, a name with a NUL: wrong usage, said in one sentence."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="name another path"):
        _store(tmp_path / place)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that takes no files")
def test_a_place_that_can_not_be_written() -> None:
    """Where no file can be made the error is the machine's and names the path."""
    with pytest.raises(MachineError, match="/proc/self/cache"):
        _store(Path("/proc/self/cache/cache.db"))


async def test_a_lost_file_stops_cleanly(tmp_path: Path) -> None:
    """Removing the file under an open store is an error of the next write and of all after it."""
    path = tmp_path / "cache.db"
    store = _store(path)
    await store.put(digest_of(1), b"one")
    await store.flush()
    path.unlink()
    await store.put(digest_of(2), b"two")
    with pytest.raises(MachineError, match="removed while it was in use"):
        await store.flush()
    with pytest.raises(MachineError, match="removed while it was in use"):
        await store.put(digest_of(3), b"three")
    with pytest.raises(MachineError):
        await store.close()
    await store.close()


async def test_the_replaced_file_is_followed(tmp_path: Path) -> None:
    """When another cache takes the path, as after damage found elsewhere, writes and reads go to it."""
    path, other = tmp_path / "cache.db", tmp_path / "other.db"
    await _filled(other, 2)
    store = _store(path)
    await store.put(digest_of("old"), b"old")
    await store.flush()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()
    other.replace(path)
    await store.put(digest_of("new"), b"new")
    await store.flush()
    assert await store.get(digest_of("new")) == b"new"
    assert await store.get(digest_of(0)) is not None
    assert await store.get(digest_of("old")) is None
    await store.close()
