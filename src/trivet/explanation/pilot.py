"""Some of the questions asked for real, through the way of every run; and what the cache answers already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from trivet.client.client import AsyncClient
from trivet.engine.shelf import Shelf
from trivet.explanation.parts import Piloted
from trivet.explanation.survey import Question
from trivet.keys import Keys
from trivet.summary import Summary
from trivet.tasks.task import Task
from trivet.types import Reply, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """What the pilot came to. `latencies`: seconds of its replies, without the wait for a turn.

    `unkept`: the tokens of replies that broke the contract: paid for, and not in the cache. `failure`: the first one.
    """

    summary: Summary
    latencies: tuple[float, ...]
    unkept: tuple[Usage, ...]
    failure: str | None

    def told(self) -> Piloted:
        """What is said of it."""
        return Piloted(
            rows=self.summary.rows,
            failed=self.summary.failed,
            failure=self.failure,
            cost_usd=self.summary.cost_usd,
            latency_mean_s=sum(self.latencies) / len(self.latencies) if self.latencies else None,
        )


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
) -> Pilot | None:
    """Run so many of the questions that have no answer; None where there are none.

    The first ones are a random sample. All are asked, even if all fail alike: that is worth knowing, too.
    """
    open_ones = [question for question, reply in zip(questions, replies, strict=True) if reply is None]
    rows = [question.row.data for question in open_ones[:size]]
    if not rows:
        return None
    run = client.map(task, rows, model=model, folder=None, keep_going=True)
    results = [result async for result in run]
    summary = await run.summary
    await client.flush()
    asked = [each.reply for each in results if each.reply is not None and each.reply.source == "provider"]
    failed = [each for each in results if each.error is not None]
    refused = [each.reply for each in failed if each.reply is not None]
    error = next((each.error for each in failed), None)
    return Pilot(
        summary=summary,
        latencies=tuple(reply.attempts[-1].latency for reply in asked if reply.attempts),
        unkept=tuple(reply.usage for reply in refused if reply.usage is not None),
        failure=None if error is None else f"{error.code}: {error.message}",
    )
