"""The client's own part in what it measures, found against a server that answers at once.

Two short passes on loopback: as many calls as can be at once, for the highest rate that the client reaches; then calls
at the rate of the comparison, each at its moment, for what the client adds to a latency at that rate. The null server
has a part in both, so the bias is told a little too large, never too small.
"""

from __future__ import annotations

import asyncio
import time

from msgspec import Struct

from trivet.client.client import AsyncClient
from trivet.comparison.measure import Lane, Measurement
from trivet.engine.limit import Limits
from trivet.errors import MachineError, RequestError
from trivet.jobs.rows import Row
from trivet.records import Record
from trivet.sim import start
from trivet.sim.scenario import Scenario
from trivet.stats.percentiles import Percentiles
from trivet.tasks.task import Task

CALLS = 200
PASSES = 3
"""Passes for the highest rate, of which the best counts: what else the machine does is not the client's limit."""

SECONDS = 2.0
TRUSTED = 0.9
"""Share of the highest rate up to which latencies are told."""

_TASK = Task("{{ x }}", name="calibration")


class Bias(Struct, frozen=True, kw_only=True):
    """What the client adds: seconds a call at the `rate` of the comparison (calls a second), over so many `calls`.

    `highest_rate`: calls a second that this client can send at `concurrency` at once; `trusted`: the comparison's rate
    is well below it, so that its latencies are the provider's.
    """

    p50: float | None
    p95: float | None
    calls: int
    rate: float
    concurrency: int
    highest_rate: float
    trusted: bool


async def measure_bias(*, concurrency: int, rate: float, stream: bool) -> Bias | None:
    """The bias at this rate and concurrency; None where a null server could not be had."""
    try:
        server = await asyncio.to_thread(start, Scenario(null=True))
    except MachineError:
        return None
    try:
        async with AsyncClient(
            base_url=server.url,
            api_key="null",
            simulated=server.identity,
            cache=None,
            limits=Limits(concurrency=concurrency),
        ) as client:
            await _pass(client, concurrency, concurrency, None, stream)  # opens the connections
            seconds = [(await _pass(client, CALLS, concurrency, None, stream))[1] for _ in range(PASSES)]
            highest = CALLS / max(min(seconds), 1e-6)
            paced = min(rate, highest) or 1.0
            latencies, _ = await _pass(client, max(20, min(CALLS, int(paced * SECONDS))), concurrency,
                                       max(paced, 20 / SECONDS), stream)  # fmt: skip
    except (RequestError, MachineError):
        return None
    finally:
        await asyncio.to_thread(server.stop)
    sample = Percentiles(latencies)
    return Bias(
        p50=sample.at(0.5),
        p95=sample.at(0.95),
        calls=len(sample),
        rate=rate,
        concurrency=concurrency,
        highest_rate=highest,
        trusted=rate <= TRUSTED * highest,
    )


async def _pass(
    client: AsyncClient, calls: int, workers: int, rate: float | None, stream: bool
) -> tuple[list[float], float]:
    measurement = Measurement(client.ask, model=client.model, workers=workers, rate=rate, stream=stream, now=time.time)
    records: dict[str, dict[int, Record]] = {"null": {}}
    lane = Lane(task=_TASK, keep=lambda _: None)
    await measurement.run({"null": lane}, (Row(n=n, data={"x": "ok"}) for n in range(calls)), records)
    made = records["null"].values()
    return [r.latency + r.queued for r in made if r.latency is not None and r.error is None], measurement.seconds
