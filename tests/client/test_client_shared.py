"""Clients that share an account's limits, or a budget, through Redis: over real sockets, in processes of their own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet import sim
from trivet.client.client import AsyncClient
from trivet.errors import BudgetError, SettingsError

WORKER = """
import asyncio, sys
from trivet.client.client import AsyncClient

async def main(url, shared, name):
    async with AsyncClient(base_url=url, api_key="k", cache=None, shared=shared) as client:
        async def ask(n):
            while True:
                n += 1
                await client.respond(f"Say {n} of {name}.", max_output_tokens=500)
                print(n, flush=True)
        async with asyncio.TaskGroup() as group:
            for n in range(10):
                group.create_task(ask(n * 100_000))

asyncio.run(main(*sys.argv[1:]))
"""

PATIENCE_S = 90.0


class Worker:
    """A process that asks without end."""

    def __init__(self, folder: Path, url: str, shared: str, name: str) -> None:
        self._said = folder / name
        with self._said.open("wb") as said:
            self._process = subprocess.Popen([sys.executable, "-c", WORKER, url, shared, name], stdout=said)

    def got(self) -> int:
        return self._said.read_bytes().count(b"\n")

    async def gets(self, more: int) -> None:
        """Return when it has so many more answers; it fails the test when it never does."""
        wanted = self.got() + more
        async with asyncio.timeout(PATIENCE_S):
            while self.got() < wanted:
                assert self._process.poll() is None
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


async def test_processes_on_one_key_keep_its_limit_together_and_none_of_them_starves(
    redis_server: Any, tmp_path: Path
) -> None:
    """What is in flight never exceeds what may be used at once, so that a machine that stands still harms nothing."""
    scenario = sim.Scenario(rpm=1200, burst_s=5.0, latency=sim.Latency(ttft=0.1, tokens_per_s=1e6, spread=0.1))
    with sim.start(scenario) as server:
        workers = [Worker(tmp_path, server.url, redis_server.url, name) for name in "abc"]
        try:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker.gets(15))
            workers[0].kill()
            async with asyncio.TaskGroup() as group:
                for worker in workers[1:]:
                    group.create_task(worker.gets(25))
            books = await asyncio.to_thread(server.books)
        finally:
            for worker in workers:
                worker.kill()
    assert books["requests"] >= 95
    assert sum(books["refused"].values()) <= 0.05 * books["requests"]


async def test_clients_with_a_budget_of_one_name_spend_it_together(redis_server: Any, simulator: sim.Simulator) -> None:
    def client(name: str) -> AsyncClient:
        return AsyncClient(
            base_url=simulator.url,
            api_key="k",
            cache=None,
            shared=redis_server.url,
            budget="0.005",
            budget_name=name,
        )

    spent = 0
    async with client("tickets") as one, client("tickets") as other:
        clients = [one, other]
        with pytest.raises(BudgetError, match=r"\$0\.005 has"):
            for n in range(1000):
                reply = await clients[n % 2].respond(f"Say {n}.", max_output_tokens=200)
                spent += reply.cost or 0
    assert 0 < spent <= trivet.settings.money("0.005")
    async with client("tickets") as late:
        with pytest.raises(BudgetError):
            for n in range(1000):
                await late.respond(f"Say {n} once more.", max_output_tokens=400)
    async with client("others") as free:
        assert (await free.respond("Say x.", max_output_tokens=200)).cost


@pytest.mark.parametrize(
    "options",
    [
        {"budget_name": "x", "shared": "redis://127.0.0.1:1/0"},
        {"budget_name": "x", "budget": 5},
        {"budget_name": "", "budget": 5, "shared": "redis://127.0.0.1:1/0"},
        {"shared": "sqlite:///x"},
        {"shared": "redis://host"},
    ],
)
def test_what_cannot_be_shared_is_said_before_anything_is_sent(options: dict[str, Any], simulator: Any) -> None:
    with pytest.raises(SettingsError):
        trivet.Client(base_url=simulator.url, api_key="k", **options)


def test_off_is_for_none_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch, simulator: Any) -> None:
    monkeypatch.setenv("TRIVET_SHARED", "redis://127.0.0.1:1/0")
    for shared, found in ((None, True), ("off", False)):
        with trivet.Client(base_url=simulator.url, api_key="k", shared=shared) as client:
            assert (client.asynchronous.together is not None) is found
