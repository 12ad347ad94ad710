"""The cache file: whose it is, its schema, and what to do with one that is damaged, foreign or old.

A file is ours when its header carries our application id. A damaged file of ours is moved aside with a
warning and a fresh one made; a file that is not ours is never written to.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from trivet.errors import MachineError, SettingsError

APPLICATION_ID = 0x54525654  # "TRVT"
SCHEMA_VERSION = 1
BUSY_SECONDS = 60.0
"""How long a statement waits for another process's write to end."""

# Values lie in the order they were written, so that a batch fills whole pages and an eviction frees them;
# only the small entries are spread by digest. Spread by digest, every value would rewrite a page of its own.
_SCHEMA = """
CREATE TABLE entry (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, used INTEGER NOT NULL,
                    stored INTEGER NOT NULL, size INTEGER NOT NULL, rest BLOB NOT NULL);
CREATE TABLE value (seq INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE total (one INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, entries INTEGER NOT NULL);
CREATE INDEX entry_used ON entry (used);
INSERT INTO total VALUES (1, 0, 0);
"""

_MARK = APPLICATION_ID.to_bytes(4, "big")  # at byte 68 of the header
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)

log = logging.getLogger("trivet.store")


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to the cache file, made if it is missing; usable from any thread, one at a time.

    SettingsError for a file that is not ours or of a newer version, MachineError where the machine refuses.
    """
    try:
        with _alone(path):
            return _open(path)
    except (IsADirectoryError, NotADirectoryError, ValueError) as wrong:
        raise SettingsError(f"the cache {path} can't be a file ({wrong}); name another path") from None
    except OSError as refused:
        raise MachineError(f"the cache {path} can't be opened: {refused.strerror}") from refused
    except sqlite3.Error as refused:
        raise machine_error(path, refused) from refused


def replace_damaged(path: Path, found: tuple[int, int] | None) -> None:
    """Move a file aside whose damage showed while in use, unless its place was taken since it was `found`."""
    try:
        with _alone(path):
            if identity(path) == found:
                _move_aside(path, "damaged", "is damaged")
    except OSError as refused:
        raise MachineError(f"the cache {path} is damaged and can't be moved: {refused.strerror}") from refused


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether the file's content is broken, rather than the machine or the statement."""
    return _code(error) in _DAMAGED


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process holds the file."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def machine_error(path: Path, error: sqlite3.Error) -> MachineError:
    """The sentence for a SQLite error that this machine must answer for."""
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return MachineError(f"the disk that holds the cache {path} is full; make room and run it again")
    if code in _UNWRITABLE:
        return MachineError(f"the cache {path} can't be written ({error}); see its permissions")
    if is_busy(error):
        return MachineError(f"the cache {path} stays locked by another program ({error})")
    return MachineError(f"the cache {path} failed ({error}); see its disk, or name another path")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file the path names now, to notice one that was removed or replaced while in use."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _code(error: sqlite3.Error) -> int:
    # Extended codes carry the primary one in their low byte; errors of the binding itself have none.
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While no other process or thread sets up or moves a cache file in the same folder."""
    if path.is_dir():
        raise IsADirectoryError("it is a folder")
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> sqlite3.Connection:
    # SQLite gives its companions the permissions of the file itself.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    owner = _owner(path)
    if owner == "foreign":
        raise SettingsError(f"{path} is not a trivet cache and is left as it is; name another path for the cache")
    if owner != "damaged":
        try:
            return _connect(path)
        except sqlite3.Error as broken:
            # A statement that our own schema can't run is damage too: a table is gone.
            if not is_damaged(broken) and (owner == "new" or _code(broken) != sqlite3.SQLITE_ERROR):
                raise
    _move_aside(path, "damaged", "is damaged")
    return _open(path)


def _move_aside(path: Path, suffix: str, why: str) -> None:
    """Rename the file and its companions, so that a fresh one can take its place and nothing is lost."""
    number = 1
    while (target := path.with_name(f"{path.name}.{suffix}-{number}")).exists():
        number += 1
    for companion in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{companion}").replace(f"{target}{companion}")
    log.warning("the cache %s %s: it is moved to %s and a fresh one is made", path, why, target.name)


def _owner(path: Path) -> Literal["ours", "new", "foreign", "damaged"]:
    """Whose file it is, asked of SQLite without the right to write.

    Never by opening the file here: closing a descriptor would drop the locks that every connection of this
    process holds on it ("How To Corrupt An SQLite Database File", SQLite's documentation, 2.2).
    """
    if path.stat().st_size == 0:
        return "new"
    try:
        probe = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        try:
            mark = probe.execute("PRAGMA application_id").fetchone()[0]
            is_bare = mark == 0 and not probe.execute("SELECT 1 FROM sqlite_schema").fetchone()
        finally:
            probe.close()
    except sqlite3.Error as error:
        if not is_damaged(error):
            raise
        # SQLite itself can't read this one, so no lock on it is worth keeping.
        with path.open("rb") as file:
            return "damaged" if file.read(72)[68:] == _MARK else "foreign"
    if mark != APPLICATION_ID:
        return "new" if is_bare else "foreign"
    with contextlib.suppress(PermissionError):
        path.chmod(0o600)
    return "ours"


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            _create_schema(db)
            version = SCHEMA_VERSION
        if version > SCHEMA_VERSION:
            raise SettingsError(
                f"the cache {path} was written by a newer trivet (version {version}); upgrade, or name another path"
            )
        if version < SCHEMA_VERSION:
            db.close()
            _move_aside(path, f"v{version}", f"was written by an older trivet (version {version})")
            return _open(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        # Fewer, larger checkpoints: a page that several batches touched is copied back once.
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        db.execute("PRAGMA journal_size_limit = 33554432")
        db.execute("PRAGMA cache_size = -16000")
        db.execute("SELECT bytes FROM total").fetchone()
        db.execute("SELECT 1 FROM entry LIMIT 1").fetchone()
        db.execute("SELECT seq FROM value ORDER BY seq DESC LIMIT 1").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _create_schema(db: sqlite3.Connection) -> None:
    """Make the tables, in one transaction and before the switch to WAL, so that the first page names its owner."""
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
