"""What a transaction does to the tables of a cache file: add, touch, evict, prune, clear, count.

An entry's `id` is the first 64 bits of its digest, `rest` the others, `size` what it is charged against the
limit; `used` and `stored` are microseconds since 1970. Every change keeps `total`, so it is cheap to read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

EVICT_SHARE = 100
"""Eviction makes room for a hundredth of the limit at a time, not for one entry."""

_CHUNK = 500
_ROWS = (128, 16, 1)  # rows of an insert; few sizes, because each is a statement that SQLite prepares and keeps


class Pending(NamedTuple):
    """A value to be written, None where one too large takes the place of an older; `now` in microseconds."""

    value: bytes | None
    now: int

    @property
    def length(self) -> int:
        """Bytes held in memory until it is written."""
        return len(self.value) if self.value is not None else 0


class Totals(NamedTuple):
    """What a file holds."""

    bytes: int
    entries: int


def key_of(digest: bytes) -> int:
    """The first 64 bits as SQLite's signed integer."""
    return int.from_bytes(digest[:8], "big", signed=True)


def charge(length: int) -> int:
    """Bytes that an entry takes in the file, about: the value, what its last page leaves empty, its row."""
    return length + min(length, 4096) // 4 + 200


def totals(db: sqlite3.Connection) -> Totals:
    """Bytes charged and entries held."""
    return Totals(*db.execute("SELECT bytes, entries FROM total").fetchone())


def ages(db: sqlite3.Connection) -> tuple[int, int] | None:
    """When the oldest and the newest entry were stored, in microseconds; None for an empty file."""
    oldest, newest = db.execute("SELECT min(stored), max(stored) FROM entry").fetchone()
    return None if oldest is None else (oldest, newest)


def add_entries(db: sqlite3.Connection, batch: dict[bytes, Pending]) -> None:
    """Store a batch; what had the same 64 bits before goes."""
    latest = {key_of(digest): (digest, entry) for digest, entry in batch.items()}
    known = "SELECT id, seq, size FROM entry WHERE id IN (SELECT value FROM json_each(?))"
    _delete(db, db.execute(known, (str([*latest]),)).fetchall())
    seq = (db.execute("SELECT max(seq) FROM value").fetchone()[0] or 0) + 1
    entries: list[tuple[int, int, int, int, int, bytes]] = []
    values: list[tuple[int, bytes]] = []
    for key, (digest, entry) in latest.items():
        if entry.value is not None:
            entries.append((key, seq, entry.now, entry.now, charge(entry.length), digest[8:]))
            values.append((seq, entry.value))
            seq += 1
    _insert(db, "value", values)
    _insert(db, "entry", sorted(entries))  # neighbours share a page
    _change_totals(db, sum(entry[4] for entry in entries), len(entries))


def touch(db: sqlite3.Connection, used: Iterable[tuple[int, int]]) -> None:
    """Note when entries were used, as (id, microseconds)."""
    db.executemany("UPDATE entry SET used = ? WHERE id = ?", [(now, key) for key, now in used])


def evict(db: sqlite3.Connection, limit: int) -> int:
    """Where more than `limit` is held, delete the least recently used down to a little below; how many."""
    held = totals(db).bytes
    return shrink(db, limit - limit // EVICT_SHARE) if held > limit else 0


def shrink(db: sqlite3.Connection, to_bytes: int) -> int:
    """Delete the least recently used until no more than `to_bytes` are held; how many."""
    removed = 0
    while (excess := totals(db).bytes - to_bytes) > 0:
        query = "SELECT id, seq, size FROM entry ORDER BY used, seq LIMIT ?"
        oldest = db.execute(query, (_CHUNK,)).fetchall()
        if not oldest:
            break
        removed += _delete(db, list(_until(oldest, excess)))
    return removed


def delete_before(db: sqlite3.Connection, stored: int) -> int:
    """Delete what was stored before a moment, in microseconds; how many."""
    removed = 0
    query = "SELECT id, seq, size FROM entry WHERE stored < ? LIMIT ?"
    while found := db.execute(query, (stored, 100 * _CHUNK)).fetchall():
        removed += _delete(db, found)
    return removed


def delete_all(db: sqlite3.Connection) -> int:
    """Delete everything; how many."""
    removed = totals(db).entries
    db.execute("DELETE FROM entry")
    db.execute("DELETE FROM value")
    db.execute("UPDATE total SET bytes = 0, entries = 0")
    return removed


def _delete(db: sqlite3.Connection, rows: Sequence[tuple[int, int, int]]) -> int:
    if not rows:
        return 0
    db.executemany("DELETE FROM value WHERE seq = ?", [(seq,) for _, seq, _ in rows])
    db.executemany("DELETE FROM entry WHERE id = ?", [(key,) for key, _, _ in rows])
    _change_totals(db, -sum(size for _, _, size in rows), -len(rows))
    return len(rows)


def _insert(db: sqlite3.Connection, table: str, rows: Sequence[tuple[int | bytes, ...]]) -> None:
    """Insert many rows by few statements.

    Each step of a statement lets go of the interpreter and takes it back; beside a busy event loop, which has
    it meanwhile, that costs more than the step.
    """
    done = 0
    for size in _ROWS:
        while len(rows) - done >= size:
            part = rows[done : done + size]
            marks = ",".join([f"({','.join('?' * len(part[0]))})"] * size)
            db.execute(f"INSERT INTO {table} VALUES {marks}", list(chain.from_iterable(part)))  # noqa: S608
            done += size


def _change_totals(db: sqlite3.Connection, more_bytes: int, more_entries: int) -> None:
    db.execute("UPDATE total SET bytes = bytes + ?, entries = entries + ?", (more_bytes, more_entries))


def _until(rows: Iterable[tuple[int, int, int]], enough: int) -> Iterator[tuple[int, int, int]]:
    freed = 0
    for row in rows:
        if freed >= enough:
            return
        freed += row[2]
        yield row
