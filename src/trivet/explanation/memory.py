"""What is remembered from run to run, in the user's cache folder: an account's limits and speeds, and predictions.

Each is a small file of its own, named by a digest that tells neither key nor text; the oldest leave when there are more
than `MOST_FILES`. Whatever can't be read or written is as good as not there: nothing depends on it but a forecast.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from trivet.client.client import AsyncClient
from trivet.jobs.rows import Source
from trivet.jobs.select import Selection
from trivet.settings import Endpoint
from trivet.summary import Predicted, Summary
from trivet.tasks.task import Task

MOST_FILES = 500

FEW = 8
"""Replies from which on their percentiles are worth keeping."""

T = TypeVar("T", bound=Struct)


class Learned(Struct, frozen=True, kw_only=True):
    """Limits a minute as an account's replies told them, at a Unix time."""

    rpm: float | None = None
    tpm: float | None = None
    at: float = 0.0


class Pace(Struct, frozen=True, kw_only=True):
    """How long the replies to one task took, in seconds, over so many."""

    p50: float
    p90: float
    count: int
    at: float = 0.0


class Memory:
    """The files. `folder` None: nothing is remembered."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"Memory({str(self._folder)!r})"

    def limits(self, endpoint: Endpoint, model: str) -> Learned | None:
        """The limits of a model for this account, as they were told last."""
        return self._read("limits", [_account(endpoint), model], Learned)

    def keep_limits(self, endpoint: Endpoint, model: str, rpm: float | None, tpm: float | None) -> None:
        """Remember them, where there are any."""
        if rpm or tpm:
            self._write("limits", [_account(endpoint), model], Learned(rpm=rpm, tpm=tpm, at=time.time()))

    def learn_limits(self, client: AsyncClient, model: str) -> None:
        """Remember the limits that the replies of the running loop have told."""
        caps, told = client.config.limits, client.moment().limit
        # a limit that is no more than the user's own cap tells nothing of the account's
        rpm = None if told.limit_requests == caps.rpm else told.limit_requests
        tpm = None if told.limit_tokens == caps.tpm else told.limit_tokens
        self.keep_limits(client.endpoint, model, rpm, tpm)

    def pace(self, endpoint: Endpoint, model: str, task: Task) -> Pace | None:
        """How long replies to this very task took of late."""
        return self._read("pace", [_account(endpoint), model, task.digest], Pace)

    def keep_pace(self, endpoint: Endpoint, model: str, task: Task, summary: Summary) -> None:
        """Remember what a run measured, where it is enough."""
        p50, p90 = summary.latency_s.p50, summary.latency_s.p90
        if summary.calls.sent >= FEW and p50 and p90:
            pace = Pace(p50=p50, p90=p90, count=summary.calls.sent, at=time.time())
            self._write("pace", [_account(endpoint), model, task.digest], pace)

    def predicted(self, work: str) -> Predicted | None:
        """What was predicted of this work, if anything."""
        return self._read("predicted", work, Predicted)

    def keep_predicted(self, work: str, predicted: Predicted) -> None:
        """Remember a prediction until the work is done."""
        self._write("predicted", work, predicted)

    def forget_predicted(self, work: str) -> None:
        """The work is done: a second run of it finds another cache."""
        if self._folder is not None:
            with suppress(OSError):
                self._path("predicted", work).unlink(missing_ok=True)

    def _path(self, kind: str, of: Any) -> Path:
        return (self._folder or Path()) / f"{kind}-{sha256(msgspec.json.encode(of)).hexdigest()[:24]}.json"

    def _read(self, kind: str, of: Any, type: type[T]) -> T | None:
        if self._folder is None:
            return None
        try:
            return msgspec.json.decode(self._path(kind, of).read_bytes(), type=type)
        except (OSError, ValueError):
            return None

    def _write(self, kind: str, of: Any, value: Struct) -> None:
        if self._folder is None:
            return
        path = self._path(kind, of)
        new = path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_bytes(msgspec.json.encode(value))
            new.replace(path)
            self._prune()

    def _prune(self) -> None:
        files = list((self._folder or Path()).glob("*.json"))
        if len(files) > MOST_FILES:
            for path in sorted(files, key=lambda path: path.stat().st_mtime)[: len(files) - MOST_FILES]:
                path.unlink(missing_ok=True)


def work_of(task: Task, source: Source, selection: Selection, model: str, endpoint: Endpoint) -> str | None:
    """Names a task over data at a server, whatever is copied from the rows; None where data can be read only once."""
    fingerprint = source.fingerprint()
    if fingerprint is None:
        return None
    chosen = msgspec.structs.replace(selection, id=None, keep=())
    service = task.fields(model).get("service_tier")
    return sha256(
        msgspec.json.encode([task.digest, service, fingerprint, model, _account(endpoint), chosen])
    ).hexdigest()


def _account(endpoint: Endpoint) -> str:
    return f"sim:{endpoint.simulated}" if endpoint.simulated is not None else endpoint.account()
