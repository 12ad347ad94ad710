"""How much of a provider's limit is used, and how many attempts are refused, the limit not told.

Each case is a simulated account of its own: how its limit comes back, how much may be used at once, how much
of it a stranger on the same key takes. The provider's books are read after a warm-up and again at the end, so
what is timed is the steady state; `--rows` times a short run whole, its start included.

    python benchmarks/limit_tracking.py [--seconds 40] [--only window] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ratios import Ratio
from ratios import show as table

from trivet import sim
from trivet.client.client import AsyncClient
from trivet.client.door import new_loop
from trivet.errors import RequestError
from trivet.sim.scenario import Latency, Scenario
from trivet.transport.open import open_transport
from trivet.types import HttpCall
from trivet.wire.openai_responses import encode

RPM, REPLY_S, WARM_S = 3000, 0.6, 10.0
TOGETHER = 3  # cases at a time: next to nothing of the machine each, and a third of the time
SEMAPHORE, TRIES = 64, 6
KEY = "sk-benchmark"

CASES = {
    f"{refill} of {burst_s:g} s" + (f", stranger {stranger:.0%}" if stranger else ""): Scenario(
        rpm=RPM,
        refill=refill,
        burst_s=burst_s,
        stranger=stranger,
        latency=Latency(ttft=REPLY_S, tokens_per_s=1e6, spread=0.1),
    )
    for stranger in (0.0, 0.3)
    for refill in ("continuous", "window")
    for burst_s in (60.0, 1.0)
}

Ask = Callable[[int], Awaitable[None]]


@asynccontextmanager
async def ours(server: sim.Simulator) -> AsyncIterator[Ask]:
    """Every layer but the cache, as it comes: no limit is told."""
    async with AsyncClient(base_url=server.url, api_key=KEY, cache=None, simulated=server.identity) as client:

        async def ask(number: int) -> None:
            try:
                await client.respond(f"Say {number}.", max_output_tokens=500)
            except RequestError as error:
                print(f"failed: {error}", file=sys.stderr)

        yield ask


@asynccontextmanager
async def semaphore(server: sim.Simulator) -> AsyncIterator[Ask]:
    """The control: the same transport, a fixed number at once, and each call retries for itself."""
    transport = open_transport({})
    slots = asyncio.Semaphore(SEMAPHORE)
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}

    async def ask(number: int) -> None:
        head, tail = encode({"model": "gpt-5.4-mini", "input": f"Say {number}.", "max_output_tokens": 500})
        call = HttpCall(method="POST", url=f"{server.url}/responses", headers=headers, body=head + tail)
        for tried in range(TRIES):
            async with slots:
                reply = await transport.fetch(call)
            if reply.status == 200:
                return
            await asyncio.sleep(float(reply.headers.get("retry-after", 0.5 * 2**tried)))

    try:
        yield ask
    finally:
        await transport.close()


ARMS = {"semaphore": semaphore, "trivet": ours}


async def steady(name: str, arm: str, seconds: float) -> dict[str, Any]:
    """Use of the limit and refusals from `WARM_S` on, with more work than the limit allows."""
    scenario = CASES[name]
    with sim.start(scenario) as server:
        async with ARMS[arm](server) as ask:
            numbers = itertools.count()

            async def work() -> None:
                while True:
                    await ask(next(numbers))

            async with asyncio.TaskGroup() as group:
                crew = [group.create_task(work()) for _ in range(400)]
                await asyncio.sleep(WARM_S)
                before = await asyncio.to_thread(server.books)
                began = asyncio.get_running_loop().time()
                await asyncio.sleep(seconds)
                after = await asyncio.to_thread(server.books)
                took = asyncio.get_running_loop().time() - began
                for worker in crew:
                    worker.cancel()
    arrived = after["requests"] - before["requests"]
    refused = sum(after["refused"].values()) - sum(before["refused"].values())
    left = RPM / 60 * (1 - scenario.stranger) * took
    return {"case": name, "arm": arm, "used": (arrived - refused) / left, "refused": refused / arrived}


async def short(arm: str, rows: int) -> dict[str, Any]:
    """A run of few rows, whole: refusals, rows lost, and its time against the limit's."""
    scenario = CASES["continuous of 1 s"]
    with sim.start(scenario) as server:
        async with ARMS[arm](server) as ask:
            began = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as group:
                for number in range(rows):
                    group.create_task(ask(number))
            took = asyncio.get_running_loop().time() - began
        books = await asyncio.to_thread(server.books)
    refused = sum(books["refused"].values())
    return {
        "case": f"{rows} rows at {RPM // 60}/s, whole",
        "arm": arm,
        "used": rows / (took * RPM / 60),
        "refused": refused / books["requests"],
        "lost": rows - (books["requests"] - refused),
    }


async def everything(options: argparse.Namespace) -> list[dict[str, Any]]:
    """All cases, a few at a time; one arm after the other, because the control keeps the machine busy."""
    places = asyncio.Semaphore(TOGETHER)

    async def one(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        async with places:
            found = await work
            if not options.json:
                show(found)
            return found

    chosen = [name for name in CASES if options.only in name]
    found = []
    for arm in options.arms:
        works = [steady(name, arm, options.seconds) for name in chosen]
        works += [] if options.only else [short(arm, options.rows)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(work)) for work in works]
        found += [task.result() for task in tasks]
    return found


def show(found: dict[str, Any]) -> None:
    """One line of the table."""
    lost = f", {found['lost']} rows lost" if found.get("lost") else ""
    print(f"{found['case']:36} {found['arm']:10} {found['used']:7.1%} used {found['refused']:7.2%} refused{lost}")


def ratios(found: list[dict[str, Any]]) -> list[Ratio]:
    """The worst of all ways to refill, ours against the control's: without a stranger, with one, and a short run."""
    kinds = {
        "a limit nobody told, steady state": (
            lambda name: " of " in name and "stranger" not in name,
            "97 %, under 1 %",
        ),
        "the same with a stranger on the key": (lambda name: "stranger" in name, "90 %, under 3 %"),
        "a short run at a limit, whole": (lambda name: "rows at" in name, "under 1 % refused"),
    }
    lines = []
    for what, (belongs, wanted) in kinds.items():
        ours, control = (
            [each for each in found if each["arm"] == arm and belongs(each["case"])] for arm in ("trivet", "semaphore")
        )
        if ours:
            ratio = min(each["used"] for each in ours) / min(each["used"] for each in control) if control else "-"
            lines.append(Ratio(what=what, ours=_worst(ours), control=_worst(control), ratio=ratio, wanted=wanted))
    return lines


def _worst(cases: list[dict[str, Any]]) -> str:
    if not cases:
        return "-"
    used, refused = min(each["used"] for each in cases), max(each["refused"] for each in cases)
    lost = sum(each.get("lost", 0) for each in cases)
    return f"{used:.1%} used, {refused:.1%} refused" + (f", {lost} rows lost" if lost else "")


def main() -> None:
    """Run, and print a line a case or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of steady state a case")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=new_loop) as loop:
        found = loop.run(everything(options))
    table(ratios(found), as_json=options.json)


if __name__ == "__main__":
    main()
