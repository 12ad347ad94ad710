"""The results of several runs over parts of one dataset, put together in the order of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from heapq import merge
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from trivet.errors import RunError
from trivet.jobs import results, runs
from trivet.jobs.ledger import Ledger
from trivet.jobs.runs import Manifest
from trivet.jobs.summary import Money
from trivet.records import Record


class Joined(Struct, frozen=True, kw_only=True):
    """What `trivet join` prints.

    `missing_shards`: parts of the dataset that no run was given for, as `3/8`; `unfinished`: runs with rows still to
    be asked. `cost_usd`: None where the cost of some call is not known.
    """

    runs: tuple[str, ...]
    rows: int
    ok: int
    failed: int
    missing_shards: tuple[str, ...]
    unfinished: tuple[str, ...]
    cost_usd: Decimal | None
    possibly_billed: int
    results: str

    @property
    def whole(self) -> bool:
        """Whether every row of the dataset has its result or its reason."""
        return not self.missing_shards and not self.unfinished


def join(folders: Sequence[Path], out: Path, *, fresh: bool = False) -> Joined:
    """Write the results of all runs to `out`; `fresh` replaces a file that stands there.

    Raises `RunError` when the runs are not parts of the same work, overlap, or one of them is under way.
    """
    manifests = [runs.read_manifest(folder) for folder in folders]
    for folder, manifest in zip(folders[1:], manifests[1:], strict=True):
        _same_work(folders[0], manifests[0], folder, manifest)
    _no_overlap(folders, manifests)
    inputs = [path for folder in folders for path in folder.iterdir()]
    results.check_out(out, fresh=fresh, inputs=inputs)
    with ExitStack() as stack:
        ledgers = []
        for folder in folders:
            ledgers.append(ledger := Ledger.open(folder))
            stack.callback(ledger.close)
        money = _Money()
        records = merge(*(ledger.ordered() for ledger in ledgers), key=lambda record: record.n)
        results.put(money.counted(records), out, keep=manifests[0].identity.selection.keep)
        for ledger in ledgers:
            for record in ledger.spent_in_vain():
                money.add(record)
        failed = sum(len(ledger.failed) for ledger in ledgers)
        rows = sum(len(ledger.done) for ledger in ledgers)
        lost = sum(len(ledger.in_flight) for ledger in ledgers)
    return Joined(
        runs=tuple(map(str, folders)),
        rows=rows,
        ok=rows - failed,
        failed=failed,
        missing_shards=_missing(manifests),
        unfinished=tuple(str(f) for f, m in zip(folders, manifests, strict=True) if m.finished_at is None),
        cost_usd=money.cost,
        possibly_billed=money.possibly_billed + lost,
        results=str(out),
    )


class _Money(Money):
    """Counts records on their way."""

    def counted(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self.add(record)
            yield record


def _same_work(first: Path, a: Manifest, folder: Path, b: Manifest) -> None:
    """`RunError` unless both asked the same of the same rows, but for the shard."""
    differing = None
    if a.task_digest != b.task_digest:
        names = sorted(name for name in a.task_parts | b.task_parts if a.task_parts.get(name) != b.task_parts.get(name))
        differing = f"tasks ({', '.join(names)})" if names else "tasks"
    elif a.model != b.model:
        differing = f"models ({a.model} and {b.model})"
    elif (a.provider == "simulated") != (b.provider == "simulated"):
        differing = "providers (one is the simulated one)"
    elif a.data_fingerprint != b.data_fingerprint:
        differing = f"data ({a.data} and {b.data})"
    elif replace(a.identity.selection, shard=None) != replace(b.identity.selection, shard=None):
        differing = "selections of rows or columns (--first, --sample, --seed, --map, --id, --keep)"
    if differing is not None:
        raise RunError(f"{first} and {folder} are not parts of the same work: they have different {differing}")


def _no_overlap(folders: Sequence[Path], manifests: Sequence[Manifest]) -> None:
    seen: dict[int, Path] = {}
    shards = [manifest.identity.selection.shard or (1, 1) for manifest in manifests]
    for folder, (k, of) in zip(folders, shards, strict=True):
        if of != shards[0][1]:
            raise RunError(
                f"{folders[0]} is one of {shards[0][1]} shards and {folder} one of {of}: they have rows in common; "
                "join runs of one way of splitting"
            )
        if k in seen:
            what = "the whole dataset" if of == 1 else f"shard {k}/{of}"
            raise RunError(f"{seen[k]} and {folder} are both of {what}: they have rows in common; name one of them")
        seen[k] = folder


def _missing(manifests: Sequence[Manifest]) -> tuple[str, ...]:
    shards = [manifest.identity.selection.shard or (1, 1) for manifest in manifests]
    of, given = shards[0][1], {k for k, _ in shards}
    return tuple(f"{k}/{of}" for k in range(1, of + 1) if k not in given)
