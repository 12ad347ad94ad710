"""`trivet join`: the results of shards, put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trivet.cli.show import document, note, say
from trivet.errors import RunError
from trivet.jobs.join import Joined, join
from trivet.wording import dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinOptions:
    """Everything `trivet join` was told."""

    folders: tuple[Path, ...]
    out: Path | None
    fresh: bool
    as_json: bool

    def __post_init__(self) -> None:
        if self.out is None:
            raise RunError("say where the results go: -o results.jsonl (.csv, .parquet)")


def execute(options: JoinOptions) -> int:
    """Join; 0 when every row has a result, 1 when some failed or are missing."""
    assert options.out is not None  # noqa: S101 - checked when the options were built
    joined = join(options.folders, options.out, fresh=options.fresh)
    for line in _missing(joined):
        note(f"trivet: {line}")
    if options.as_json:
        document(joined)
    else:
        failed = f", {joined.failed:,} failed" if joined.failed else ""
        say(f"{len(joined.runs)} runs, {joined.ok:,} of {joined.rows:,} rows ok{failed}")
        say(f"cost {dollars(joined.cost_usd)}; results in {joined.results}")
    return 0 if joined.whole and not joined.failed else 1


def _missing(joined: Joined) -> list[str]:
    lines = [f"{run} is not finished: its command again takes it up, then join again" for run in joined.unfinished]
    if joined.missing_shards:
        some = ", ".join(joined.missing_shards[:20]) + (", ..." if len(joined.missing_shards) > 20 else "")
        lines.append(f"no run was given for shard {some}: those rows are not in the results")
    return lines
