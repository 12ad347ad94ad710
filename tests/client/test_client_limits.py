"""Limits learned over real sockets."""

from __future__ import annotations

import asyncio

from trivet import sim
from trivet.client.client import AsyncClient
from trivet.client.door import new_loop
from trivet.tasks.task import Task

TASK = Task("Say {{ ticket }} in one word.", params={"max_output_tokens": 500})


def test_a_limit_that_nobody_told_is_kept_and_used_on_a_real_socket() -> None:
    async def main() -> None:
        scenario = sim.Scenario(rpm=6000, burst_s=1.0, latency=sim.Latency(ttft=0.1, tokens_per_s=1e6, spread=0.1))
        with sim.start(scenario) as server:
            async with AsyncClient(base_url=server.url, api_key="k", cache=None) as client:
                rows = [{"ticket": f"number {n}"} for n in range(300)]
                run = client.map(TASK, rows, folder=None)
                await run.summary
                limit = client.moment().limit
            books = server.books()
        assert books["requests"] - sum(books["refused"].values()) == 300
        assert sum(books["refused"].values()) <= 3
        assert limit.limit_requests == 6000

    with asyncio.Runner(loop_factory=new_loop) as loop:
        loop.run(main())


def test_thousands_of_calls_are_in_flight_at_once_where_they_may_be() -> None:
    """The account allows it, so a run has as many rows under way as that takes."""

    async def main() -> None:
        scenario = sim.Scenario(rpm=60_000, latency=sim.Latency(ttft=2.5, tokens_per_s=1e6, spread=0.0))
        with sim.start(scenario) as server:
            async with AsyncClient(base_url=server.url, api_key="k", cache=None) as client:
                rows = [{"ticket": f"number {n}"} for n in range(1200)]
                summary = await client.map(TASK, rows, folder=None).summary
            assert summary.ok == 1200
            assert server.books()["max_in_flight"] >= 500

    with asyncio.Runner(loop_factory=new_loop) as loop:
        loop.run(main())
