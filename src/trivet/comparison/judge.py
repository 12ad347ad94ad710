"""A model as judge: which of two answers serves the request better, or how good one is. Its calls are paid for, too.

Pairwise, each pair is shown both ways round, because judges favour a place: a preference counts where both ways agree,
and is a tie where they don't. Equal answers are a tie, unasked. Source: L. Zheng et al., "Judging LLM-as-a-judge with
MT-Bench and Chatbot Arena", NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from trivet.jobs.rows import Row
from trivet.records import Record
from trivet.tasks.labels import Labels
from trivet.tasks.task import Task

BEST = 10

PAIR = Task(
    """Two answers to the same request are shown. Which one serves it better? Length and style by themselves don't \
count. Answer with one of: {{ labels | join(', ') }}.

<request>
{{ request }}
</request>
{% if reference is defined %}
<known_to_be_right>
{{ reference }}
</known_to_be_right>
{% endif %}
<first>
{{ first }}
</first>

<second>
{{ second }}
</second>
""",
    output=Labels("first", "second", "tie"),
    name="judge",
)

MARK = Task(
    """How well does the answer serve the request, from 0 (not at all) to 10 (perfectly)? Length and style by \
themselves don't count. Answer with one of: {{ labels | join(', ') }}.

<request>
{{ request }}
</request>
{% if reference is defined %}
<known_to_be_right>
{{ reference }}
</known_to_be_right>
{% endif %}
<answer>
{{ answer }}
</answer>
""",
    output=Labels(*(str(mark) for mark in range(BEST + 1))),
    name="judge",
)


class Asked(Struct, frozen=True, kw_only=True):
    """What a judge is asked of one row's answer: the request it answered, the answer, and what is right, if known."""

    row: int
    request: str
    answer: Any
    reference: Any = None

    def shown(self) -> dict[str, Any]:
        """As columns of the judge's prompt."""
        known = {} if self.reference is None else {"reference": _text(self.reference)}
        return {"request": self.request, "answer": _text(self.answer), **known}


def pair_rows(asked: Asked, base: Any) -> Iterator[Row]:
    """The two questions about a pair of answers: rows 2n and 2n + 1 of the judge's."""
    shown = asked.shown()
    mine, theirs = shown.pop("answer"), _text(base)
    yield Row(n=2 * asked.row, data={**shown, "first": mine, "second": theirs})
    yield Row(n=2 * asked.row + 1, data={**shown, "first": theirs, "second": mine})


def pair_score(records: Mapping[int, Record], n: int) -> float | None:
    """1 where the candidate is preferred both ways round, 0 where the baseline is, 0.5 else; None: not judged."""
    forth, back = records.get(2 * n), records.get(2 * n + 1)
    if forth is None or back is None or forth.error is not None or back.error is not None:
        return None
    won = {("first", "second"): 1.0, ("second", "first"): 0.0}
    return won.get((str(forth.output), str(back.output)), 0.5)


def mark_score(record: Record | None) -> float | None:
    """The marks as a share of the best; None: not judged."""
    if record is None or record.error is not None:
        return None
    return int(str(record.output)) / BEST


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
