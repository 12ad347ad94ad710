"""Calls a second and CPU a call at 2,000 in flight: a raw loop, trivet with everything on, the official SDK.

    python benchmarks/throughput.py [--calls 30000] [--in-flight 2000] [--turns 3] [--no-sdk]

All in one run against one server, each client a process of its own on one core, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from callers import TICKET

HERE = Path(__file__).parent
SERVICE = 0.2  # seconds that the server takes for a reply
SDK_CALLS = 2000  # it is slow; one call for each in flight is enough to see
TASK = """
model = "gpt-5.4-mini"
prompt = \"\"\"
Classify the support ticket into one of: {{ labels | join(', ') }}.
Return only the label.

Ticket:
{{ ticket }}
\"\"\"

[output]
labels = ["billing", "technical_support", "account_access", "general_inquiry"]

[params]
max_output_tokens = 16
"""


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
        (folder / "task.toml").write_text(TASK)

    def measure(self, way: str, calls: int) -> Measured:
        """Run one client; what it costs to start is measured by a run of one call, and left out."""
        _, idle = self._run(way, 1)
        wall, busy = self._run(way, calls)
        return Measured(calls / wall, (busy - idle) / calls * 1e6)

    def _run(self, way: str, calls: int) -> tuple[float, float]:
        """Seconds of wall time for the calls, and of CPU for the whole process."""
        if way == "trivet":
            return self._trivet(calls)
        printed, cpu = _child([str(HERE / "callers.py"), way, self._url, str(calls), str(min(calls, self._in_flight))])
        return float(printed), cpu

    def _trivet(self, calls: int) -> tuple[float, float]:
        """The command as a user gives it: new rows, a SQLite cache that has none of them, ledger and results."""
        self._runs += 1
        place = self._folder / f"run{self._runs}"
        place.mkdir()
        rows = (json.dumps({"ticket": f"{TICKET} {self._runs} {n}"}) for n in range(calls))
        (place / "rows.jsonl").write_text("\n".join(rows) + "\n")
        files = ["--cache", f"sqlite:///{place}/cache.db", "--runs", str(place), "-o", str(place / "results.jsonl")]
        command = ["-m", "trivet", "run", str(self._folder / "task.toml"), str(place / "rows.jsonl"), "--json"]
        caps = ["--base-url", self._url, "--concurrency", str(self._in_flight), "--budget", "100000"]
        printed, cpu = _child([*command, *caps, *files])
        summary = json.loads(printed)
        if summary["ok"] != calls or summary["calls"]["sent"] != calls:
            raise SystemExit(f"trivet did not do its work: {printed}")
        return summary["wall_s"], cpu


def _child(arguments: list[str]) -> tuple[str, float]:
    """What a Python process prints, and its seconds of CPU."""
    environment = {**os.environ, "OPENAI_API_KEY": "key"}
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, env=environment) as process:
        printed = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}: {printed}")
    return printed, used.ru_utime + used.ru_stime


@contextmanager
def _serving(seconds: float) -> Iterator[str]:
    """The server's base URL; it has a core of its own where there is one."""
    command = [sys.executable, str(HERE / "null_server.py"), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            if hasattr(os, "sched_setaffinity"):
                first, *others = sorted(os.sched_getaffinity(0))
                os.sched_setaffinity(process.pid, others or [first])
                os.sched_setaffinity(0, [first])  # and so the clients, which inherit it
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def _show(name: str, found: list[Measured], control: list[Measured]) -> None:
    rate, cpu = median(m.rate for m in found), median(m.cpu for m in found)
    of_rate = median(m.rate / c.rate for m, c in zip(found, control, strict=False))
    of_cpu = median(m.cpu / c.cpu for m, c in zip(found, control, strict=False))
    print(f"{name:<8} {rate:>9,.0f} calls/s {of_rate:>7.3f} of raw {cpu:>9,.0f} us CPU a call {of_cpu:>7.1f} x raw")


def main() -> None:
    """Measure in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=30_000)
    parser.add_argument("--in-flight", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--no-sdk", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[Measured]] = {"raw": [], "trivet": []}
    with _serving(SERVICE) as url, tempfile.TemporaryDirectory() as folder:
        bench = Bench(url, Path(folder), options.in_flight)
        for _ in range(options.turns):
            for way, turns in found.items():
                turns.append(bench.measure(way, options.calls))
        if not options.no_sdk:
            found["sdk"] = [bench.measure("sdk", min(options.calls, SDK_CALLS))]
    for way, turns in found.items():
        _show(way, turns, found["raw"])
    if "sdk" in found:
        print(
            f"trivet makes {median(m.rate for m in found['trivet']) / found['sdk'][0].rate:.0f} times the SDK's calls"
        )


if __name__ == "__main__":
    main()
