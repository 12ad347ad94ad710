"""The prediction held against the provider's own books: within 5 % of the bill, and 10 % of the time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from trivet import sim
from trivet.client.client import AsyncClient
from trivet.client.today import today
from trivet.engine.limit import Limits
from trivet.explanation.explain import ExplainConfig, explain_async
from trivet.explanation.memory import Memory
from trivet.explanation.result import Explanation
from trivet.jobs.sources import open_source
from trivet.keys import Keys
from trivet.prices.book import standard_book
from trivet.sim.inprocess import InProcess
from trivet.tasks.labels import Labels
from trivet.tasks.task import Task
from trivet.tasks.text import Text
from trivet.testing.virtual_time import run
from trivet.types import Usage

Rows = Sequence[dict[str, Any]]

WORDS = (
    *("invoice", "charged", "twice", "refund", "password", "reset", "login", "account", "screen", "crash", "update"),
    *("order", "late", "parcel", "please", "help", "since", "yesterday", "morning", "my", "the", "a", "cannot", "open"),
    *("report", "customer", "service", "answer", "question", "about", "opening", "hours"),
)


def texts(n: int, least: int, most: int, seed: int = 1) -> list[str]:
    """Texts of so many words, all different."""
    draw = random.Random(seed)
    return [f"{i}: " + " ".join(draw.choices(WORDS, k=draw.randint(least, most))) for i in range(n)]


async def hand_over(task: Task, rows: Rows, first: AsyncClient, second: AsyncClient) -> None:
    """Put the answers of one cache into the other."""
    keys = Keys(first.endpoint)
    assert first.store is not None and second.store is not None
    for row in rows:
        key = keys.key(task.request(row))
        entry = await first.store.get(key)
        if entry is not None:
            await second.store.put(key, entry)


class Outcome:
    """What was said, and what came."""

    def __init__(self, said: Explanation, bill: Decimal, seconds: float) -> None:
        self.said, self.bill, self.seconds = said, bill, seconds


def billed(books: Any, day: date) -> Decimal:
    """What the provider's books come to."""
    total = Decimal(0)
    for name, line in books.billed.items():
        model, tier = name.rsplit("/", 1)
        usage = Usage(
            input=line.input,
            cached_input=line.cached_input,
            cache_write=line.cache_write,
            cache_write_12h=line.cache_write_12h,
            output=line.output,
            reasoning=line.reasoning,
        )
        cost = standard_book().cost(usage, model=model, tier=tier, day=day)
        assert cost is not None
        total += cost
    return total


def played(
    task: Task,
    rows: Rows,
    scenario: sim.Scenario,
    *,
    before: Rows = (),
    limits: Limits | None = None,
    told: tuple[float, float] | None = None,
    tmp_path: Path,
    **config: Any,
) -> Outcome:
    """Run `before`, explain `rows`, run them: the prediction, and the bill and time of that last run alone."""

    async def main() -> Outcome:
        transport, endless = InProcess(scenario), Limits(rpm=None)

        def client() -> AsyncClient:
            return AsyncClient(
                base_url="http://simulated.invalid/v1",
                simulated=scenario.identity(),
                transport=transport,
                limits=limits or endless,
                cache="memory://",
            )

        first, second = client(), client()  # the run that follows knows nothing of what the pilot learned
        if before:
            await first.map(task, before, folder=None).summary
        if told is not None:
            Memory(tmp_path).keep_limits(first.endpoint, task.model_for(), *told)
        said = await explain_async(task, open_source(rows), first, ExplainConfig(memory=tmp_path, **config))
        await hand_over(task, rows, first, second)
        already = billed(transport.core.books.statement(), today())
        await asyncio.sleep(120)  # what the calls so far have used of the limits comes back
        clock = asyncio.get_running_loop().time
        began = clock()
        summary = await second.map(task, rows, folder=None).summary
        assert summary.failed == 0
        return Outcome(said, billed(transport.core.books.statement(), today()) - already, clock() - began)

    return run(main())


def holds(outcome: Outcome) -> None:
    """The promise; and the intervals that are printed hold the truth."""
    said = outcome.said
    cost, interval, time = said.cost_usd[said.tier], said.cost_interval_usd, said.time_s
    assert cost is not None and interval is not None and time is not None
    print(f"bill {outcome.bill} said {cost} {interval}; time {outcome.seconds:.2f} said {time} {said.binding_limit}")
    assert abs(cost / outcome.bill - 1) <= Decimal("0.05")
    assert interval[0] <= outcome.bill * Decimal("1.000001") and outcome.bill <= interval[1] * Decimal("1.000001")
    assert abs(sum(time) / 2 / outcome.seconds - 1) <= 0.10


TICKETS = Task(
    "Classify the support ticket into one of: {{ labels | join(', ') }}.\nReturn only the label.\n\n"
    "Ticket:\n{{ ticket }}",
    output=Labels("billing", "technical_support", "account_access", "general_inquiry"),
    params={"max_output_tokens": 16},
)


def test_short_tickets_bound_by_requests_a_minute(tmp_path: Path) -> None:
    """Labels of short tickets; the limit is known from an earlier run, and nothing is asked to predict it."""
    rows = [{"ticket": text} for text in texts(600, 5, 30)]
    outcome = played(TICKETS, rows, sim.Scenario(rpm=300, tpm=1_000_000), told=(300, 1_000_000), tmp_path=tmp_path)
    assert outcome.said.binding_limit == "requests"
    assert outcome.said.pilot is None
    holds(outcome)


def test_long_documents_bound_by_tokens_a_minute(tmp_path: Path) -> None:
    """Free text about long documents: a pilot measures what no contract says."""
    task = Task("{{ document }}\n\nSummarize the document above in two sentences.", output=Text(sentences=2))
    rows = [{"document": ". ".join(texts(12, 20, 60, seed))} for seed in range(200)]
    scenario = sim.Scenario(rpm=5000, tpm=60_000)
    outcome = played(task, rows, scenario, told=(5000, 60_000), pilot=30, tmp_path=tmp_path)
    assert outcome.said.binding_limit == "tokens"
    assert outcome.said.pilot is not None and outcome.said.pilot.rows == 30
    holds(outcome)


def test_half_in_the_cache_bound_by_latency_alone(tmp_path: Path) -> None:
    """Every other question is answered already, and many rows ask the same; so many at once are allowed."""
    different = [{"ticket": text} for text in texts(400, 5, 30)]
    rows = [*different, *different[:200], *different[300:]]
    scenario = sim.Scenario(rpm=1_000_000, latency=sim.Latency(ttft=2.0, spread=0.3))
    outcome = played(
        TICKETS,
        rows,
        scenario,
        before=different[::2],
        limits=Limits(concurrency=20),
        told=(1_000_000, 1_000_000_000),
        pilot=30,
        tmp_path=tmp_path,
    )
    assert outcome.said.duplicates.exact == 300
    assert outcome.said.cache.hits == 230
    assert outcome.said.binding_limit == "concurrency"
    holds(outcome)
