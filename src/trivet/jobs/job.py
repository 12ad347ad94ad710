"""One run of a task over a dataset: its folder, what is left to do, and what came of it.

Opening a job settles everything that can be known before a cent is spent: whether an interrupted run waits to be
taken up, whether the results can be written, whether the rows have what the prompt needs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from pathlib import Path
from secrets import token_hex

import msgspec
from msgspec import Struct

from trivet import __version__
from trivet.errors import DataError, MachineError, RunError
from trivet.jobs import log, results, runs
from trivet.jobs.durability import GroupSync, sync_path
from trivet.jobs.feed import feed
from trivet.jobs.intents import Sent, mark_of, spent
from trivet.jobs.ledger import Ledger
from trivet.jobs.rows import Row, Source
from trivet.jobs.select import Selection
from trivet.jobs.summary import Totals
from trivet.prices.book import Book
from trivet.records import Record
from trivet.summary import Predicted, Summary
from trivet.tasks.task import Task
from trivet.types import Attempt, Request

READ_AHEAD = 512
"""Rows read ahead of need from a source that may block."""

LOOKED_AT = 100
"""Rows looked at, where a format has no header, before a column of the prompt is called unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobConfig:
    """What is run, and where it is kept. `root`: the folder of run folders. `server`: the base URL or "simulated".

    `durable`: what was written survives a power cut too, at the price of waiting for the disk.
    """

    task_name: str
    variant: str = "base"
    model: str
    server: str
    provider: str
    root: Path
    out: Path | None = None
    selection: Selection = field(default_factory=Selection)
    fresh: bool = False
    retry_failed: bool = False
    resume: bool = True
    durable: bool = False


class Job:
    """A run that has its folder. One process at a time has it.

    `token` names the run among all; `whole` is the same for all shards of one run, on whichever machine.
    """

    token = whole = ""

    def __init__(self, config: JobConfig, source: Source, folder: Path, ledger: Ledger, *, resumed: bool) -> None:
        self.config = config
        self.source = source
        self.folder = folder
        self.resumed = resumed
        self._ledger = ledger
        self._sync = GroupSync(ledger.sync) if config.durable else None
        self.finished_before = len(ledger.done) - (len(ledger.failed) if config.retry_failed else 0)

    @classmethod
    def open(cls, config: JobConfig, task: Task, source: Source, now: float) -> Job:
        """Find the interrupted run of the same work, or begin a new one. Raises `UsageError` before any spend."""
        check_columns(task, source)
        who = runs.identity(
            task=config.task_name,
            variant=config.variant,
            data=source.spec,
            selection=config.selection,
            model=config.model,
            base_url=config.server,
            out=config.out,
        )
        asked = _Asked(digest=task.digest, parts=_parts(task), fingerprint=source.fingerprint())
        found = _found(config, who, asked)
        manifest = runs.read_manifest(found) if found is not None else None
        stamp = None
        if config.out is not None:
            last = runs.last(config.root, who) if manifest is None and config.resume else None
            stamp = results.check_out(config.out, fresh=config.fresh, manifest=manifest, last=last, inputs=source.paths)
        folder = found or _new_folder(config, now)
        ledger = Ledger.open(folder, now)
        if manifest is None:
            manifest = runs.Manifest(
                run=folder.name,
                identity=who,
                task=config.task_name,
                data=source.spec,
                model=config.model,
                provider=config.provider,
                version=__version__,
                task_digest=asked.digest,
                task_parts=asked.parts,
                data_fingerprint=asked.fingerprint,
                labels=task.contract.labels is not None,
                out_stamp=stamp,
                started_at=now,
                token=token_hex(8),
            )
        runs.write_manifest(folder, manifest, now)
        source.keep_in(folder)
        if config.durable:
            sync_path(folder)
            sync_path(folder.parent)
        job = cls(config, source, folder, ledger, resumed=found is not None)
        job.token = manifest.token or f"{manifest.run}-{manifest.started_at}"
        job.whole = _whole(config, asked, source)
        log.begins(
            folder.name,
            task=config.task_name,
            model=config.model,
            provider=config.provider,
            resumed=job.resumed,
            finished_before=job.finished_before,
            lost=job.lost,
        )
        return job

    async def rows(self) -> AsyncIterator[Row]:
        """The rows still to be asked."""
        done, failed = self._ledger.done, self._ledger.failed
        async with aclosing(feed(self.source, READ_AHEAD)) as rows:
            async for row in rows:
                if row.n not in done or (self.config.retry_failed and row.n in failed):
                    yield row

    def keep(self, record: Record) -> Awaitable[None] | None:
        """Write a record; it is written when this returns, and on the disk when what is returned has been awaited."""
        self._ledger.append(record)
        return None if self._sync is None else self._sync()

    def journal(self, request: Request, attempt: Attempt | None) -> Awaitable[None] | None:
        """Mark that an attempt of the row that labels the request is about to be sent, or what a failed one came to."""
        self._ledger.mark(mark_of(request, attempt, self._ledger.size))
        return None if attempt is not None or self._sync is None else self._sync()

    @property
    def lost(self) -> int:
        """Attempts that were in flight when an earlier process was cut off: *possibly billed*."""
        return len(self._ledger.in_flight.lost)

    def spent(self, prices: Book, day: date) -> Decimal:
        """US dollars that all attempts of this run may have cost so far, whichever process made them."""

        def worst_case(sent: Sent) -> Decimal | None:
            return prices.worst_case(sent.size, sent.cap, model=self.config.model, tier=sent.tier, day=day)

        return spent(self._ledger.lines(), worst_case)

    def finish(self, *, wall_s: float, interrupted: bool, now: float, predicted: Predicted | None = None) -> Summary:
        """Write the results in row order and the summary, with what was `predicted`; unless interrupted, it is over."""
        try:
            self._ledger.look()
            totals = Totals()
            path = results.write(self._ledger, self.config.out, keep=self.config.selection.keep, seen=totals.add)
            for record in self._ledger.spent_in_vain():
                totals.add_replaced(record)
            summary = totals.summary(
                lost=len(self._ledger.in_flight),
                run=self.folder.name,
                task=self.config.task_name,
                model=self.config.model,
                provider=self.config.provider,
                wall_s=wall_s,
                now=now,
                resumed=self.finished_before,
                interrupted=interrupted,
                results=str(path),
            )
            summary = msgspec.structs.replace(summary, predicted=predicted)
            runs.finish(self.folder, summary, now)
            log.ends(summary)
        finally:
            self.close()
        return summary

    def __repr__(self) -> str:
        return f"Job({str(self.folder)!r}, finished_before={self.finished_before})"

    def close(self) -> None:
        """Let go of the run; it can be resumed."""
        self._ledger.close()


