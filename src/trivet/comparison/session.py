"""One comparison from its first call to its figures: what to ask, of whom, in which folder, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from trivet.client.client import AsyncClient
from trivet.client.today import today
from trivet.comparison.bias import Bias, measure_bias
from trivet.comparison.config import CompareConfig
from trivet.comparison.figures import Answers, Around, compare_figures
from trivet.comparison.judging import Judging
from trivet.comparison.marking import Marking
from trivet.comparison.measure import Lane, Measurement, model_of, shuffled
from trivet.comparison.place import Place, identity_of, inner_folder
from trivet.comparison.quality import differences, settled
from trivet.comparison.result import Comparison, drawable
from trivet.comparison.scoring import Scorer
from trivet.errors import RequestError, TaskError
from trivet.jobs.rows import Row
from trivet.jobs.runs import public_url
from trivet.records import Record
from trivet.reporting.saved import SavedComparison
from trivet.tasks.task import Task

WORKERS = 64
"""Calls at once at most: enough to be done soon, and few enough that latencies are those of the variants."""

CONTROL = "\0control"
"""The lane of the baseline's second asking, called as no variant is."""

LOOK_EVERY = 10
"""Rows between two looks at whether any verdict can still change."""


class Session:
    """One comparison under way."""

    def __init__(
        self,
        variants: Mapping[str, Task],
        rows: Sequence[Row],
        spec: str,
        client: AsyncClient,
        config: CompareConfig,
        scorer: Scorer,
        interrupted: Callable[[], bool],
    ) -> None:
        self._variants = dict(variants)
        self._names = list(variants)
        self._rows = shuffled(rows, config.seed)
        self._client = client
        self._config = config
        self._interrupted = interrupted
        self._marking = Marking(scorer, config.truth, {row.n: row.data or {} for row in rows}, self._names[0])
        self._scorer = scorer
        self._workers = min(WORKERS, client.concurrency)
        self._place = Place.open(config.folder, self._begun(spec), fresh=config.fresh)
        self._records: dict[str, dict[int, Record]] = {name: {} for name in [*self._names, CONTROL]}
        self._costs: list[Decimal | None] = []
        self._models: dict[str, str] = {}
        self._whole = 0
        self._next_look = LOOK_EVERY
        self._rate = 0.0

    async def run(self) -> Comparison:
        """Ask, judge, time alone, calibrate, and say what came of it."""
        config, place = self._config, self._place
        judging = Judging(self._scorer, self._variants, self._client, self._marking, CONTROL, self._lane)
        lanes = self._lanes()
        judging.open()
        alone = self._lanes_alone() if config.time_alone else {}
        self._client.account.spend(place.spent(self._client.prices, today(), self._models))
        try:
            await self._together(lanes)
            over = self._interrupted()
            if not over:
                await judging.run(self._records, self._measurement(rate=None, stream=False))
            if not over:
                await self._alone(alone)
        except (RequestError, TaskError) as error:
            if place.folder is not None and error.args:
                error.args = (f"{error.args[0]}; what was answered so far is in {place.folder}, and the same "
                              "command goes on from there",)  # fmt: skip
            raise
        over = self._interrupted()
        bias = None if over or not config.calibrate else await self._bias()
        comparison = self._figures(judging, bias, over)
        place.write(finished_at=None if over else time.time(), **drawable(comparison))
        return comparison

    def close(self) -> None:
        """Let go of the folder."""
        self._place.close()

    def _begun(self, spec: str) -> SavedComparison:
        """What there is to save before a row is asked."""
        client, config = self._client, self._config
        simulated = client.endpoint.simulated
        server = f"simulated {simulated}" if simulated is not None else public_url(client.endpoint.base_url)
        asked = [config.truth, self._scorer.name, config.seed, config.rate, config.stream]
        tasks = list(self._variants.values())
        return SavedComparison(
            name=config.name,
            task=config.task or tasks[0].name,
            data=spec,
            model=model_of(tasks[0], client.model),
            provider="simulated" if simulated is not None else client.endpoint.host,
            truth=config.truth,
            labels=all(task.contract.labels is not None for task in tasks),
            at=time.time(),
            folders={name: inner_folder(k, name) for k, name in enumerate(self._names)},
            identity=identity_of(self._variants, self._rows, client.model, server, asked),
        )

    def _lane(self, inner: str, task: Task, records: dict[int, Record], rows: frozenset[int] | None = None) -> Lane:
        """A lane that counts what it costs; `records` gets what was kept there before."""
        self._models[inner] = model_of(task, self._client.model)
        lane = self._place.lane(inner, task, records, rows, before=lambda record: self._costs.append(record.billed()))

        def keep(record: Record) -> None:
            lane.keep(record)
            self._costs.append(record.billed())

        return replace(lane, keep=keep)

    def _lanes_alone(self) -> dict[str, Lane]:
        return {name: self._lane(f"alone-{k}", task, {}) for k, (name, task) in enumerate(self._variants.items())}

    def _lanes(self) -> dict[str, Lane]:
        folders = self._place.saved.folders
        lanes = {name: self._lane(folders[name], task, self._records[name]) for name, task in self._variants.items()}
        some = frozenset(row.n for row in self._rows[: self._config.controlled(len(self._rows))])
        if some:
            lanes[CONTROL] = self._lane("control", self._variants[self._names[0]], self._records[CONTROL], some)
        return lanes

    def _measurement(self, *, rate: float | None, stream: bool) -> Measurement:
        return Measurement(
            self._client.ask,
            model=self._client.model,
            workers=self._workers,
            rate=rate,
            stream=stream,
            now=time.time,
            interrupted=self._interrupted,
            tags=self._client.tags,
        )

    async def _together(self, lanes: Mapping[str, Lane]) -> None:
        measurement = self._measurement(rate=self._config.rate, stream=self._config.stream)
        await measurement.run(lanes, self._rows, self._records, enough=self._enough)
        self._rate = measurement.asked / measurement.seconds if measurement.seconds > 0 else 0.0

    def _enough(self, n: int) -> bool:
        """Whether no remaining row could change a verdict."""
        if not self._config.stop_early or self._scorer.judge is not None:
            return False
        if any(n not in self._records[name] for name in self._names):
            return False
        self._whole += 1
        if self._whole < self._next_look:
            return False
        self._next_look = self._whole + max(LOOK_EVERY, self._whole // 50)
        whole = set.intersection(*(set(self._records[name]) for name in self._names))
        remaining = len(self._rows) - len(whole)
        if not remaining:
            return False
        only = {name: {n: self._records[name][n] for n in whole} for name in self._names}
        scores = self._marking.scores(only)
        base = scores[self._names[0]]
        found = {name: differences(scores[name], base) for name in self._names[1:]}
        return settled(found, remaining, self._config.margin, self._config.alpha)

    async def _alone(self, lanes: Mapping[str, Lane]) -> None:
        """Each variant over the rows by itself; a pass that was cut off is made again, as its time is of one piece."""
        asked = set.intersection(*(set(self._records[name]) for name in self._names))
        rows = [row for row in self._rows if row.n in asked]
        for name, lane in lanes.items():
            if name in self._place.saved.alone:
                continue
            measurement = self._measurement(rate=None, stream=self._config.stream)
            await measurement.run({name: lane}, rows, {name: {}})
            if self._interrupted():
                return
            self._place.write(alone={**self._place.saved.alone, name: measurement.seconds})

    async def _bias(self) -> Bias | None:
        return await measure_bias(
            concurrency=self._workers, rate=self._config.rate or self._rate, stream=self._config.stream
        )

    def _figures(self, judging: Judging, bias: Bias | None, over: bool) -> Comparison:
        config, records = self._config, self._records
        variants = {name: records[name] for name in self._names}
        scores, bases = judging.scores(variants)
        answers = {
            name: Answers(
                records=records[name],
                scores=scores[name],
                base=bases[name],
                wall_s=self._place.saved.alone.get(name),
            )
            for name in self._names
        }
        control = records[CONTROL]
        around = Around(
            kind=self._marking.kind,
            scorer=self._scorer.name,
            margin=config.margin,
            alpha=config.alpha,
            planned=len(self._rows),
            control=control,
            control_scores=judging.control_scores(control, records[self._names[0]]),
            judge_usd=judging.cost(),
            spent_usd=_sum(self._costs),
            bias=bias,
            rate=config.rate,
            rate_each=None if config.rate is None else config.rate / len(self._names),
            objective=config.objective,
            interrupted=over,
            folder=None if self._place.folder is None else str(self._place.folder),
            seed=config.seed,
        )
        return compare_figures(answers, around)


def _sum(costs: Sequence[Decimal | None]) -> Decimal | None:
    return None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
