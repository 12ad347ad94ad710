"""Some of the questions asked for real, through the way of every run; and what the cache answers already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from trivet.client.client import AsyncClient
from trivet.engine.shelf import Shelf
from trivet.explanation.parts import Piloted
from trivet.explanation.survey import Question
from trivet.keys import Keys
from trivet.summary import Summary
from trivet.tasks.task import Task
from trivet.types import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """What the pilot came to: its summary, and the seconds of its replies, the wait for a turn not counted."""

    summary: Summary
    latencies: tuple[float, ...]

    def told(self) -> Piloted:
        """What is said of it."""
        mean = sum(self.latencies) / len(self.latencies) if self.latencies else None
        cost: Decimal | None = self.summary.cost_usd
        return Piloted(rows=self.summary.rows, failed=self.summary.failed, cost_usd=cost, latency_mean_s=mean)


async def known(questions: Sequence[Question], client: AsyncClient) -> tuple[Reply | None, ...]:
    """The stored answer to each question, by the key under which a run would look; None where there is none."""
    store = client.store
    if store is None:
        return (None,) * len(questions)
    shelf, keys = Shelf(store, client.config.ttl, time.time), Keys(client.endpoint)
    found: list[Reply | None] = []
    for question in questions:
        request = question.request
        key = keys.key(request)
        entry = await store.get(key) if request.cacheable else None
        found.append(None if entry is None else shelf.read(replace(request, key=key), entry))
    return tuple(found)


async def run_pilot(
    task: Task,
    model: str,
    questions: Sequence[Question],
    replies: Sequence[Reply | None],
    client: AsyncClient,
    size: int,
) -> Pilot:
    """Run so many of the questions without an answer: the first ones, which are a random sample."""
    open_ones = [question for question, reply in zip(questions, replies, strict=True) if reply is None]
    rows = [question.row.data for question in open_ones[:size]]
    run = client.map(task, rows, model=model, folder=None)
    replies_of = [result.reply async for result in run]
    asked = [reply for reply in replies_of if reply is not None and reply.source == "provider" and reply.attempts]
    summary = await run.summary
    await client.flush()
    return Pilot(summary=summary, latencies=tuple(reply.attempts[-1].latency for reply in asked))
