"""The SQLite store keeps every promise of a store, across processes, crashes, forks and damage."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest

from trivet.errors import MachineError, SettingsError
from trivet.store.database import APPLICATION_ID, SCHEMA_VERSION
from trivet.store.entries import key_of
from trivet.store.sqlite import TOUCH_AFTER_SECONDS, SqliteStore
from trivet.testing.store import PLENTY, StoreConformance, digest_of


class TestSqliteStore(StoreConformance):
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


def _python(script: str, *args: object) -> subprocess.Popen[str]:
    """A process of its own that runs the script with the arguments."""
    words = [sys.executable, "-c", textwrap.dedent(script), *map(str, args)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


WRITE = """
    import asyncio, sys
    from pathlib import Path
    from trivet.store.sqlite import SqliteStore
    from trivet.testing.store import digest_of

    async def main(path, name, count, end):
        store = SqliteStore(Path(path), limit_bytes=10**9)
        for n in range(int(count)):
            await store.put(digest_of((name, n)), f"{name} {n}".encode())
            if n % 100 == 0:
                await asyncio.sleep(0)
        if end == "forget":
            return
        await store.flush()
        print("flushed", flush=True)
        sys.stdin.readline()

    asyncio.run(main(*sys.argv[1:]))
"""


# --- across processes


async def test_two_processes_write_at_once(tmp_path: Path) -> None:
    """What two processes and this one put at the same time is all there, and counted once."""
    path = tmp_path / "cache.db"
    others = [_python(WRITE, path, name, 3000, "flush") for name in ("a", "b")]
    store = _store(path)
    for n in range(3000):
        await store.put(digest_of(("c", n)), f"c {n}".encode())
    await store.flush()
    for other in others:
        assert other.communicate("\n", timeout=60)[0] == "flushed\n"
    for name in "abc":
        for n in range(3000):
            assert await store.get(digest_of((name, n))) == f"{name} {n}".encode()
    assert store.statistics().entries == 9000
    await store.close()


async def test_killed_after_flush(tmp_path: Path) -> None:
    """A process killed with signal 9 after a flush has lost nothing, and the file opens as it should."""
    path = tmp_path / "cache.db"
    other = _python(WRITE, path, "a", 2000, "flush")
    assert other.stdout is not None and other.stdout.readline() == "flushed\n"
    other.send_signal(signal.SIGKILL)
    other.communicate(timeout=60)
    store = _store(path)
    for n in range(2000):
        assert await store.get(digest_of(("a", n))) == f"a {n}".encode()
    await store.close()


async def test_an_ending_process_writes_what_was_not_flushed(tmp_path: Path) -> None:
    """A program that forgets to close its store loses nothing by an ordinary end."""
    path = tmp_path / "cache.db"
    other = _python(WRITE, path, "a", 300, "forget")
    other.communicate(timeout=60)
    assert other.returncode == 0
    store = _store(path)
    assert store.statistics().entries == 300
    await store.close()


def test_a_fork_keeps_both_sides_working(tmp_path: Path) -> None:
    """Parent and child go on with the same store: each sees what the other writes."""
    path = tmp_path / "cache.db"
    store = _store(path)

    async def put(name: str) -> None:
        await store.put(digest_of(name), name.encode())
        await store.flush()

    asyncio.run(put("before"))
    asyncio.run(store.put(digest_of("waiting"), b"waiting"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside a thread: that is the test
        child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(put("child"))
            code = 0 if asyncio.run(store.get(digest_of("before"))) == b"before" else 2
        finally:
            os._exit(code)
    asyncio.run(put("parent"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for name in ("before", "waiting", "child", "parent"):
        assert asyncio.run(store.get(digest_of(name))) == name.encode()
    asyncio.run(store.close())
    assert store.statistics().entries == 4


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


# --- files


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


FULL = """
    import asyncio, resource, signal, sys
    from pathlib import Path
    from trivet.errors import MachineError
    from trivet.store.sqlite import SqliteStore
    from trivet.testing.store import digest_of

    async def main(path):
        store = SqliteStore(Path(path), limit_bytes=10**9)
        await store.put(digest_of("before"), b"before")
        await store.flush()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            for n in range(1000):
                await store.put(digest_of(n), bytes(10_000))
                await store.flush()
        except MachineError as error:
            print(error)
        assert await store.get(digest_of("before")) == b"before"

    asyncio.run(main(sys.argv[1]))
"""


async def test_no_more_room(tmp_path: Path) -> None:
    """When the file can't grow, a put or flush fails with one sentence; what was written stays readable."""
    path = tmp_path / "cache.db"
    other = _python(FULL, path)
    said = other.communicate(timeout=60)[0]
    assert other.returncode == 0
    assert said.startswith("the ") and str(path) in said
    store = _store(path)
    assert await store.get(digest_of("before")) == b"before"
    await store.close()


async def test_used_after_close(tmp_path: Path) -> None:
    """A closed store says so."""
    store = _store(tmp_path / "cache.db")
    await store.close()
    with pytest.raises(MachineError, match="closed"):
        await store.put(digest_of(1), b"one")
    with pytest.raises(MachineError, match="closed"):
        await store.get(digest_of(1))


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


async def test_opening_the_file_again_keeps_its_locks(tmp_path: Path) -> None:
    """A second store on the same file here, and another process that comes and goes, harm nothing."""
    path = tmp_path / "cache.db"
    store = _store(path)
    await store.put(digest_of("first"), b"first")
    await store.flush()
    second = _store(path)
    assert await second.get(digest_of("first")) == b"first"
    await second.close()
    other = _python(WRITE, path, "a", 300, "forget")
    other.communicate(timeout=60)
    assert Path(f"{path}-wal").exists(), "the other process took itself for the last one"
    for n in range(300):
        assert await store.get(digest_of(("a", n))) == f"a {n}".encode()
    await store.put(digest_of("last"), b"last")
    await store.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("SELECT count(*) FROM entry").fetchone() == (302,)
    db.close()


@pytest.mark.soak
async def test_many_kills_leave_a_sound_file(tmp_path: Path) -> None:
    """Writers killed at any moment, several at once, never damage the file, its totals or what is flushed."""
    path = tmp_path / "cache.db"
    rng = random.Random(7)
    store = _store(path, 3_000_000)
    for round_ in range(40):
        writers = [_python(WRITE, path, f"{round_}{name}", 20_000, "flush") for name in "ab"]
        await store.put(digest_of(round_), b"mine")
        await store.flush()
        await asyncio.sleep(rng.uniform(0.15, 0.6))
        for writer in writers:
            writer.kill()
            writer.communicate(timeout=60)
        assert await store.get(digest_of(round_)) == b"mine"
    await store.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    held = db.execute("SELECT count(*), sum(size) FROM entry").fetchone()
    assert db.execute("SELECT entries, bytes FROM total").fetchone() == held
    assert db.execute("SELECT count(*) FROM value").fetchone() == held[:1]
    db.close()
