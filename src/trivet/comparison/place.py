"""A comparison's folder: what was asked, a ledger for each variant, and what an earlier, stopped one left there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from trivet.comparison.measure import Lane, model_of
from trivet.errors import MachineError, RunError
from trivet.jobs.intents import Sent, mark_of, spent
from trivet.jobs.ledger import Ledger
from trivet.jobs.rows import Row
from trivet.jobs.runs import create
from trivet.prices.book import Book
from trivet.records import Record
from trivet.reporting import saved
from trivet.reporting.saved import SavedComparison
from trivet.tasks.task import Task
from trivet.types import Attempt, Request


def identity_of(variants: Mapping[str, Task], rows: Sequence[Row], model: str, server: str, more: Any) -> str:
    """What makes two comparisons the same: variants, rows, models, server, and how they are asked."""
    asked = [[name, task.digest, model_of(task, model), task.plan.tier] for name, task in variants.items()]
    found = sha256(msgspec.json.encode([asked, server, more]))
    for row in rows:
        found.update(_encoded(row))
    return found.hexdigest()


def _encoded(row: Row) -> bytes:
    try:
        return msgspec.json.encode([row.n, row.data], enc_hook=str)
    except (TypeError, ValueError, RecursionError):  # keys that JSON lacks, half of a surrogate pair
        return repr((row.n, row.data)).encode("utf-8", "surrogatepass")


class Place:
    """Where a comparison keeps its records. Without a folder it keeps them nowhere, and has nothing from before."""

    def __init__(self, folder: Path | None, saved_as: SavedComparison, *, resumed: bool = False) -> None:
        self.folder = folder
        self.saved = saved_as
        self.resumed = resumed
        self._ledgers: dict[str, Ledger] = {}

    @classmethod
    def open(cls, root: Path | None, begun: SavedComparison, *, fresh: bool) -> Place:
        """The folder of the newest comparison of the same that was stopped, or a new one."""
        if root is None:
            return cls(None, begun)
        found = None if fresh else _stopped(root, begun.identity)
        if found is not None:
            return cls(found[0], replace(begun, at=found[1].at, folders=found[1].folders, alone=found[1].alone),
                       resumed=True)  # fmt: skip
        try:
            folder = create(root, begun.name, begun.at or time.time())
        except MachineError:
            raise RunError(f"{root} can't hold run folders: choose another place for them (--runs DIR)") from None
        saved.write(folder, begun)
        return cls(folder, begun)

    def lane(
        self,
        inner: str,
        task: Task,
        records: dict[int, Record],
        rows: frozenset[int] | None,
        *,
        before: Callable[[Record], None],
    ) -> Lane:
        """A lane whose records go into this folder; those there already go into `records`, each is told to `before`."""
        ledger = self._ledger(inner)
        if ledger is None:
            return Lane(task=task, keep=_nowhere, rows=rows)
        for record in ledger.records():
            before(record)
            records[record.n] = record

        def journal(request: Request, attempt: Attempt | None) -> None:
            ledger.mark(mark_of(request, attempt, ledger.size))

        return Lane(task=task, keep=ledger.append, journal=journal, rows=rows)

    def _ledger(self, inner: str) -> Ledger | None:
        if self.folder is None:
            return None
        if inner not in self._ledgers:
            place = self.folder / inner
            place.mkdir(mode=0o700, exist_ok=True)
            self._ledgers[inner] = Ledger.open(place, time.time())
        return self._ledgers[inner]

    def spent(self, prices: Book, day: date, models: Mapping[str, str]) -> Decimal:
        """US dollars that what is here may have cost so far. `models`: by inner folder."""

        def worst(model: str) -> Callable[[Sent], Decimal | None]:
            return lambda sent: prices.worst_case(sent.size, sent.cap, model=model, tier=sent.tier, day=day)

        return sum((spent(ledger.lines(), worst(models[inner])) for inner, ledger in self._ledgers.items()), Decimal(0))

    def write(self, **changes: Any) -> None:
        """Save what is known of the comparison."""
        self.saved = replace(self.saved, **changes)
        if self.folder is not None:
            saved.write(self.folder, self.saved)

    def close(self) -> None:
        """Let go of the ledgers; the comparison can be taken up."""
        for ledger in self._ledgers.values():
            ledger.close()

    def __repr__(self) -> str:
        return f"Place({str(self.folder)!r}, resumed={self.resumed})"


def inner_folder(number: int, name: str) -> str:
    """The name of a variant's folder."""
    return f"{number}-{''.join(c if (c.isascii() and c.isalnum()) or c in '-_' else '-' for c in name)[:60]}"


def _stopped(root: Path, identity: str) -> tuple[Path, SavedComparison] | None:
    """The newest comparison of this identity, if it has no end."""
    known = []
    for path in root.glob(f"*/{saved.NAME}"):
        try:
            found = saved.read(path.parent)
        except RunError:
            continue
        if found.identity == identity:
            known.append((found.at or 0.0, str(path.parent), path.parent, found))
    if not known:
        return None
    _, _, folder, newest = max(known, key=lambda each: each[:2])
    return None if newest.finished_at is not None else (folder, newest)


def _nowhere(_: Record) -> None:
    """Where records go without a folder."""
