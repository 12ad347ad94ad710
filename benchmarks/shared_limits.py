"""Three processes on one key: how much of the limit they use together, what is refused, and what each gets.

With Redis they take turns; without, each learns for itself what the others leave; one process alone, with as many
calls to make, is the control. One of the three joins after five seconds; the first stretch is measured from
ten seconds on. Then one is killed, and the second stretch begins two seconds later.

    python benchmarks/shared_limits.py [--seconds 30] [--only window] [--json]

Needs `redis-server` on the path; it is started on a free port and ended again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from limit_tracking import CASES, KEY, RPM, WARM_S
from ratios import Ratio
from ratios import show as table

from trivet import sim
from trivet.client.client import AsyncClient
from trivet.client.door import new_loop
from trivet.errors import TrivetError

PROCESSES, WORKERS = 3, 150
JOINS_S = 5.0
ARMS = ("redis", "without", "one process")


async def worker(url: str, shared: str, workers: int) -> None:
    """A process: asks without end, and says how many answers it has."""
    got = 0
    async with AsyncClient(base_url=url, api_key=KEY, cache=None, shared=shared) as client:

        async def ask(number: int) -> None:
            nonlocal got
            while True:
                number += 1
                try:
                    await client.respond(f"Say {number} of {os.getpid()}.", max_output_tokens=500)
                    got += 1
                except TrivetError as error:
                    print(f"failed: {error}", file=sys.stderr)

        async with asyncio.TaskGroup() as group:
            for n in range(workers):
                group.create_task(ask(n * 1_000_000))
            while True:
                await asyncio.sleep(0.2)
                sys.stdout.write(f"{got}\n")
                sys.stdout.flush()


class Process:
    """A worker, and how many answers it had when it last said so."""

    def __init__(self, url: str, shared: str, workers: int) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        command = [sys.executable, __file__, "--worker", url, shared, str(workers)]
        self._process = subprocess.Popen(command, stdout=self.said)

    def got(self) -> int:
        """Answers so far."""
        lines = os.pread(self.said.fileno(), 10**7, 0).split(b"\n")
        return int(lines[-2]) if len(lines) > 1 else 0

    def kill(self) -> None:
        """At once."""
        self._process.kill()
        self._process.wait()


@contextmanager
def redis() -> Iterator[str]:
    """A Redis of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    time.sleep(1.0)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def stretch(server: sim.Simulator, stranger: float, processes: list[Process], seconds: float) -> dict[str, Any]:
    """Use of the limit, refusals, and the least and the most of the processes, over so many seconds."""
    had, before, began = [one.got() for one in processes], server.books(), time.monotonic()
    time.sleep(seconds)
    after, took = server.books(), time.monotonic() - began
    got = [one.got() - earlier for one, earlier in zip(processes, had, strict=True)]
    arrived = after["requests"] - before["requests"]
    refused = sum(after["refused"].values()) - sum(before["refused"].values())
    left = RPM / 60 * (1 - stranger) * took
    mean = sum(got) / len(got)
    return {
        "used": (arrived - refused) / left,
        "refused": refused / max(1, arrived),
        "least": min(got) / mean if mean else 0.0,
        "most": max(got) / mean if mean else 0.0,
    }


def case(name: str, arm: str, seconds: float) -> list[dict[str, Any]]:
    """Both stretches of one case."""
    scenario = CASES[name]
    many = 1 if arm == "one process" else PROCESSES
    with redis() as url, sim.start(scenario) as server:
        shared = url if arm == "redis" else "off"
        processes = [Process(server.url, shared, WORKERS * PROCESSES // many) for _ in range(max(1, many - 1))]
        try:
            time.sleep(JOINS_S)
            processes += [Process(server.url, shared, WORKERS) for _ in range(many - len(processes))]
            time.sleep(WARM_S - JOINS_S + 1.0)
            found = [{"case": name, "arm": arm, "when": "one joined"}]
            found[0] |= stretch(server, scenario.stranger, processes, seconds)
            if many > 1:
                processes[0].kill()
                time.sleep(2.0)
                found.append({"case": name, "arm": arm, "when": "one killed"})
                found[1] |= stretch(server, scenario.stranger, processes[1:], seconds)
        finally:
            for one in processes:
                one.kill()
    return found


def show(found: dict[str, Any]) -> None:
    """One line of the table."""
    part = f"each {found['least']:.2f} to {found['most']:.2f} of the mean"
    print(
        f"{found['case']:34} {found['arm']:12} {found['when']:11} "
        f"{found['used']:7.1%} used {found['refused']:7.2%} refused  {part}",
        flush=True,
    )


def ratios(found: list[dict[str, Any]]) -> list[Ratio]:
    """The worst stretch of three processes that share a Redis, against the worst of three that do not."""
    ours, control = ([each for each in found if each["arm"] == arm] for arm in ("redis", "without"))
    if not ours or not control:
        return []
    return [
        Ratio(
            what="three processes on one key, one joins late, one is killed",
            ours=f"{_worst(ours)}, the least has {min(each['least'] for each in ours):.2f} of the mean",
            control=f"without Redis {_worst(control)}",
            ratio=min(each["used"] for each in ours) / max(1e-9, min(each["used"] for each in control)),
            wanted="97 %, under 1 %; with a stranger 90 %, under 3 %",
        )
    ]


def _worst(stretches: list[dict[str, Any]]) -> str:
    used, refused = min(each["used"] for each in stretches), max(each["refused"] for each in stretches)
    return f"{used:.1%} used, {refused:.1%} refused"


def main() -> None:
    """Run, and print a line a stretch or one JSON document."""
    if sys.argv[1:2] == ["--worker"]:
        with asyncio.Runner(loop_factory=new_loop) as loop:
            loop.run(worker(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each stretch")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    everything = []
    for name in CASES:
        for arm in options.arms if options.only in name else ():
            found = case(name, arm, options.seconds)
            everything += found
            if not options.json:
                for line in found:
                    show(line)
    table(ratios(everything), as_json=options.json)


if __name__ == "__main__":
    main()
