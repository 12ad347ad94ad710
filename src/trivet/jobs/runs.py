"""Run folders: their names, what they say of themselves, and which of them waits to be resumed."""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from trivet.errors import RunError
from trivet.jobs.record_lines import VERSION as RECORDS
from trivet.jobs.select import Selection
from trivet.jobs.writing import machine_errors, replace
from trivet.summary import Summary

MANIFEST = "run.json"
SUMMARY = "summary.json"


class Identity(Struct, frozen=True, kw_only=True):
    """What makes two commands the same run: made by `identity`, with absolute paths and no credentials."""

    task: str
    variant: str
    data: str
    selection: Selection
    model: str
    base_url: str
    out: str | None


class Manifest(Struct, frozen=True, kw_only=True):
    """What a run folder says of its run.

    `task`, `data`: as the user named them. `task_digest`: over all that can change an answer; `task_parts`:
    the same part by part, to say which has changed. `data_fingerprint`: None where the data can be read only
    once. `labels`: whether the outputs are a fixed few, not text. `records`: the version of the
    records last written (each says its own). `out_stamp`: the file at `out` that this run may
    replace, None when there is none. Times are Unix times; `token` names the run among all, wherever its folder is;
    `pid`, `host` and `since` are of the process that runs it, or last did.
    """

    run: str
    identity: Identity
    task: str
    data: str
    model: str
    provider: str
    version: str
    records: int = 1
    task_digest: str
    task_parts: dict[str, str] = {}
    data_fingerprint: str | None = None
    labels: bool = False
    out_stamp: str | None = None
    started_at: float
    token: str = ""
    finished_at: float | None = None
    pid: int = 0
    host: str = ""
    since: float = 0.0


def identity(
    *,
    task: str | os.PathLike[str],
    variant: str,
    data: str,
    selection: Selection,
    model: str,
    base_url: str,
    out: str | os.PathLike[str] | None,
) -> Identity:
    """The identity of a run; `base_url` is the server's, or "simulated"."""
    return Identity(
        task=str(Path(task).absolute()),
        variant=variant,
        data="-" if data == "-" else str(Path(data).absolute()),
        selection=selection,
        model=model,
        base_url=public_url(base_url),
        out=None if out is None else str(Path(out).absolute()),
    )


def public_url(url: str) -> str:
    """The URL without what may be secret: the user and the password, the query, the fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def create(root: Path, stem: str, now: float) -> Path:
    """Make a new run folder, private to the user, named after the task and the local time."""
    name = re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:50] or "run"
    name = f"{name}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}"
    with machine_errors(root / name):
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        attempt = 1
        while True:
            folder = root / (name if attempt == 1 else f"{name}-{attempt}")
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                attempt += 1
            else:
                return folder


def write_manifest(folder: Path, manifest: Manifest, now: float) -> Manifest:
    """Write what the run says of itself, with this process as the one that runs it; returns it so."""
    owned = msgspec.structs.replace(manifest, records=RECORDS, pid=os.getpid(), host=socket.gethostname(), since=now)
    _write(folder, owned)
    return owned


def read_manifest(folder: Path) -> Manifest:
    """What a run folder says of its run; `RunError` when it is not one."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise RunError(f"{folder} is not a run folder: it has no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / MANIFEST} can't be read: {error}") from None


def allow_replacing(folder: Path, stamp: str) -> None:
    """Note the file that stands at the run's OUT as the run's own."""
    _write(folder, msgspec.structs.replace(read_manifest(folder), out_stamp=stamp))


def finish(folder: Path, summary: Summary, now: float) -> None:
    """Write the summary; unless it says that the run was interrupted, the run is over and is not resumed."""
    figures = msgspec.json.Encoder(decimal_format="number").encode(summary)
    replace(folder / SUMMARY, msgspec.json.format(figures) + b"\n")
    if not summary.interrupted:
        _write(folder, msgspec.structs.replace(read_manifest(folder), finished_at=now))


def owner(folder: Path) -> str:
    """Who runs it, in words."""
    try:
        manifest = read_manifest(folder)
    except RunError:
        return "another process"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(manifest.since))
    return f"process {manifest.pid} on {manifest.host} since {since}"


def _of_identity(root: Path, identity: Identity) -> list[tuple[Path, Manifest]]:
    """The runs of this identity, oldest first."""
    found = []
    for path in root.glob(f"*/{MANIFEST}"):
        try:
            manifest = read_manifest(path.parent)
        except RunError:
            continue
        if manifest.identity == identity:
            found.append((path.parent, manifest))
    return sorted(found, key=lambda each: each[1].started_at)


def last(root: Path, identity: Identity) -> Manifest | None:
    """The newest run of this identity, finished or not."""
    known = _of_identity(root, identity)
    return known[-1][1] if known else None


def find(
    root: Path,
    identity: Identity,
    *,
    finished: bool,
    task_digest: str,
    data_fingerprint: str | None,
    task_parts: dict[str, str] | None = None,
) -> Path | None:
    """The newest run of this identity, if it is unfinished or finished ones are wanted too.

    Only the newest counts: whoever has run the same work since has given up what was interrupted before. None
    where the data have no fingerprint to know them by, unless they are standard input, which is held to its
    kept copy. Raises `RunError` when it asked something else: the task or the data have changed since.
    """
    if data_fingerprint is None and identity.data != "-":
        return None
    known = _of_identity(root, identity)
    if not known or (known[-1][1].finished_at is not None and not finished):
        return None
    folder, found = known[-1]
    changed = _changes(found, task_digest, data_fingerprint, task_parts or {})
    if changed:
        raise RunError(
            f"since the run {folder} was begun, {changed}: put that back to take it up, or use --fresh to start over"
        )
    return folder


def _changes(found: Manifest, digest: str, fingerprint: str | None, parts: dict[str, str]) -> str:
    changed: list[str] = []
    if found.task_digest != digest:
        names = sorted(name for name in found.task_parts | parts if found.task_parts.get(name) != parts.get(name))
        what = f" ({', '.join(names)})" if names else " (its prompt, output contract or parameters)"
        changed.append(f"the task {found.task}{what} has changed")
    if found.data_fingerprint != fingerprint:
        changed.append(f"the data {found.data} has changed")
    return " and ".join(changed)


def _write(folder: Path, manifest: Manifest) -> None:
    replace(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
