"""The public surface as users type it: checked by mypy and pyright, never run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import assert_type

import trivet
from trivet.types import Event, Reply


def one_call() -> None:
    with trivet.Client(model="gpt-5.4-mini", cache=None, budget="5.00", limits=trivet.Limits(rpm=500)) as client:
        reply = client.respond("Classify ...", max_output_tokens=16, instructions="Be brief.")
        assert_type(reply, Reply)
        assert_type(reply.text, str)
        assert_type(reply.cost, Decimal | None)
        for event in client.stream("Tell me ..."):
            assert_type(event, Event)
            assert_type(event.delta, str)


def many_rows(path: Path) -> None:
    triage = trivet.Task("{{ ticket }}", output=trivet.Labels("a", "b"), params={"max_output_tokens": 16})
    with trivet.Client() as client:
        run = client.map(triage, [{"ticket": "x"}], id="ticket", keep=["ticket"])
        for result in run:
            assert_type(result, trivet.Result)
        assert_type(run.summary, trivet.Summary)
        assert_type(run.summary.cost_usd, Decimal | None)
        client.map(triage, path, folder=None)
        comparison = trivet.compare({"a": triage, "b": triage}, path, truth="category", client=client)
        assert_type(comparison, trivet.Comparison)


async def asynchronous() -> None:
    async with trivet.AsyncClient(ttl="7d") as client:
        assert_type(await client.respond("x"), Reply)
        async for event in client.stream("x"):
            assert_type(event, Event)
        run = client.map(trivet.Task("{{ text }}", output=trivet.Text(sentences=1)), "rows.txt")
        async for result in run:
            assert_type(result, trivet.Result)
        assert_type(await run.summary, trivet.Summary)


def errors() -> None:
    try:
        trivet.Task.load("task.toml")
    except trivet.errors.TaskError as error:
        assert_type(error.code, str)


def simulated() -> None:
    with trivet.sim.start(trivet.sim.Scenario(tier=1)) as server:
        assert_type(server.url, str)
