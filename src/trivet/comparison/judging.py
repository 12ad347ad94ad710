"""The judge's calls, and the scores that come of them; where no model judges, the scores of `marking`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from msgspec import UNSET

from trivet.client.client import AsyncClient
from trivet.comparison.figures import total_cost
from trivet.comparison.judge import MARK, PAIR, Asked, mark_score, pair_rows, pair_score
from trivet.comparison.marking import Marking, Records
from trivet.comparison.measure import Lane, Measurement
from trivet.comparison.scoring import Scorer
from trivet.errors import UsageError
from trivet.jobs.rows import Row
from trivet.records import Record
from trivet.tasks.task import Task

Scores = dict[int, float]


class Judging:
    """`open_lane(folder, task, records)`: where the calls of one judge go. `control`: the baseline's second asking."""

    def __init__(
        self,
        scorer: Scorer,
        variants: Mapping[str, Task],
        client: AsyncClient,
        marking: Marking,
        control: str,
        open_lane: Callable[[str, Task, dict[int, Record]], Lane],
    ) -> None:
        self._scorer = scorer
        self._variants = variants
        self._names = list(variants)
        self._client = client
        self._marking = marking
        self._control = control
        self._open_lane = open_lane
        self._records: dict[str, dict[int, Record]] = {}
        self._lanes: dict[str, Lane] = {}

    def open(self) -> None:
        """Find what was judged before; nothing where no model judges."""
        if self._scorer.judge is None:
            return
        task = PAIR if self._scorer.judge == "pairwise" else MARK
        task = task if self._scorer.model is None else task.with_(model=self._scorer.model)
        names = self._names[1:] if self._scorer.judge == "pairwise" else self._names
        for k, name in enumerate([*names, self._control]):
            records = self._records[name] = {}
            self._lanes[name] = self._open_lane(
                "judge-control" if name == self._control else f"judge-{k}", task, records
            )

    async def run(self, records: Mapping[str, Records], measurement: Measurement) -> None:
        """Have every answer judged that can't be known without."""
        for name, lane in self._lanes.items():
            rows = list(self._questions(name, records))
            await measurement.run({name: lane}, rows, {name: self._records[name]}, cacheable=True)

    def _questions(self, name: str, records: Mapping[str, Records]) -> Iterator[Row]:
        base = records[self._names[0]]
        for n, record in sorted(records[name].items()):
            if record.error is not None or any(n not in records[each] for each in self._names):
                continue
            if self._scorer.judge == "score":
                yield Row(n=n, data=self._asked(record).shown())
            elif base[n].error is None and record.output != base[n].output:
                yield from pair_rows(self._asked(record), base[n].output)

    def _asked(self, record: Record) -> Asked:
        right = self._marking.right(record.n)
        row = self._marking.rows[record.n]
        try:
            request = self._variants[self._names[0]].rendered(row)
        except UsageError:  # the baseline can't ask about this row, and failed there
            request = str(dict(row))
        return Asked(row=record.n, request=request, answer=record.output, reference=None if right is UNSET else right)

    def scores(self, records: Mapping[str, Records]) -> tuple[dict[str, Scores], dict[str, Scores]]:
        """Each variant's scores, and what they are held against, by row; a row that was not judged is left out."""
        base = self._names[0]
        if self._scorer.judge is None:
            scores = self._marking.scores(records)
            return scores, dict.fromkeys(records, scores[base])
        if self._scorer.judge == "score":
            marked = {name: dict(self._marked(name, records[name])) for name in self._names}
            return marked, dict.fromkeys(records, marked[base])
        even = dict.fromkeys(records[base], 0.5)
        paired = {name: dict(self._paired(name, records)) for name in self._names[1:]}
        return {base: even, **paired}, dict.fromkeys(records, even)

    def _marked(self, name: str, records: Records) -> Iterator[tuple[int, float]]:
        for n, record in records.items():
            score = 0.0 if record.error is not None else mark_score(self._records[name].get(n))
            if score is not None:
                yield n, score

    def _paired(self, name: str, records: Mapping[str, Records]) -> Iterator[tuple[int, float]]:
        base = records[self._names[0]]
        for n, record in records[name].items():
            if n not in base:
                continue
            score = _unasked(record, base[n])
            score = pair_score(self._records[name], n) if score is None else score
            if score is not None:
                yield n, score

    def control_scores(self, control: Records, base: Records) -> Scores:
        """Scores of the second asking."""
        if self._scorer.judge == "score":
            return dict(self._marked(self._control, control))
        if self._scorer.judge == "pairwise":
            return dict(self._paired(self._control, {self._names[0]: base, self._control: control}))
        return {n: self._marking.score(record, base.get(n)) for n, record in control.items() if n in base}

    def cost(self) -> Decimal | None:
        """US dollars of the judge's calls; 0 without one, None where a price is not known."""
        return total_cost(record for made in self._records.values() for record in made.values())


def _unasked(record: Record, base: Record) -> float | None:
    """A pair's score where nobody has to be asked: one failed, or both say the same."""
    if record.error is not None or base.error is not None:
        return 0.5 * (1 + (record.error is None) - (base.error is None))
    return 0.5 if record.output == base.output else None
