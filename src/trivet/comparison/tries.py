"""Variants made by one change each: `effort=none`, `prompt=@shorter.txt`, `model=gpt-5.4-nano`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from trivet.errors import TaskError
from trivet.tasks.near import did_you_mean
from trivet.tasks.plan import Plan
from trivet.tasks.task import Task

PLANNED = ("effort", "verbosity", "tier")
TEXTS = ("prompt", "instructions")
KEYS = ("model", *TEXTS, *PLANNED)
PARAMS = ("max_output_tokens", "temperature", "top_p", "top_logprobs", "truncation", "service_tier")
_PLACES = {"effort": ("reasoning", "effort"), "verbosity": ("text", "verbosity"), "tier": ("service_tier",)}
MOST_CHARS = 16_000_000


class Change(Struct, frozen=True, kw_only=True):
    """One change of a task. `text`: as it was written; `path`: where in a task file it belongs; `value`: what to."""

    text: str
    key: str
    path: tuple[str, ...]
    value: Any


def change_of(text: str) -> Change:
    """The change that `key=value` stands for; `TaskError` for a key that a task does not have."""
    key, equals, given = text.partition("=")
    key = key.strip()
    if not (key and equals and given.strip()):
        raise TaskError(f"--try {text:.80}: write it as key=value, like --try effort=none")
    if key in TEXTS:
        return Change(text=text, key=key, path=(key,), value=_text(text, given))
    if key == "model":
        return Change(text=text, key=key, path=("model",), value=given.strip())
    if key in PLANNED:
        return Change(text=text, key=key, path=("plan", key), value=given.strip())
    name = key.removeprefix("params.")
    if name == key and name.split(".")[0] not in PARAMS:
        known = (*KEYS, *PARAMS)
        raise TaskError(
            f"--try {key}: a task has no such option{did_you_mean(key, known)}: use {', '.join(known)}, or params.NAME"
        )
    steps = tuple(name.split("."))
    if not all(steps):
        raise TaskError(f"--try {text:.80}: write it as params.NAME=value")
    return Change(text=text, key=key, path=("params", *steps), value=_value(given))


def tried(task: Task, change: Change) -> Task:
    """The task with the change; `TaskError` where it can't have it, or has it already."""
    made = _tried(task, change)
    if made.digest == task.digest and made.model_for() == task.model_for() and made.plan == task.plan:
        raise TaskError(f"--try {change.text:.80} changes nothing: the task has it so already")
    return made


def _tried(task: Task, change: Change) -> Task:
    if change.key in TEXTS:
        return task.with_(**{change.key: change.value})
    plan = {name: getattr(task.plan, name) for name in ("model", *PLANNED)}
    if change.key == "model":
        return task.with_(model=change.value, plan=Plan.of(plan | {"model": None}))
    if change.key in PLANNED:
        params = _without(task.params, _PLACES[change.key])
        return task.with_(plan=Plan.of(plan | {change.key: change.value}), params=params)
    path = change.path[1:]
    for name, place in _PLACES.items():
        if path == place:
            plan[name] = None
    return task.with_(plan=Plan.of(plan), params=_with(task.params, path, change.value))


def names_of(changes: Sequence[Change]) -> list[str]:
    """What the variants are called: the change, short enough for a table."""
    names: list[str] = []
    for change in changes:
        line = " ".join(change.text.split())
        name = line if len(line) <= 32 else line[:31] + "…"
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return names


def _without(params: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    first, *rest = path
    kept = {name: value for name, value in params.items() if name != first}
    if rest and isinstance(params.get(first), Mapping):
        inner = _without(params[first], tuple(rest))
        kept |= {first: inner} if inner else {}
    return kept


def _with(params: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    inner = params.get(first)
    if rest:
        value = _with(inner if isinstance(inner, Mapping) else {}, tuple(rest), value)
    return {**params, first: value}


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text


def _text(text: str, given: str) -> str:
    if not given.startswith("@"):
        return given
    path = Path(given[1:])
    try:
        if path.stat().st_size > MOST_CHARS:
            raise TaskError(f"--try {text:.80}: {path} is larger than any prompt: is it the data?")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise TaskError(f"--try {text:.80}: {path} can't be read: {error.strerror or error}") from None
    except ValueError:
        raise TaskError(f"--try {text:.80}: {path} is not UTF-8 text") from None
