"""Writes a string that matches a regular expression of the kind that schemas use."""

from __future__ import annotations

import re
import warnings
from typing import Any

try:
    from re import _parser as _sre  # type: ignore[attr-defined]
except ImportError:  # a Python whose standard library keeps it elsewhere
    _sre = None

_LONG = 1000


def example(expression: str, at_least: int = 0) -> str | None:
    """A string that matches, of `at_least` characters where repeats allow; None when none was found."""
    if _sre is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what `[[` may come to mean: it is the client's
            parsed = _sre.parse(expression)
            compiled = re.compile(expression)
    except (re.error, RecursionError, OverflowError):
        return None
    for repeats in (1, at_least, at_least + 3, 2, 3):
        try:
            made = _sequence(parsed, min(repeats, _LONG))
        except (_Unsupported, RecursionError):
            return None
        if len(made) >= at_least and compiled.search(made):
            return made
    return None


class _Unsupported(Exception):
    """A construct that is not written out, such as a back reference."""


def _sequence(items: Any, repeats: int) -> str:
    return "".join(_one(str(kind), value, repeats) for kind, value in items)


def _one(kind: str, value: Any, repeats: int) -> str:
    if kind == "LITERAL":
        return chr(value)
    if kind == "NOT_LITERAL":
        return "a" if value != ord("a") else "b"
    if kind == "ANY":
        return "a"
    if kind == "AT":
        return ""
    if kind == "IN":
        return _member(value)
    if kind == "BRANCH":
        return _sequence(value[1][0], repeats)
    if kind == "SUBPATTERN":
        return _sequence(value[3], repeats)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, inner = value
        return _sequence(inner, repeats) * min(max(int(low), min(repeats, int(high))), _LONG)
    if kind == "ASSERT_NOT" or kind == "ASSERT":
        return ""
    raise _Unsupported(kind)


def _member(choices: Any) -> str:
    allowed = re.compile(_class(choices), re.DOTALL)
    for letter in "a1A0bB2 -_.@/#":
        if allowed.fullmatch(letter):
            return letter
    for kind, value in choices:
        if str(kind) == "LITERAL":
            return chr(value)
        if str(kind) == "RANGE":
            return chr(value[0])
    return "~"


_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d", "CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_WORD": r"\w", "CATEGORY_NOT_WORD": r"\W",
    "CATEGORY_SPACE": r"\s", "CATEGORY_NOT_SPACE": r"\S",
}  # fmt: skip


def _class(choices: Any) -> str:
    parts = []
    for kind, value in choices:
        name = str(kind)
        if name == "NEGATE":
            parts.append("^")
        elif name == "LITERAL":
            parts.append(re.escape(chr(value)))
        elif name == "RANGE":
            parts.append(f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}")
        elif name == "CATEGORY":
            parts.append(_CATEGORIES.get(str(value), ""))
    return "[" + "".join(parts) + "]"
