"""What `trivet.openai` costs beside the SDK alone: CPU a call, misses by requests in flight, and hits.

    python benchmarks/sdk_drop_in.py [--calls 1.0]

Each client is a process of its own and asks the same server on raw sockets; the times are of that process alone. A hit
is held against the SDK over a transport that answers at once and for nothing, which is what the SDK itself costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROMPT = "Classify the support ticket into one of: billing, technical_support, account_access, general_inquiry."
TICKET = "I was charged twice for my subscription this month and need the second payment back. " * 5
MISSES = {1: 200, 64: 1500, 1000: 3000}
HITS = 1500
DELAY = 0.05


def client(kind: str, url: str, **options: Any) -> Any:
    """A client of one kind."""
    if kind in ("sdk", "sdk-free"):
        import httpx2
        import openai
        from null_server import RESPONSE

        if kind == "sdk-free":
            body = json.dumps(RESPONSE).encode()
            kinds = {"content-type": "application/json"}
            free = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=kinds, content=body))
            options["http_client"] = httpx2.AsyncClient(transport=free)
        return openai.AsyncOpenAI(base_url=url, api_key="any", **options)
    import trivet.openai

    return trivet.openai.AsyncOpenAI(base_url=url, api_key="any", fast=kind == "fast", **options)


async def measure(kind: str, url: str, calls: int, in_flight: int, *, same: bool) -> tuple[float, float]:
    """CPU seconds and seconds a call."""
    async with client(kind, url) as made:
        numbers = iter(range(10**9))

        async def worker(count: int) -> None:
            for _ in range(count):
                ask = PROMPT + TICKET + ("" if same else f" {next(numbers)}")
                await made.responses.create(model="gpt-5.4-mini", input=ask, max_output_tokens=16)

        async def round_of(count: int) -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(in_flight):
                    group.create_task(worker(max(1, count // in_flight)))

        await round_of(in_flight)
        cpu, began = time.process_time(), time.perf_counter()
        await round_of(calls)
        done = max(1, calls // in_flight) * in_flight
        return (time.process_time() - cpu) / done, (time.perf_counter() - began) / done


def measured(kind: str, url: str, calls: int, in_flight: int, same: bool) -> tuple[float, float]:
    """The same in a process of its own."""
    told = [kind, url, str(calls), str(in_flight), str(int(same))]
    done = subprocess.run([sys.executable, __file__, "--one", *told], capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(done.stderr)
    cpu, wall = json.loads(done.stdout)
    return cpu, wall


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=float, default=1.0, help="a multiple of the number of calls")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        kind, url, calls, in_flight, same = given.one
        print(json.dumps(asyncio.run(measure(kind, url, int(calls), int(in_flight), same=same == "1"))))
        return
    server = subprocess.Popen(
        [sys.executable, HERE / "null_server.py", str(DELAY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        for in_flight, calls in MISSES.items():
            show(
                f"miss, {in_flight} in flight",
                ("sdk", "drop-in", "fast"),
                url,
                int(calls * given.calls),
                in_flight,
                False,
            )
        show("hit", ("sdk-free", "drop-in"), url, int(HITS * given.calls), 1, True)
    finally:
        server.communicate("")


def show(what: str, kinds: tuple[str, ...], url: str, calls: int, in_flight: int, same: bool) -> None:
    """One line for each kind, the first being what the others are held against."""
    base = 0.0
    for kind in kinds:
        cpu, wall = measured(kind, url, calls, in_flight, same)
        base = base or cpu
        print(
            f"{what:22} {kind:9} {cpu * 1e6:8.0f} us CPU a call  {cpu / base:5.2f}  {1 / wall:7.0f} calls/s", flush=True
        )


if __name__ == "__main__":
    main()