def _new_folder(config: JobConfig, now: float) -> Path:
    try:
        return runs.create(config.root, Path(config.task_name).stem, now)
    except MachineError:
        raise RunError(f"{config.root} can't hold run folders: choose another place for them (--runs DIR)") from None


class _Asked(Struct, frozen=True, kw_only=True):
    """What is asked, by digest: of the task, of its parts by name, of the data (None: read only once)."""

    digest: str
    parts: dict[str, str]
    fingerprint: str | None


def _parts(task: Task) -> dict[str, str]:
    return {name: sha256(msgspec.json.encode(part)).hexdigest()[:16] for name, part in task.describe().items()}


def _whole(config: JobConfig, asked: _Asked, source: Source) -> str:
    selection = msgspec.structs.replace(config.selection, shard=None)
    data = asked.fingerprint or Path(source.spec).name
    server = runs.public_url(config.server)
    return sha256(msgspec.json.encode([asked.digest, data, config.model, server, selection])).hexdigest()


def _found(config: JobConfig, who: runs.Identity, asked: _Asked) -> Path | None:
    if config.fresh or not config.resume:
        return None
    found = runs.find(
        config.root,
        who,
        finished=config.retry_failed,
        task_digest=asked.digest,
        task_parts=asked.parts,
        data_fingerprint=asked.fingerprint,
    )
    if found is None and config.retry_failed:
        raise RunError(f"--retry-failed: there is no run of this task and data in {config.root}")
    return found


def check_columns(task: Task, source: Source) -> None:
    """`DataError` when the prompt uses a column that the data does not have at all."""
    columns: Iterable[str] | None = source.columns
    looked_at = ""
    if columns is None:
        if source.blocking or not source.repeatable:
            return
        columns = dict.fromkeys(name for row in islice(source, LOOKED_AT) if row.data is not None for name in row.data)
        looked_at = f" in its first {LOOKED_AT} rows"
    if not columns:
        return
    missing = [name for name in task.columns if name not in columns]
    if missing:
        hint = f" ({source.hint})" if source.hint else ""
        raise DataError(
            f"the prompt uses {{{{ {missing[0]} }}}}, but {source.spec} has no column {missing[0]!r}{looked_at}: "
            f"it has {', '.join(list(columns)[:20])}{hint}; correct the prompt, or use --map {missing[0]}=COLUMN"
        )
