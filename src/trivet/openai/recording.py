"""What a whole program under the SDK leaves: its bill, a summary at its end, and a folder that `trivet report` reads.

One folder a process, made at its first call: a manifest, a ledger with a record for each call, and the summary when
the program ends. Prompts and answers are not in it.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from pathlib import Path
from threading import Lock

from msgspec import UNSET

from trivet import __version__
from trivet.errors import TrivetError
from trivet.jobs import runs
from trivet.jobs.ledger import Ledger
from trivet.jobs.runs import Manifest, identity
from trivet.jobs.select import Selection
from trivet.jobs.summary import Totals
from trivet.openai.bill import Bill, Call, Counts
from trivet.records import Failure, Record
from trivet.settings import DropIn, Endpoint
from trivet.wording import dollars


class Recorder:
    """Writes down the calls of one process. `records`: the folder for it, or None; `summary`: say it at the end."""

    def __init__(self, records: Path | None, endpoint: Endpoint, *, summary: bool) -> None:
        self.bill = Bill()
        self._root = records
        self._endpoint = endpoint
        self._summary = summary
        self._lock = Lock()
        self._pid = os.getpid()
        self._folder: Path | None = None
        self._ledger: Ledger | None = None
        self._totals = Totals()
        self._began = time.time()
        self._n = 0
        atexit.register(self._end)

    def add(self, call: Call) -> None:
        """Write down one call; a disk that does not take it stops nothing but the writing."""
        self.bill.add(call)
        if self._root is None or not call.model:
            return  # what no model was asked for is not on anybody's bill
        with self._lock:
            try:
                if self._ledger is None:
                    self._open(self._root, call)
                if self._ledger is not None:
                    record = _record(call, self._n, time.time())
                    self._n += 1
                    self._ledger.append(record)
                    self._totals.add(record)
            except TrivetError as error:
                self._root = None
                _say(f"trivet: no more records are written: {error}")

    def _open(self, root: Path, call: Call) -> None:
        self._folder = runs.create(root, "openai", self._began)
        program = Path(sys.argv[0] or "python").name or "python"
        named = identity(
            task=program,
            variant="",
            data="-",
            selection=Selection(),
            model=call.model,
            base_url=self._endpoint.base_url,
            out=None,
        )
        manifest = Manifest(
            run=self._folder.name,
            identity=named,
            task=program,
            data="-",
            model=call.model,
            provider="simulated" if call.simulated else self._endpoint.host,
            version=__version__,
            task_digest="",
            started_at=self._began,
        )
        runs.write_manifest(self._folder, manifest, self._began)
        self._ledger = Ledger.open(self._folder, self._began)

    def _end(self) -> None:
        """At the end of the process that made it: the summary, on disk and for people."""
        if os.getpid() != self._pid:
            return
        counts = self.bill.counts()
        if self._summary and counts.calls:
            _say(summary_text(counts, self.bill.by_tag()))
        with self._lock:
            if self._ledger is None or self._folder is None:
                return
            now = time.time()
            manifest = runs.read_manifest(self._folder)
            summary = self._totals.summary(
                run=manifest.run,
                task=manifest.task,
                model=manifest.model,
                provider=manifest.provider,
                wall_s=now - self._began,
                now=now,
                interrupted=False,
            )
            try:
                runs.finish(self._folder, summary, now)
                self._ledger.close()
            except TrivetError as error:
                _say(f"trivet: the summary was not written: {error}")


class _Process:
    """One recorder a process."""

    lock = Lock()
    recorder: Recorder | None = None


def recorder(settings: DropIn, endpoint: Endpoint) -> Recorder | None:
    """The recorder of this process; None where nothing was asked for."""
    if not settings.summary and settings.records is None:
        return None
    with _Process.lock:
        if _Process.recorder is None:
            _Process.recorder = Recorder(settings.records, endpoint, summary=settings.summary)
        return _Process.recorder


def summary_text(counts: Counts, tags: dict[str, Counts]) -> str:
    """The bill in words, a line for each tag."""
    lines = [f"trivet: {_line(counts)}"]
    lines += [f"  {tag}: {_line(bill)}" for tag, bill in tags.items()]
    return "\n".join(lines)


def _line(counts: Counts) -> str:
    hits = counts.cache_hits + counts.coalesced
    parts = [f"{counts.calls} calls, {counts.sent} answered by the provider, {hits} from here"]
    if counts.failed:
        parts.append(f"{counts.failed} failed")
    retries = counts.attempts - counts.sent - counts.failed
    if retries > 0:
        parts.append(f"{retries} retries")
    parts.append(f"{counts.input_tokens} tokens in, {counts.output_tokens} out")
    unpriced = f" and {counts.unpriced} calls without a known price" if counts.unpriced else ""
    parts.append(f"cost {dollars(counts.cost)}{unpriced}, saved {dollars(counts.saved)}")
    return "; ".join(parts)


def _record(call: Call, n: int, now: float) -> Record:
    error = None if call.error is None else Failure(code=call.error, message=call.error)
    return Record(
        n=n,
        id=n,
        kept=dict(call.tags) or None,
        source=call.source,
        model=call.model or None,
        tier=call.tier,
        response_id=call.response_id,
        request_id=call.request_id,
        usage=call.usage,
        cost=call.cost,
        saved=call.saved,
        latency=call.latency,
        queued=call.queued,
        ttft=call.ttft,
        attempts=call.attempts,
        stored_at=call.stored_at,
        at=now,
        simulated=call.simulated,
        error=error,
        output=None if error is None else UNSET,
    )


def _say(text: str) -> None:
    if sys.stderr is not None:  # a program may be started without
        sys.stderr.write(text + "\n")


def _after_fork() -> None:
    _Process.lock = Lock()
    _Process.recorder = None


os.register_at_fork(after_in_child=_after_fork)
