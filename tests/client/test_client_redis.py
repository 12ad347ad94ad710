"""A cache in Redis: processes that share it send each call once, outlive each other, and outlive the Redis."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet import sim

ASKER = """
import asyncio, json, sys
import trivet

async def main(url, simulated, cache, keys):
    async with trivet.AsyncClient(base_url=url, simulated=simulated, cache=cache) as client:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(client.respond(f"ticket {n}")) for n in range(int(keys))]
            print("asking", flush=True)
        replies = [task.result() for task in asked]
        meter = client.statistics().meter
        print(json.dumps({"sources": [reply.source for reply in replies], "texts": [reply.text for reply in replies],
                          "cost": str(meter.cost), "saved": str(meter.saved), "attempts": meter.attempts}))

asyncio.run(main(*sys.argv[1:]))
"""


class Asker:
    """A process that asks for so many keys at once when it is told to."""

    def __init__(self, url: str, simulated: str, cache: str, keys: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", ASKER, url, simulated, cache, str(keys)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self) -> Any:
        out, _ = self.process.communicate(timeout=120)
        return json.loads(out.splitlines()[-1])


@pytest.fixture
def askers() -> Iterator[list[Asker]]:
    """Those in it are ended with the test."""
    found: list[Asker] = []
    yield found
    for asker in found:
        asker.process.kill()
        asker.process.communicate()


def test_processes_send_each_call_once(redis_server: Any, askers: list[Asker]) -> None:
    """Two processes that ask the same 50 keys at once send 50 calls together; what one has not sent cost it nothing."""
    keys = 50
    with sim.start(sim.Scenario(latency=sim.Latency(ttft=1.0, tokens_per_s=1e4, spread=0.0))) as provider:
        cache = f"{redis_server.url}?lease=120s"
        askers += [Asker(provider.url, provider.identity, cache, keys) for _ in range(2)]
        for asker in askers:
            asker.hear("ready")
        for asker in askers:
            asker.tell()
        results = [asker.result() for asker in askers]
        assert provider.books()["requests"] == keys
    sources = Counter(source for result in results for source in result["sources"])
    assert sources["provider"] == sum(result["attempts"] for result in results) == keys
    assert sources["cache"] + sources["coalesced"] == keys
    assert results[0]["texts"] == results[1]["texts"]
    costs, saved = ([float(result[name]) for result in results] for name in ("cost", "saved"))
    assert costs[0] + saved[0] == pytest.approx(costs[1] + saved[1])
    assert sum(saved) == pytest.approx(sum(costs))


def test_a_killed_process_is_followed_by_another(redis_server: Any, askers: list[Asker]) -> None:
    """What a process had in flight when it was killed is asked by the one that waited for it."""
    cache = f"{redis_server.url}?lease=3s"
    with (
        sim.start(sim.Scenario(faults=sim.Faults(hang=1.0))) as silent,
        sim.start(sim.Scenario(time_scale=0.0)) as provider,
    ):
        askers += [Asker(silent.url, provider.identity, cache, 1), Asker(provider.url, provider.identity, cache, 1)]
        first, second = askers
        for asker in askers:
            asker.hear("ready")
        first.tell()
        until = time.monotonic() + 60
        while silent.books()["in_flight"] < 1:
            assert time.monotonic() < until
        second.tell()
        second.hear("asking")
        first.process.kill()
        assert second.result()["sources"] == ["provider"]
        assert provider.books()["requests"] == 1


async def test_a_redis_that_dies_in_mid_run_stops_nothing(
    redis_server: Any, simulator: sim.Simulator, caplog: Any, tmp_path: Path
) -> None:
    """Every row of a run has its answer though the cache is killed in the middle, and that is said once."""

    rows = ({"ticket": f"please refund payment {n}"} for n in range(3000))
    results = []
    async with trivet.AsyncClient(
        base_url=simulator.url, simulated=simulator.identity, cache=redis_server.url
    ) as client:
        task = trivet.Task(prompt="Label: {{ ticket }}", output={"text": True})
        run = client.map(task, rows, folder=tmp_path)
        async for result in run:
            results.append(result)
            if len(results) == 300:  # reader and run take turns in one loop: most rows are still to be asked
                redis_server.kill()
    assert len(results) == 3000
    assert all(result.ok for result in results)
    said = [record.getMessage() for record in caplog.records if record.name == "trivet.store"]
    assert len(said) == 1
    assert "going on without it" in said[0]


def test_the_blocking_client_hits(redis_server: Any, simulator: sim.Simulator) -> None:
    """What one client was answered, another has from Redis."""
    where = {"base_url": simulator.url, "simulated": simulator.identity, "cache": redis_server.url}
    with trivet.Client(**where) as client:
        assert client.respond("a ticket of the first").source == "provider"
    with trivet.Client(**where) as client:
        assert client.respond("a ticket of the first").source == "cache"
