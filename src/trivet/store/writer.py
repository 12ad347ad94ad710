"""The one thread that writes to a cache file, several puts to a commit.

A put leaves its value in `_pending` and is done; the thread gathers what came within a few hundredths of a
second (or sooner, when somebody waits for it) into one transaction. What is not yet committed is answered
from memory, so a reader never waits and never misses what was just put.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Condition, Lock, Thread, current_thread
from typing import Any

from trivet.errors import MachineError, TrivetError
from trivet.store.database import identity, is_damaged, machine_error, open_database, replace_damaged
from trivet.store.entries import Pending, add_entries, evict, touch

LINGER_SECONDS = 0.05
BATCH_ENTRIES = 1024
BATCH_BYTES = 4_000_000
PENDING_BYTES = 64_000_000
TOUCH_BATCH = 4096

Job = Callable[[sqlite3.Connection], Any]


class Writer:
    """Puts, uses and other changes of one cache file, in the order in which they came.

    `generation` counts how often the file was replaced by another; `failure` is set once it can't be written
    to, and every later call raises it.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path = path
        self._limit = limit_bytes
        self._pending: dict[bytes, Pending] = {}
        self._committing: dict[bytes, Pending] = {}
        self._pending_bytes = 0
        self._touched: dict[int, int] = {}
        self._jobs: deque[tuple[Job, Future[Any]]] = deque()
        self._wake = Condition()
        self._thread: Thread | None = None
        self._stopping = False
        self._io = Lock()
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self.generation = 0
        self.evicted = 0
        self.failure: TrivetError | None = None

    def waiting(self, digest: bytes) -> Pending | None:
        """What was put under the digest and is not committed yet; without a lock, for the way of a hit."""
        # The thread fills `_committing` before it empties `_pending`, so in this order none is missed.
        return self._pending.get(digest) or self._committing.get(digest)

    def add(self, digest: bytes, entry: Pending) -> bool:
        """Leave an entry to be written; whether so much is waiting that the caller should wait too."""
        with self._wake:
            self._check()
            old = self._pending.get(digest)
            self._pending[digest] = entry
            self._pending_bytes += entry.length - (old.length if old else 0)
            if len(self._pending) == 1 or self._is_full():
                self._start()
            return self._pending_bytes > PENDING_BYTES

    def touch(self, key: int, now: int) -> None:
        """Note that an entry was used; lost, at worst, with the process."""
        self._touched[key] = now
        if len(self._touched) >= TOUCH_BATCH:
            with self._wake:
                if self.failure is None and not self._stopping:
                    self._start()

    def submit(self, job: Job) -> Future[Any]:
        """Run a change in a transaction of its own, after all that was put before."""
        future: Future[Any] = Future()
        # So that a waiter who goes away can't cancel what the thread is about to answer.
        future.set_running_or_notify_cancel()
        with self._wake:
            self._check()
            self._jobs.append((job, future))
            self._start()
        return future

    def stop(self) -> None:
        """Write what is waiting, end the thread and close the file; blocks for it."""
        with self._wake:
            self._stopping = True
            if self._pending or self._touched:
                with contextlib.suppress(RuntimeError):  # no new thread starts while the interpreter ends
                    self._start()
            thread = self._thread
            self._wake.notify()
        # The collector may call this from the very thread, which then ends by itself.
        if thread is not None and thread is not current_thread():
            thread.join()

    # --- fork: SQLite keeps its locks per process, so no connection may be open across one

    def before_fork(self) -> None:
        self._io.acquire()
        self._close_database()
        self._wake.acquire()

    def after_fork_in_parent(self) -> None:
        self._wake.release()
        self._io.release()

    def after_fork_in_child(self) -> None:
        # The thread, what it was to write and those who wait for it all stayed with the parent.
        self._pending, self._committing, self._pending_bytes = {}, {}, 0
        self._touched, self._jobs = {}, deque()
        self._thread = None
        self._wake, self._io = Condition(), Lock()

    # --- the thread

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure.copy()
        if self._stopping:
            raise MachineError(f"the cache {self._path} is closed")

    def _is_full(self) -> bool:
        return len(self._pending) >= BATCH_ENTRIES or self._pending_bytes >= BATCH_BYTES

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="trivet-cache-writer", daemon=True)
            self._thread.start()
        self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(self._has_work)
                self._wake.wait_for(self._is_awaited, LINGER_SECONDS)
                batch = self._committing = self._pending
                self._pending, self._pending_bytes = {}, 0
                touched, self._touched = self._touched, {}
                jobs, self._jobs = self._jobs, deque()
                last = self._stopping
            self._work(batch, touched, jobs)
            self._committing = {}
            if last:
                with self._io:
                    self._close_database()
                return

    def _has_work(self) -> bool:
        return bool(self._pending or self._jobs or self._stopping or len(self._touched) >= TOUCH_BATCH)

    def _is_awaited(self) -> bool:
        return bool(self._jobs or self._stopping or self._is_full())

    def _work(self, batch: dict[bytes, Pending], touched: dict[int, int], jobs: deque[tuple[Job, Future[Any]]]) -> None:
        def write(db: sqlite3.Connection) -> None:
            add_entries(db, batch)
            touch(db, list(touched.items()))
            self.evicted += evict(db, self._limit)

        try:
            if batch or touched:
                self._transact(write)
                self._committing = {}  # before anybody hears of it: a use of what is in the file is to be noted
            for job, future in jobs:
                future.set_result(self._transact(job))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self.failure = self._failure(error)
            for _, future in jobs:
                if not future.done():
                    future.set_exception(self.failure.copy())

    def _failure(self, error: Exception) -> TrivetError:
        if isinstance(error, TrivetError):
            return error
        if isinstance(error, sqlite3.Error):
            return machine_error(self._path, error)
        return MachineError(f"the cache {self._path} failed: {error!r}")

    def _transact(self, job: Job) -> Any:
        with self._io:
            try:
                return _in_transaction(self._database(), job)
            except sqlite3.DatabaseError as error:
                if not is_damaged(error):
                    raise
            self._replace_damaged()
            return _in_transaction(self._database(), job)

    def _database(self) -> sqlite3.Connection:
        """The open connection, to the file that the path names now."""
        found = identity(self._path)
        if self._identity is not None and found != self._identity:
            if found is None:
                raise MachineError(
                    f"the cache {self._path} was removed while it was in use: put it back, or begin a new one"
                )
            self._close_database()
            self._identity = None
            self.generation += 1
        if self._db is None:
            self._db = open_database(self._path)
            self._identity = identity(self._path)
        return self._db

    def _replace_damaged(self) -> None:
        self._close_database()
        replace_damaged(self._path, self._identity)
        self._identity = None
        self.generation += 1

    def _close_database(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _in_transaction(db: sqlite3.Connection, job: Job) -> Any:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = job(db)
        db.execute("COMMIT")
    except BaseException:
        # A full disk has already rolled back by itself.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result
