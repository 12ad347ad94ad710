"""Before a cent is spent: what a run will cost, how long it will take, and what would make it cheaper."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from trivet.client.blocking import Client
from trivet.client.client import AsyncClient
from trivet.client.today import today
from trivet.errors import DataError, SettingsError
from trivet.explanation import answers, bill, contents, deadline, forecast, levers
from trivet.explanation.answers import Length
from trivet.explanation.bill import Load
from trivet.explanation.contents import Contents
from trivet.explanation.memory import Memory, work_of
from trivet.explanation.parts import Cached, Duplicates, LimitsAhead, TokensAhead
from trivet.explanation.pilot import Pilot, known, run_pilot
from trivet.explanation.result import Explanation
from trivet.explanation.survey import Survey, survey
from trivet.jobs.job import check_columns
from trivet.jobs.rows import Source
from trivet.jobs.select import Selection
from trivet.jobs.sources import open_source
from trivet.linting.lint import lint_task
from trivet.linting.result import Lint
from trivet.settings import cache_folder, duration
from trivet.summary import Predicted
from trivet.tasks.task import Task
from trivet.types import Reply

SERVICE = {
    None: "standard",
    "auto": "standard",
    "default": "standard",
    "flex": "flex",
    "fast": "fast",
    "priority": "fast",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainConfig:
    """How to look. `usage_tier`: the account's, 1 to 5, whose published limits hold; `pilot`: rows to run for real.

    `deadline`: seconds. `memory`: the folder of what was learned before; None for none. `tick` hears of every
    thousandth row; `day`: whose prices count.
    """

    usage_tier: int | None = None
    simulated_tier: int | None = None
    deadline: float | None = None
    pilot: int = 0
    selection: Selection = field(default_factory=Selection)
    memory: Path | None = None
    tick: Callable[[int], None] | None = None
    day: date | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.usage_tier is not None and not 1 <= self.usage_tier <= 5:
            raise SettingsError(f"the usage tier is {self.usage_tier}, and there are 1 to 5 of them")
        if self.pilot < 0:
            raise SettingsError(f"a pilot of {self.pilot} rows: it takes a number from 1 on")
        if self.deadline is not None and not self.deadline > 0:
            raise SettingsError("the deadline is now, or has passed")


def explain(
    task: Task,
    rows: str | PathLike[str] | Iterable[Any],
    *,
    client: Client,
    usage_tier: int | None = None,
    deadline: float | str | None = None,
    pilot: int = 0,
) -> Explanation:
    """What a run of the task over the rows will cost and take with this client; nothing is sent but a pilot.

    `usage_tier`: the account's at the provider, 1 to 5; else its limits as learned from earlier runs. `deadline`:
    seconds, or text like `"6h"`. `pilot`: so many random rows are run for real, within the client's budget, and their
    answers cached. An iterator is used up. Raises `UsageError` for what can't be run.
    """
    config = ExplainConfig(
        usage_tier=usage_tier,
        deadline=duration(deadline) if isinstance(deadline, str) else deadline,
        pilot=pilot,
        memory=cache_folder() / "forecasts",
    )
    return client.call(explain_async(task, open_source(rows), client.asynchronous, config))


async def explain_async(task: Task, source: Source, client: AsyncClient, config: ExplainConfig) -> Explanation:
    """The same for the asynchronous client and an opened source."""
    check_columns(task, source)
    if task.plan.model is None and task.model is None:
        task = task.with_(model=client.model)
    day, model = config.day or today(), task.model_for()
    if config.pilot and client.store is None:
        raise SettingsError("a pilot's answers are kept for the run, and there is no cache to keep them: name one")
    task.fields(model)  # what the provider is known to refuse is refused here
    found = survey(task, source, tick=config.tick)
    if not found.good:
        said = f": {found.complaints[0]}" if found.complaints else ""
        raise DataError(f"{source.spec} has no row that can be asked{said}")
    replies = await known(found.sample, client)
    pilot: Pilot | None = None
    if config.pilot:
        pilot = await run_pilot(task, model, found.sample, replies, client, config.pilot)
        replies = await known(found.sample, client)
        Memory(config.memory).learn_limits(client, model)
    view = _View(task, source, client, config, model, day, found, replies, pilot)
    explanation = view.explanation()
    _remember(explanation, view)
    return explanation


def _remember(explanation: Explanation, view: _View) -> None:
    """Keep the prediction for the run's summary, and what the pilot has learned for later."""
    memory, endpoint = Memory(view.config.memory), view.client.endpoint
    work = work_of(view.task, view.source, view.config.selection, view.model, endpoint)
    if work is not None:
        said = Predicted(cost_usd=explanation.cost_interval_usd, time_s=explanation.time_s, at=time.time())
        memory.keep_predicted(work, said)
    if view.pilot is not None:
        memory.keep_pace(endpoint, view.model, view.task, view.pilot.summary)


