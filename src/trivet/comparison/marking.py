"""Scores of a comparison's records, by what is right or by the baseline's answer. A failed row scores 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from trivet.comparison.scoring import Scorer
from trivet.records import Record

Records = Mapping[int, Record]


class Marking:
    """`rows`: the data of each row by its number; `truth`: the column of what is right; `baseline`: its name."""

    def __init__(self, scorer: Scorer, truth: str | None, rows: Mapping[int, Mapping[str, Any]], baseline: str) -> None:
        self.rows = rows
        self.truth = truth
        self._scorer = scorer
        self._baseline = baseline
        self._known: dict[tuple[int, int], tuple[float, Record]] = {}

    @property
    def kind(self) -> str:
        """What the quality is called: accuracy, agreement (with the baseline, for want of a truth) or score."""
        if not self._scorer.whole:
            return "score"
        return "agreement" if self.truth is None else "accuracy"

    def right(self, n: int) -> Any:
        """What is right for a row; `UNSET` where nobody knows."""
        return UNSET if self.truth is None else self.rows[n].get(self.truth, UNSET)

    def scores(self, records: Mapping[str, Records]) -> dict[str, dict[int, float]]:
        """Each variant's scores by row."""
        base = records[self._baseline]
        return {
            name: {n: self.score(record, base.get(n)) for n, record in mine.items()} for name, mine in records.items()
        }

    def score(self, record: Record, base: Record | None) -> float:
        """The score of one record; `base` is the baseline's, for where no truth is known. Each is scored once."""
        key = (id(record), id(base))
        if key not in self._known:
            self._known[key] = (self._score(record, base), record)
        return self._known[key][0]

    def _score(self, record: Record, base: Record | None) -> float:
        if record.error is not None:
            return 0.0
        if not self._scorer.reference:
            return self._scorer.score(record.output, None, self.rows[record.n])
        if self.truth is not None:
            return self._scorer.score(record.output, self.right(record.n), self.rows[record.n])
        if base is None or base.error is not None:
            return 0.0
        return 1.0 if record is base else self._scorer.score(record.output, base.output, self.rows[record.n])
