"""The tokens of the sampled questions: the part that all share, and the part that varies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from trivet import tokens
from trivet.errors import DataError
from trivet.explanation.survey import Question, Survey
from trivet.sim.constants import MESSAGE_TOKENS, REPLY_TOKENS
from trivet.tasks.task import Task
from trivet.types import Request

Z = 1.96
"""Of a 95 % interval."""


class Contents(Struct, frozen=True, kw_only=True):
    """Input tokens. `constant` and `varying`: a row's; `total`: of all rows that can be asked, with its interval.

    `each`: of each sampled question, in the sample's order; `shared`: of the prefix that all have in common.
    """

    constant: int
    varying: float
    total: int
    interval: tuple[int, int]
    each: tuple[int, ...]
    shared: int


def contents(task: Task, survey: Survey) -> Contents:
    """Count the sample; exact for text in o200k_base, assumed for what the provider wraps around a message."""
    around = _around(task)
    texts = [_texts(question.request) for question in survey.sample]
    remembered: dict[str, int] = {}
    each = tuple(around + sum(_count(text, remembered) for text in pair) for pair in texts)
    constant = min([_constant(task, around), *each])
    mean, error = _mean(survey.sample, each, survey)
    return Contents(
        constant=constant,
        varying=max(0.0, mean - constant),
        total=round(mean * survey.good),
        interval=(round((mean - error) * survey.good), round((mean + error) * survey.good)),
        each=each,
        shared=_shared(texts),
    )


def _texts(request: Request) -> tuple[str, str]:
    """The instructions and the prompt that are sent."""
    body: dict[str, Any] = msgspec.json.decode(request.head + request.tail)
    return body.get("instructions") or "", body["input"]


def _count(text: str, remembered: dict[str, int]) -> int:
    """Texts that are likely to come again are counted once."""
    if not text:
        return 0
    known = remembered.get(text)
    if known is None:
        known = tokens.count(text)
        if len(remembered) < 64:
            remembered[text] = known
    return known


def _around(task: Task) -> int:
    """Tokens of what surrounds the texts: the bounds of messages, the schema."""
    fields = task.fields()
    total = REPLY_TOKENS.value + MESSAGE_TOKENS.value * (2 if task.instructions else 1)
    schema = fields.get("text", {}).get("format", {}).get("schema")
    if schema is not None:
        total += tokens.count(msgspec.json.encode(schema).decode())
    tools = fields.get("tools")
    return total + (tokens.count(msgspec.json.encode(tools).decode()) if tools else 0)


def _constant(task: Task, around: int) -> int:
    """Tokens of a question whose columns are empty; where the template can't do with that, of what is around it."""
    try:
        request = task.request(dict.fromkeys((*task.columns, *task.optional_columns), ""))
    except DataError:
        return around
    return around + sum(tokens.count(text) for text in _texts(request))


def _mean(sample: Sequence[Question], each: Sequence[int], survey: Survey) -> tuple[float, float]:
    """The mean over rows, and half of its 95 % interval (ratio estimator; nought where everything was counted)."""
    times = sum(question.times for question in sample)
    if not times:
        return 0.0, 0.0
    mean = sum(question.times * size for question, size in zip(sample, each, strict=True)) / times
    if survey.whole or len(sample) < 2:
        return mean, 0.0
    squares = sum((question.times * (size - mean)) ** 2 for question, size in zip(sample, each, strict=True))
    return mean, Z * math.sqrt(squares * (1 - len(sample) / survey.distinct)) / times


def _common(texts: Sequence[str]) -> str:
    """The text with which all of them begin."""
    first, last = min(texts), max(texts)  # what these two have in common, all between them have
    pairs = enumerate(zip(first, last, strict=False))
    return first[: next((n for n, (one, other) in pairs if one != other), len(first))]


def _shared(texts: Sequence[tuple[str, str]]) -> int:
    """Tokens of the text with which all questions begin, where there are several."""
    if len(texts) < 2:
        return 0
    instructions = _common([pair[0] for pair in texts])
    if any(len(pair[0]) > len(instructions) for pair in texts):
        return tokens.count(instructions)
    between = MESSAGE_TOKENS.value * (2 if instructions else 1)
    return between + tokens.count(instructions) + tokens.count(_common([pair[1] for pair in texts]))
