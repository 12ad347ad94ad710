"""How long the answers will be: from answers there are, else from what the contract allows.

What is known only as a guess is called so. Reasoning is billed as output, and no contract bounds it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import msgspec
from msgspec import Struct

from trivet import tokens
from trivet.sim.constants import REASONING
from trivet.sim.models import find
from trivet.tasks.task import Task

ENOUGH = 8
"""Answers from which on they say more than the contract."""

HEAVY = 5.0
"""Times the mean beyond which one answer makes the mean uncertain, whatever its interval says."""

_SENTENCE = (6, 22, 45)
_WORD = (1.0, 1.4, 2.5)
_FREE = (5, 120, 800)
_STRING = ("a", "a few words of text that a field may hold", "a sentence, " * 12)
_LISTED = 3


class Length(Struct, frozen=True, kw_only=True):
    """Output tokens an answer, reasoning among them: `low` to `high`, and the best single figure.

    `source`: `answers`, `contract` or `guess`; `count`: answers it rests on; `each`: their lengths; `reasoning`: of
    `mean`; `heavy`: one of them is so long that the interval can't be trusted.
    """

    low: float
    mean: float
    high: float
    source: str
    count: int = 0
    each: tuple[int, ...] = ()
    reasoning: float = 0.0
    heavy: bool = False


def effort_of(task: Task, model: str) -> str | None:
    """The effort that a call would have: the task's, else the model's own; None where none is known."""
    asked = task.fields(model).get("reasoning", {}).get("effort")
    known = find(model)
    return asked or (known.effort if known is not None else None)


def measured(outputs: Sequence[int], reasoning: Sequence[int], calls: int, bounds: Length) -> Length | None:
    """From the output tokens of answers to some of the questions; None where they are too few.

    A 95 % interval of the mean over `calls` more (Student's t), within `bounds` where these are a contract's.
    """
    n = len(outputs)
    if n < ENOUGH:
        return None
    mean = fmean(outputs)
    error = _t(n - 1) * stdev(outputs) * math.sqrt(1 / n + 1 / max(1, calls))
    low, high = (bounds.low, bounds.high) if bounds.source == "contract" else (1.0, math.inf)
    return Length(
        low=min(mean, max(low, mean - error)),
        mean=mean,
        high=max(mean, min(high, mean + error)),
        source="answers",
        count=n,
        each=tuple(outputs),
        reasoning=fmean(reasoning),
        heavy=max(outputs) > HEAVY * mean,
    )


def allowed(task: Task, model: str) -> Length:
    """From the contract: labels by their exact tokens, a schema by its documents, text by its bounds."""
    low, mean, high, source = _visible(task)
    thought = float(REASONING.value.get(effort_of(task, model) or "none", 0))
    if thought:
        source = "guess"
        low, mean, high = low + thought / 8, mean + thought, high + thought * 8
    cap = task.fields(model).get("max_output_tokens")
    if isinstance(cap, int):
        low, mean, high = min(low, cap), min(mean, cap), min(high, cap)
    return Length(low=low, mean=mean, high=high, source=source, reasoning=min(thought, mean))


def _visible(task: Task) -> tuple[float, float, float, str]:
    labels = task.contract.labels
    if labels:
        sizes = [tokens.count(label) for label in labels]
        return min(sizes), fmean(sizes), max(sizes), "contract"
    described = task.contract.describe()
    schema = task.contract.fields().get("text", {}).get("format", {}).get("schema") or described.get("schema")
    if isinstance(schema, dict):
        sizes = [tokens.count(msgspec.json.encode(_document(schema, schema, size, 0)).decode()) for size in range(3)]
        return sizes[0], sizes[1], max(sizes), "guess" if _has_text(schema) else "contract"
    return _text(described.get("text") or {})


def _text(bounds: dict[str, int]) -> tuple[float, float, float, str]:
    """Bounds of a text: what they do not say (how long a sentence is) is assumed."""
    low, mean, high = _FREE
    words = bounds.get("max_words")
    if "bullets" in bounds:
        each = (3.0, words * _WORD[1] * 0.8, words * _WORD[2]) if words else (5.0, 20.0, 50.0)
        low, mean, high = (bounds["bullets"] * (size + 2) for size in each)  # type: ignore[assignment]
    elif "sentences" in bounds:
        low, mean, high = (bounds["sentences"] * size for size in _SENTENCE)
    elif words:
        low, mean, high = 1, round(words * _WORD[1] * 0.8), round(words * _WORD[2])
    if "max_chars" in bounds:
        high = min(high, bounds["max_chars"])
        mean, low = min(mean, bounds["max_chars"] // 5 + 1), min(low, high)
    return low, mean, high, "guess"


def _document(schema: Any, root: Any, size: int, depth: int) -> Any:
    """A document that the schema allows: the smallest (0), a usual one (1), a large one (2)."""
    if not isinstance(schema, dict) or depth > 12:
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _document(_referred(reference, root), root, size, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        ordered = sorted(schema["enum"], key=lambda value: len(str(value)))
        return ordered[(0, len(ordered) // 2, -1)[size]]
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            chosen = schema[name][-1 if size == 0 and name != "allOf" else 0]
            return _document(chosen, root, size, depth + 1)
    kind = schema.get("type")
    kind = next((each for each in kind if each != "null"), None) if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        wanted = schema.get("required", ()) if size == 0 else schema.get("properties", {})
        return {
            name: _document(each, root, size, depth + 1)
            for name, each in schema.get("properties", {}).items()
            if name in wanted
        }
    if kind == "array":
        fewest = schema.get("minItems", 0)
        many = (fewest, max(fewest, min(_LISTED, schema.get("maxItems", _LISTED))), schema.get("maxItems", 10))[size]
        return [_document(schema.get("items"), root, size, depth + 1)] * min(many, 1000)
    if kind == "string":
        return _STRING[size][: schema.get("maxLength")].ljust(schema.get("minLength", 0), "a")
    return {"integer": (1, 12, 12_345), "number": (1, 1.25, 123.4567), "boolean": (True, True, False)}.get(
        str(kind), (None,) * 3
    )[size]


def _referred(reference: str, root: Any) -> Any:
    found = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(step) if isinstance(found, dict) and step else found
    return found


def _has_text(schema: Any) -> bool:
    """Whether the schema leaves a length open: text or a list."""
    if isinstance(schema, list):
        return any(map(_has_text, schema))
    if not isinstance(schema, dict):
        return False
    if "enum" in schema or "const" in schema:
        return False
    return schema.get("type") in ("string", "array") or any(map(_has_text, schema.values()))


def _t(freedom: int) -> float:
    """The 97.5 % point of Student's t (Cornish and Fisher's expansion)."""
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
