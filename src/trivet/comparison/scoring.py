"""How good an answer is: a score between 0 and 1, by what is right, by the baseline's answer, or by a function."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from trivet.errors import SettingsError, TaskError
from trivet.tasks.code import imported
from trivet.tasks.near import did_you_mean
from trivet.wording import one_line

Score = Callable[[Any, Any, Mapping[str, Any]], float]
"""A score of an output, given what it is held against and the row."""

NAMES = ("exact", "normalised", "numeric", "json")
JUDGES = ("judge", "judge-score")


class Scorer(Struct, frozen=True, kw_only=True):
    """A way to score. `whole`: scores are 0 or 1. `reference`: an output is held against something that is right.

    `judge`: the model judges, `pairwise` or by `score`; then `model` is its model, None for the client's own.
    """

    name: str
    score: Score
    whole: bool = True
    reference: bool = True
    judge: str | None = None
    model: str | None = None


def scorer_of(given: str | Callable[..., Any] | None) -> Scorer:
    """The scorer that is meant; raises `SettingsError`.

    None or `"exact"`: equal. `"normalised"`: equal but for case, white space, Unicode form and punctuation at the ends.
    `"numeric"`, `"numeric:0.01"`: equal as numbers, to a tolerance. `"json"`: the share of the right answer's fields
    that are there and equal. A function of (output, row): a number between 0 and 1, or a bool. `"judge"`,
    `"judge:MODEL"`: a model says which of two answers is better, both ways round; `"judge-score"`: it gives marks.
    """
    if callable(given):
        return Scorer(name=getattr(given, "__name__", "function"), score=_of_function(given), whole=False,
                      reference=False)  # fmt: skip
    name, _, option = (given or "exact").partition(":")
    if name in JUDGES:
        mode = "pairwise" if name == "judge" else "score"
        return Scorer(name=str(given), score=_exact, whole=False, reference=False, judge=mode, model=option or None)
    if name == "numeric":
        return Scorer(name=str(given), score=_numeric(_tolerance(option)))
    if name not in NAMES or option:
        known = (*NAMES, *JUDGES)
        raise SettingsError(
            f"there is no scorer {given!r:.80}{did_you_mean(name, known)}: use {', '.join(known)}, or module:function"
        )
    by_name: dict[str, Scorer] = {
        "exact": Scorer(name="exact", score=_exact),
        "normalised": Scorer(name="normalised", score=_normalised),
        "json": Scorer(name="json", score=_fields, whole=False),
    }
    return by_name[name]


def named(text: str, *, allow_code: bool, folder: Any) -> str | Callable[..., Any]:
    """What `--scorer` names: a scorer of ours, or with `allow_code` the function at "package.module:function"."""
    name = text.partition(":")[0]
    if name in (*NAMES, *JUDGES) or ":" not in text:
        return text
    if not allow_code:
        raise SettingsError(f"--scorer {text} imports code: allow it with --allow-code")
    found = imported(text, folder, "a scorer")
    if not callable(found):
        raise TaskError(f"{text} is no function: a scorer is called with an output and its row")
    function: Callable[..., Any] = found
    return function


def checked(value: object, name: str) -> float:
    """A score; `TaskError` for what is none."""
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    raise TaskError(f"the scorer {name} gave {value!r:.60}: a score is a number between 0 and 1, or a bool")


def _of_function(function: Callable[..., Any]) -> Score:
    name = getattr(function, "__name__", "function")

    def score(output: Any, _: Any, row: Mapping[str, Any]) -> float:
        try:
            value = function(output, row)
        except Exception as error:
            raise TaskError(f"the scorer {name} failed: {type(error).__name__}: {one_line(str(error))}") from error
        return checked(value, name)

    return score


def _exact(output: Any, right: Any, _: Mapping[str, Any]) -> float:
    return float(bool(output == right))


def _normalised(output: Any, right: Any, _: Mapping[str, Any]) -> float:
    return float(_folded(output) == _folded(right))


def _folded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    return re.sub(r"^[^\w]+|[^\w%]+$", "", text) or text


def _tolerance(text: str) -> float:
    try:
        value = float(text or 1e-9)
    except ValueError:
        value = -1.0
    if not (value >= 0 and math.isfinite(value)):
        raise SettingsError(f"numeric:{text}: the tolerance is a number from 0 on, like numeric:0.01")
    return value


def _numeric(tolerance: float) -> Score:
    def score(output: Any, right: Any, _: Mapping[str, Any]) -> float:
        mine, theirs = _number(output), _number(right)
        return float(mine is not None and theirs is not None and abs(mine - theirs) <= tolerance * (1 + 1e-9))

    return score


_NUMBER = re.compile(r"[-+]?(?:\d[\d,_ ]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def _number(value: Any) -> float | None:
    """The number that a value is, or the only one that its text holds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    found = _NUMBER.findall(value) if isinstance(value, str) else []
    try:
        return float(re.sub(r"[,_ ]", "", found[0])) if len(found) == 1 else None
    except ValueError:
        return None


def _fields(output: Any, right: Any, _: Mapping[str, Any]) -> float:
    mine, theirs = dict(_leaves(_decoded(output))), dict(_leaves(_decoded(right)))
    if not theirs:
        return float(not mine)
    same: int = sum(bool(path in mine and mine[path] == value) for path, value in theirs.items())
    return same / len(theirs)


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return value


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if len(path) < 60 and isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif len(path) < 60 and isinstance(value, list | tuple) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    else:
        yield path, value
