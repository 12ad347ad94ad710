"""Calls a second and CPU a call at 2,000 in flight: a raw loop, trivet with everything on, the SDK, other libraries.

    python benchmarks/throughput.py [--calls 30000] [--in-flight 2000] [--turns 3] [--slow 2000] [--no-sdk] [--no-peers]

All in one run against one server, each client a process of its own on one core, in turns.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from processes import HERE, PEERS, BulkRun, child, has_peers, serving
from ratios import Ratio, show

SERVICE = 0.2  # seconds that the server takes for a reply
LIBRARY_CALLS = 300  # at 2,000 at once they take tens of milliseconds of CPU a call, so they get fewer
LIBRARIES = {"litellm": "LiteLLM", "langchain": "LangChain"}


@dataclass(frozen=True)
class Measured:
    """One turn of one client: calls a second of wall time, microseconds of CPU a call."""

    rate: float
    cpu: float


class Bench:
    """The clients, against the server at `url`, with their files in `folder`."""

    def __init__(self, url: str, folder: Path, in_flight: int) -> None:
        self._url = url
        self._folder = folder
        self._in_flight = in_flight
        self._runs = 0

    def measure(self, way: str, calls: int) -> Measured:
        """Run one client; what it costs to start is measured by a run of one call, and left out."""
        _, idle = self._run(way, 1)
        wall, busy = self._run(way, calls)
        return Measured(calls / wall, (busy - idle) / calls * 1e6)

    def _run(self, way: str, calls: int) -> tuple[float, float]:
        """Seconds of wall time for the calls, and of CPU for the whole process."""
        if way == "trivet":
            return self._trivet(calls)
        arguments = [str(HERE / "callers.py"), way, self._url, str(calls), str(min(calls, self._in_flight))]
        ended = child(arguments, python=PEERS if way in LIBRARIES else sys.executable)
        return float(ended.printed.split()[-1]), ended.cpu

    def _trivet(self, calls: int) -> tuple[float, float]:
        """The command as a user gives it: new rows, a SQLite cache that has none of them, ledger and results."""
        self._runs += 1
        bulk = BulkRun(self._url, self._folder / f"run{self._runs}", calls, self._in_flight, mark=str(self._runs))
        bulk.prepare()
        ended = child(bulk.command)
        summary = json.loads(ended.printed)
        if summary["ok"] != calls or summary["calls"]["sent"] != calls:
            raise SystemExit(f"trivet did not do its work: {ended.printed}")
        shutil.rmtree(bulk.place)
        return summary["wall_s"], ended.cpu


def _ratios(found: dict[str, list[Measured]]) -> list[Ratio]:
    """trivet against the raw loop, turn by turn, and against everybody else."""
    ours, raw = found["trivet"], found["raw"]
    rate, cpu = median(m.rate for m in ours), median(m.cpu for m in ours)
    lines = [
        Ratio(
            what="calls a second, 2,000 in flight, every layer on",
            ours=f"{rate:,.0f}",
            control=f"raw sockets {median(m.rate for m in raw):,.0f}",
            ratio=median(m.rate / c.rate for m, c in zip(ours, raw, strict=True)),
            wanted="0.5",
        ),
        Ratio(
            what="CPU a call, 2,000 in flight, every layer on",
            ours=f"{cpu:.0f} us",
            control=f"raw sockets {median(m.cpu for m in raw):.0f} us",
            ratio=median(m.cpu / c.cpu for m, c in zip(ours, raw, strict=True)),
            wanted="200 us",
        ),
    ]
    for way in ("sdk", *LIBRARIES):
        if way not in found:
            continue
        name, theirs = {"sdk": "the official SDK", **LIBRARIES}[way], found[way][0]
        if way == "sdk":
            lines.append(
                Ratio(
                    what=f"calls a second, {name}",
                    ours=f"{rate:,.0f}",
                    control=f"{theirs.rate:,.0f}",
                    ratio=rate / theirs.rate,
                    wanted="40",
                )
            )
        lines.append(
            Ratio(
                what=f"CPU a call, {name}",
                ours=f"{cpu:.0f} us",
                control=f"{theirs.cpu:,.0f} us",
                ratio=cpu / theirs.cpu,
            )
        )
    return lines


def main() -> None:
    """Measure in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=30_000)
    parser.add_argument("--in-flight", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--slow", type=int, default=2000, help="calls of those that are slow: one for each in flight")
    parser.add_argument("--no-sdk", action="store_true")
    parser.add_argument("--no-peers", action="store_true", help="leave out the libraries of requirements/bench.txt")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[Measured]] = {"raw": [], "trivet": []}
    others = [] if options.no_sdk else ["sdk"]
    others += list(LIBRARIES) if not options.no_peers and has_peers() else []
    with serving(SERVICE) as url, tempfile.TemporaryDirectory() as folder:
        bench = Bench(url, Path(folder), options.in_flight)
        for _ in range(options.turns):
            for way, turns in found.items():
                turns.append(bench.measure(way, options.calls))
        for way in others:
            found[way] = [bench.measure(way, min(LIBRARY_CALLS if way in LIBRARIES else options.slow, options.calls))]
    show(_ratios(found), as_json=options.json)


if __name__ == "__main__":
    main()
