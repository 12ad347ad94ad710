"""A task file changed in one place, with every comment and blank line of it kept."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from trivet.errors import MissingExtra, TaskError
from trivet.tasks import file as task_file
from trivet.tasks.task import Task

_TWICE = {
    ("plan", "effort"): (("params", "reasoning", "effort"),),
    ("plan", "verbosity"): (("params", "text", "verbosity"),),
    ("plan", "tier"): (("params", "service_tier"),),
    ("params", "reasoning", "effort"): (("plan", "effort"),),
    ("params", "text", "verbosity"): (("plan", "verbosity"),),
    ("params", "service_tier"): (("plan", "tier"),),
    ("model",): (("plan", "model"),),
}
"""What is said in two places is taken from the other one."""


def write(
    path: Path, variant: str | None, place: tuple[str, ...], value: Any, *, wanted: Task, allow_code: bool = False
) -> None:
    """Set one key of a task file, or of one of its variants, so that it says the task that is `wanted`.

    The file is replaced at once, and only by one that does. Raises `TaskError`, and `MissingExtra`.
    """
    toml = _toml()
    try:
        document = toml.parse(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise TaskError(f"{path} can't be changed: {error}") from None
    tables = () if variant is None else ("variants", variant)
    for other in _TWICE.get(place, ()):
        _remove(document, (*tables, *other))
    _set(toml, document, (*tables, *place), value)
    _replace(path, toml.dumps(document), variant, wanted, allow_code=allow_code)


def ready() -> None:
    """`MissingExtra` where a task file could not be changed: to be asked before any spend."""
    _toml()


def _toml() -> Any:
    try:
        return importlib.import_module("tomlkit")
    except ImportError:
        raise MissingExtra("changing a task file with its comments kept", "lab") from None


def _set(toml: Any, document: MutableMapping[str, Any], place: tuple[str, ...], value: Any) -> None:
    *tables, last = place
    found: Any = document
    for name in tables:
        if name not in found:
            found[name] = toml.table()
        found = found[name]
        if not isinstance(found, MutableMapping):
            raise TaskError(f"{'.'.join(place)} can't be set: {name} has a value of its own")
    if isinstance(value, str) and "\n" in value:
        value = _block(toml, value)
    found[last] = value


def _block(toml: Any, text: str) -> Any:
    """A text of several lines, from the line after its quotes on."""
    made = toml.string(text, multiline=True)
    if text.startswith("\n"):
        return made  # the library does so itself
    written = "\n" + made.as_string()[3:-3]
    return toml.items.String(toml.items.StringType.MLB, text, written, made.trivia)


def _remove(document: MutableMapping[str, Any], place: tuple[str, ...]) -> None:
    *tables, last = place
    found: Any = document
    for name in tables:
        found = found.get(name) if isinstance(found, MutableMapping) else None
    if isinstance(found, MutableMapping) and last in found:
        del found[last]
        if not found and tables:
            _remove(document, tuple(tables))


def _replace(path: Path, text: str, variant: str | None, wanted: Task, *, allow_code: bool) -> None:
    target = Path(os.path.realpath(path))
    handle, other = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=".toml")
    new = Path(other)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        new.chmod(target.stat().st_mode & 0o7777)
        made = task_file.load(new, variant, allow_code=allow_code)
        if (made.digest, made.plan) != (wanted.digest, wanted.plan):
            raise TaskError("the file would not say what was measured")
        new.replace(target)
    except TaskError as error:
        raise TaskError(f"{path} was left as it is: {error}; change it by hand") from None
    finally:
        new.unlink(missing_ok=True)
