"""Every benchmark, one after the other, and one table of their ratios in Markdown.

    python benchmarks/all.py [--quick] [--most 1000000] [--only memory]

`--quick` takes under three minutes: smaller samples, fewer turns, no other libraries, no processes that share a limit.
One that fails is left out of the table, said on standard error, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from processes import HERE
from ratios import Ratio, read, table

FULL = {
    "throughput": [],
    "limit_tracking": ["--seconds", "20"],
    "shared_limits": ["--seconds", "15", "--only", "window of 1 s", "--arms", "redis", "without"],
    "cache_hits": [],
    "memory": [],
    "start_up": [],
}
QUICK = {
    "throughput": ["--calls", "10000", "--turns", "1", "--slow", "300", "--no-peers"],
    "limit_tracking": ["--seconds", "10", "--only", "continuous of 1 s"],
    "cache_hits": ["--entries", "20000", "--hits", "5000", "--turns", "2", "--no-peers"],
    "memory": ["--most", "10000"],
    "start_up": ["--turns", "2"],
}
BOUND = 1200
"""Seconds after which a benchmark is given up."""


def run(name: str, arguments: list[str]) -> list[Ratio] | None:
    """The lines of one benchmark; None, and a word on standard error, when it fails."""
    began = time.monotonic()
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *arguments]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=BOUND, check=False)
    except subprocess.TimeoutExpired:
        print(f"{name}: given up after {BOUND} s", file=sys.stderr)
        return None
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    if done.returncode:
        print(f"{name}: ended with {done.returncode}", file=sys.stderr)
        return None
    return read(done.stdout)


def main() -> int:
    """Run them all; 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--most", type=int, help="rows of the largest run in memory.py")
    parser.add_argument("--only", default="", help="benchmarks whose name holds this")
    options = parser.parse_args()
    chosen = {name: list(given) for name, given in (QUICK if options.quick else FULL).items() if options.only in name}
    if options.most is not None and "memory" in chosen:
        chosen["memory"] = ["--most", str(options.most)]
    found = {name: run(name, arguments) for name, arguments in chosen.items()}
    print(table([line for lines in found.values() for line in lines or ()]))
    return 1 if None in found.values() else 0


if __name__ == "__main__":
    sys.exit(main())