class _View:
    """Everything that was found out, put together."""

    def __init__(
        self,
        task: Task,
        source: Source,
        client: AsyncClient,
        config: ExplainConfig,
        model: str,
        day: date,
        found: Survey,
        replies: tuple[Reply | None, ...],
        pilot: Pilot | None,
    ) -> None:
        self.task, self.source, self.client, self.config, self.model = task, source, client, config, model
        self.found, self.replies, self.pilot, self.day = found, replies, pilot, day
        fields = task.fields(model)
        self.tier = SERVICE.get(fields.get("service_tier"), "standard")
        self.contents: Contents = _calibrated(contents.contents(task, found), replies)
        share = sum(reply is not None for reply in replies) / max(1, len(replies))
        self.hits = round(share * found.distinct)
        cached = client.store is not None
        self.calls = found.distinct - self.hits if cached else found.good
        self.length = self._length()
        misses = [size for size, reply in zip(self.contents.each, replies, strict=True) if reply is None]
        charged = forecast.charges(found.sample, self.contents.each)
        pairs = zip(charged, replies, strict=True)
        self.charges = tuple(charge for charge, reply in pairs if reply is None) or charged
        options = fields.get("prompt_cache_options") or {}
        self.load = Load(
            calls=self.calls,
            inputs=tuple(misses) if cached else self.contents.each,
            output=self.length.mean,
            shared=self.contents.shared,
            explicit=options.get("mode") == "explicit",
        )
        self.lint: Lint = lint_task(task, model=model, day=day)

    def _length(self) -> Length:
        usages = [reply.usage for reply in self.replies if reply is not None and reply.usage is not None]
        usages += self.pilot.unkept if self.pilot is not None else ()
        outputs, thought = [usage.output for usage in usages], [usage.reasoning for usage in usages]
        allowed = answers.allowed(self.task, self.model)
        return answers.measured(outputs, thought, self.calls, allowed) or allowed

    def explanation(self) -> Explanation:
        """All of it as data."""
        found, length, book = self.found, self.length, self.client.prices
        ahead = self._ahead()
        limits, timed = self._timed(ahead)
        price = book.price_of(self.model, self.tier, self.day)
        costs = bill.by_tier(self.load, book, self.model, self.day)
        simulated = self.client.endpoint.simulated is not None
        return Explanation(
            task=self.config.name or self.task.name,
            data=self.source.spec,
            model=self.model,
            provider="simulated" if simulated else self.client.endpoint.host,
            rows=found.rows,
            bad_rows=found.bad,
            complaints=found.complaints,
            columns=(*self.task.columns, *self.task.optional_columns),
            duplicates=Duplicates(exact=found.exact, normalised=found.normalised),
            tokens=self._tokens(),
            cache=Cached(questions=found.distinct, hits=self.hits, looked_up=len(self.replies)),
            calls=self.calls,
            cost_usd=costs,
            cost_interval_usd=self._interval(),
            price_since=None if price is None else str(price.since),
            tier=self.tier,
            time_s=timed.time_s,
            time_by_usage_tier=timed.by_usage_tier,
            binding_limit=timed.binding,
            limits=limits,
            latency_from=timed.latency_from,
            models=tuple(bill.choices(self.load, book, self.task, self.model, length.reasoning, self.day)),
            levers=self._levers(),
            lint=self.lint.findings,
            lint_saves_tokens=self.lint.saved_per_call,
            deadline_s=self.config.deadline,
            plans=deadline.plans(ahead, timed, costs, self.config.deadline),
            pilot=None if self.pilot is None else self.pilot.told(),
            notes=tuple(forecast.notes(self.task, self.model, length, limits, timed, price is not None)),
        )

    def _ahead(self) -> forecast.Ahead:
        return forecast.Ahead(
            task=self.task,
            model=self.model,
            tier=self.tier,
            load=self.load,
            length=self.length,
            charge=self.charges,
        )

    def _timed(self, ahead: forecast.Ahead) -> tuple[LimitsAhead, forecast.Timed]:
        config, memory, provider = self.config, self._memory, forecast.is_provider(self.client)
        limits = forecast.limits(self.client, self.model, config.usage_tier, config.simulated_tier, memory)
        learned = memory.pace(self.client.endpoint, self.model, self.task)
        measured = self.pilot.latencies if self.pilot is not None else ()
        return limits, forecast.timed(ahead, limits, measured, learned, provider=provider)

    def _levers(self) -> tuple[levers.Lever, ...]:
        case = levers.Case(load=self.load, book=self.client.prices, model=self.model, tier=self.tier, day=self.day)
        cached, normalises = self.client.store is not None, self.task.normalise
        found = levers.levers(case, self.found, self.contents, self._spared(), cached=cached, normalises=normalises)
        return tuple(found)

    def _spared(self) -> levers.Spared:
        """The calls that the cache spares, and those that duplicates would be."""
        pairs = list(zip(self.found.sample, self.contents.each, strict=True))
        again = [size for question, size in pairs for _ in range(question.times - 1)]
        answered = [size for size, reply in zip(self.contents.each, self.replies, strict=True) if reply is not None]
        return levers.Spared(
            hits=replace(self.load, calls=self.hits, inputs=tuple(answered)),
            again=replace(self.load, calls=self.found.good - self.found.distinct, inputs=tuple(again)),
        )

    @property
    def _memory(self) -> Memory:
        return Memory(self.config.memory)

    def _tokens(self) -> TokensAhead:
        rows, length, counted = self.found.good, self.length, self.contents
        return TokensAhead(
            constant=counted.constant,
            varying=round(counted.varying, 1),
            input=counted.total,
            input_interval=counted.interval,
            output_estimate=(round(length.low * rows), round(length.high * rows)),
            output_mean=round(length.mean, 2),
            output_from=length.source,
            output_answers=length.count,
            reasoning_mean=round(length.reasoning, 1),
            counted=len(self.found.sample),
        )

    def _interval(self) -> tuple[Any, Any] | None:
        """The cost at the ends of what is not known: lengths of the sample and of the answers, hits not looked up."""
        total = max(1, self.contents.total)
        low, high = (end / total for end in self.contents.interval)
        ends = bill.interval(
            self.load,
            self.length,
            (low, high),
            book=self.client.prices,
            model=self.model,
            tier=self.tier,
            day=self.day,
        )
        spread = Decimal(repr(forecast.hits_uncertain(self.replies, self.found)))
        return None if ends is None else (ends[0] * (1 - spread), ends[1] * (1 + spread))


def _calibrated(counted: Contents, replies: tuple[Reply | None, ...]) -> Contents:
    """The counts, moved by what the provider itself has counted for questions that are answered already."""
    off = [
        reply.usage.input - size
        for size, reply in zip(counted.each, replies, strict=True)
        if reply is not None and reply.usage is not None and reply.usage.input
    ]
    if not off or max(off) - min(off) > max(4, counted.constant // 10):  # not a constant that was left out
        return counted
    more = round(sum(off) / len(off))
    rows = round(counted.total / max(1.0, counted.constant + counted.varying))
    return replace(
        counted,
        constant=counted.constant + more,
        total=counted.total + more * rows,
        interval=(counted.interval[0] + more * rows, counted.interval[1] + more * rows),
        each=tuple(size + more for size in counted.each),
    )
