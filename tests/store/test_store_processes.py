"""One cache file under several processes, kills, forks and a disk without room."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest

from trivet.store.sqlite import SqliteStore
from trivet.testing.store import PLENTY, digest_of


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


@pytest.mark.parametrize("damaged", [False, True])
async def test_processes_that_open_it_at_once(tmp_path: Path, damaged: bool) -> None:
    """Five processes that meet a missing or a damaged file make one fresh file of it, and all write to that."""
    path = tmp_path / "cache.db"
    if damaged:
        store = _store(path)
        await store.close()
        path.write_bytes(path.read_bytes()[:100] + b"\xff" * 5000)
    others = [_python(WRITE, path, name, 100, "forget") for name in "abcde"]
    for other in others:
        other.communicate(timeout=60)
        assert other.returncode == 0
    store = _store(path)
    assert store.statistics().entries == 500
    await store.close()
    assert (tmp_path / "cache.db.damaged-1").exists() == damaged
    assert not (tmp_path / "cache.db.damaged-2").exists()


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
