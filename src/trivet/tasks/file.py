"""Task files: TOML in, tasks out."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec

from trivet.errors import TaskError
from trivet.tasks.definition import Definition, build, checked, names, of_variant
from trivet.tasks.fields import check_params, merged, yielding
from trivet.tasks.plan import Plan
from trivet.tasks.task import Task
from trivet.tasks.toml_lines import origin_of

MAX_BYTES = 16_000_000
"""The largest task file; a larger one holds data, not a task."""


def load(path: str | PathLike[str], variant: str | None = None, *, allow_code: bool = False) -> Task:
    """The task that a file describes, or one of its variants.

    `allow_code`: let `type = "package.module:Model"` import that module. Raises `TaskError`, with the file
    and where possible the line, for whatever is wrong with it.
    """
    definition = _read(path)
    return Task(**build(of_variant(definition, variant), allow_code=allow_code))


def variants(path: str | PathLike[str], *, allow_code: bool = False) -> dict[str, Task]:
    """The task under its own name ("base", or what `base` in the file says), then its variants in order."""
    definition = _read(path)
    return {name: Task(**build(of_variant(definition, name), allow_code=allow_code)) for name in names(definition)}


def differences(path: str | PathLike[str], variant: str) -> dict[str, Any]:
    """What a variant's own table in the file holds; nothing for the task itself."""
    definition = _read(path)
    of_variant(definition, variant)
    return dict(definition.document.get("variants", {}).get(variant, {}))


def override(
    task: Task,
    *,
    model: str | None = None,
    params: Mapping[str, Any] | None = None,
    tier: str | None = None,
) -> Task:
    """The task as the command line changes it: what is given here wins over what the task says.

    `params`: by name, with dots for what is inside of a table (`reasoning.effort`); a text that is JSON
    stands for its value. Raises `TaskError` for what a task can't have.
    """
    if model is None and tier is None and not params:
        return task
    given: dict[str, Any] = {}
    for name, value in (params or {}).items():
        _place(given, name, _value(value))
    check_params(given, task.contract)
    plan = yielding(task.plan, given)
    kept = dict(task.params)
    if tier is not None:
        kept.pop("service_tier", None)
        plan = Plan(model=plan.model, effort=plan.effort, verbosity=plan.verbosity, tier=tier)
    if model is not None:
        plan = Plan(effort=plan.effort, verbosity=plan.verbosity, tier=plan.tier)
    changes: dict[str, Any] = {"plan": plan, "params": merged(kept, given)}
    return task.with_(**changes, **({"model": model} if model is not None else {}))


def _place(params: dict[str, Any], name: str, value: Any) -> None:
    *tables, last = name.split(".")
    if not all((*tables, last)):
        raise TaskError(f"'{name}' is no name of a parameter: write key=value, such as reasoning.effort=low")
    for table in tables:
        params = params.setdefault(table, {})
        if not isinstance(params, dict):
            raise TaskError(f"'{name}' can't be set: '{table}' was given a value of its own")
    before = params.get(last)
    params[last] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value


def _value(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return msgspec.json.decode(given)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return given


def _read(path: str | PathLike[str]) -> Definition:
    file = Path(path)
    source = _text(file)
    try:
        document = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise TaskError(_not_toml(file, str(error), source)) from None
    except RecursionError:
        raise TaskError(f"{file}: it is nested too deeply to be a task file") from None
    return checked(file, document, origin_of(str(file), source, document))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise TaskError(f"there is no task file '{file}'{_near(file)}") from None
    except IsADirectoryError:
        raise TaskError(f"'{file}' is a folder: name the task file in it{_near(file / 'task.toml')}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise TaskError(f"can't read the task file '{file}': {reason}") from None
    if len(data) > MAX_BYTES:
        raise TaskError(f"'{file}' is larger than {MAX_BYTES // 1_000_000} MB: is it the data, and not the task?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TaskError(f"{file}:{line}: the file is not UTF-8 text: save it as UTF-8") from None


def _not_toml(file: Path, message: str, source: str) -> str:
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    line = int(found[1]) if found else source.count("\n") + 1
    message = re.sub(r" \(at [^)]*\)$", "", message)
    message = "a key is given twice" if message == "Cannot overwrite a value" else message
    return f"{file}:{line}: this is not TOML: {message[:1].lower()}{message[1:200]}"


def _near(file: Path) -> str:
    try:
        others = sorted(each.name for each in file.parent.iterdir())
    except OSError:
        return f": there is no folder '{file.parent}'"
    near = difflib.get_close_matches(file.name, others, n=1) or [each for each in others if each.endswith(".toml")][:1]
    return f" (did you mean '{file.parent / near[0]}'?)" if near else ""
