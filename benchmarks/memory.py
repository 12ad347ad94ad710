"""The largest resident size of `trivet run` by the number of rows, stopped near its end, taken up, joined.

    python benchmarks/memory.py [--most 1000000]

Each size is a run of its own, and each step of it a process of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from processes import INTERRUPTED, BulkRun, child, serving
from ratios import Ratio, show

SIZES = (10_000, 100_000, 1_000_000)
HELD = 100_000  # rows that the control holds at most: it takes gigabytes beyond
STOPPED_AT = 0.8
STOPPED_FROM = 10_000  # rows: a shorter run is over before it can be stopped
SERVICE = 0.2
MB = 1e6
HOLDING = """
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
reply = sys.argv[2]
replies = [json.loads(reply) for _ in rows]
print(len(replies))
"""


@dataclass(frozen=True)
class Peaks:
    """Megabytes at most of one size, by step; seconds that the two runs took."""

    rows: int
    run: float
    resumed: float
    joined: float
    wall: float

    @property
    def most(self) -> float:
        """Of all steps."""
        return max(self.run, self.resumed, self.joined)


def measure(url: str, folder: Path, rows: int) -> Peaks:
    """One size: most of it, then the rest by the same command, then `trivet join`."""
    bulk = BulkRun(url, folder / str(rows), rows)
    bulk.prepare()
    limit = STOPPED_AT * rows
    size_of_a_row: list[float] = []

    def late() -> bool:
        ledger = next(bulk.place.glob("task-*/ledger.jsonl"), None)
        if ledger is None:
            return False
        if not size_of_a_row:
            with ledger.open("rb") as file:
                lines = file.readlines(100_000)
            if len(lines) < 50:
                return False
            size_of_a_row.append(sum(map(len, lines)) / len(lines))
        return ledger.stat().st_size / size_of_a_row[0] > limit

    run = child(bulk.command, stop_when=late if rows >= STOPPED_FROM else None, allowed=(0, INTERRUPTED))
    resumed = child(bulk.command) if run.code == INTERRUPTED else run
    summary = json.loads(resumed.printed)
    if summary["ok"] != rows:
        raise SystemExit(f"trivet did not do its work: {resumed.printed}")
    (ran,) = (ledger.parent for ledger in bulk.place.glob("task-*/ledger.jsonl"))
    joined = child(["-m", "trivet", "join", str(ran), "-o", str(bulk.place / "joined.jsonl")])
    wall = run.wall + (0.0 if resumed is run else resumed.wall)
    peaks = Peaks(rows, run.peak / MB, resumed.peak / MB, joined.peak / MB, wall)
    shutil.rmtree(bulk.place)
    return peaks


def held(folder: Path, rows: int) -> float:
    """The control: megabytes of a program that holds the rows, and a decoded reply for each, in lists."""
    from null_server import RESPONSE

    bulk = BulkRun("", folder / "held", rows)
    bulk.prepare()
    peak = child(["-c", HOLDING, str(bulk.place / "rows.jsonl"), json.dumps(RESPONSE)]).peak / MB
    shutil.rmtree(bulk.place)
    return peak


def main() -> None:
    """Measure size after size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="rows of the largest run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = [size for size in SIZES if size <= options.most] or [options.most]
    found = []
    with serving(SERVICE) as url, tempfile.TemporaryDirectory() as name:
        lists = held(Path(name), min(HELD, sizes[-1]))
        for rows in sizes:
            found.append(peaks := measure(url, Path(name), rows))
            if not options.json:
                print(
                    f"{rows:>9,} rows: {peaks.run:4.0f} MB run, {peaks.resumed:4.0f} MB taken up, "
                    f"{peaks.joined:4.0f} MB joined, {peaks.wall:.0f} s",
                    flush=True,
                )
    largest, before = found[-1], found[max(0, len(found) - 2)]
    show(
        [
            Ratio(
                what=f"memory of a run of {largest.rows:,} rows, taken up and joined",
                ours=f"{largest.most:.0f} MB",
                control=f"{before.most:.0f} MB with {before.rows:,} rows",
                ratio=largest.most / before.most,
                wanted="under 300 MB, flat",
            ),
            Ratio(
                what=f"the same, against {min(HELD, sizes[-1]):,} rows and decoded replies in lists",
                ours=f"{largest.most:.0f} MB",
                control=f"{lists:.0f} MB",
                ratio=largest.most / lists,
            ),
        ],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
