"""What a task file's document may hold, and the task that it describes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from trivet.errors import TaskError
from trivet.tasks.code import imported_model
from trivet.tasks.fields import merged
from trivet.tasks.json_answer import json_of
from trivet.tasks.labels import Labels
from trivet.tasks.near import did_you_mean
from trivet.tasks.output import Contract
from trivet.tasks.plan import Plan
from trivet.tasks.schema import Schema
from trivet.tasks.text import Text
from trivet.tasks.where import Origin, located

MAX_SCHEMA_BYTES = 16_000_000

_TEXTS = ("model", "instructions", "prompt")
_TABLES = ("output", "params", "cache", "plan")
_TASK = (*_TEXTS, *_TABLES)
_FILE = (*_TASK, "base", "variants")
_OUTPUT = ("labels", "schema", "type", "text")
_TEXT = ("sentences", "bullets", "max_words", "max_chars")
_HOMES = {
    **dict.fromkeys(_OUTPUT, "[output]"),
    **dict.fromkeys(("normalise", "version"), "[cache]"),
    **dict.fromkeys(("effort", "verbosity", "tier"), "[plan]"),
    **dict.fromkeys(("max_output_tokens", "temperature", "top_p", "reasoning", "metadata", "store"), "[params]"),
}


class Definition(Struct, frozen=True, kw_only=True):
    """A task file's document, checked for its shape, and where it came from. `base`: the task's own name."""

    path: Path
    document: Mapping[str, Any]
    origin: Origin
    base: str


def checked(path: Path, document: Mapping[str, Any], origin: Origin) -> Definition:
    """The definition that a document holds; raises `TaskError` for what is unknown or of the wrong type."""
    _check_keys(document, "", _FILE, origin)
    _check_task(document, "", origin)
    base = document.get("base", "base")
    if not isinstance(base, str) or not base.strip():
        raise _wrong(origin, "base", "must be text: what the task itself is called among its variants")
    options = document.get("variants", {})
    if not isinstance(options, dict):
        raise _wrong(origin, "variants", "must be tables: [variants.NAME]")
    for name, variant in options.items():
        key = f"variants.{name}"
        if not isinstance(variant, dict):
            raise _wrong(origin, key, f"must be a table: [variants.{name}]")
        if name in ("base", base):
            raise TaskError(
                f"{origin.place(key)}: the variant '{name}' has the task's own name: call it something else"
            )
        _check_keys(variant, f"{key}.", _TASK, origin)
        _check_task(variant, f"{key}.", origin)
    return Definition(path=path, document=document, origin=origin, base=base)


def names(definition: Definition) -> list[str]:
    """The task's own name, then those of its variants in file order."""
    return [definition.base, *definition.document.get("variants", {})]


def of_variant(definition: Definition, name: str | None) -> Definition:
    """The definition with a variant's differences worked in; None, "base" and its own name are the task."""
    origin, document = definition.origin, definition.document
    own = {key: value for key, value in document.items() if key in _TASK}
    if name in (None, "base", definition.base):
        return Definition(path=definition.path, document=own, origin=origin, base=definition.base)
    variant = document.get("variants", {}).get(name)
    if variant is None:
        known = names(definition)
        raise TaskError(
            f"{origin.file}: there is no variant '{name}'{did_you_mean(str(name), known)}: it has {', '.join(known)}"
        )
    if "output" in variant:
        own.pop("output", None)
    return Definition(
        path=definition.path,
        document=merged(own, variant),
        origin=_origin_of_variant(origin, f"variants.{name}.", variant),
        base=definition.base,
    )


def build(definition: Definition, *, allow_code: bool) -> dict[str, Any]:
    """The arguments of `Task` for a definition without variants; raises `TaskError`."""
    document, origin = definition.document, definition.origin
    if "prompt" not in document:
        raise TaskError(f'{origin.file}: there is no prompt{_misplaced(origin)}: write prompt = """..."""')
    cache = document.get("cache", {})
    plan = document.get("plan", {})
    for option, value in plan.items():
        with located(origin, f"plan.{option}"):
            Plan.of({option: value})
    return {
        "prompt": document["prompt"],
        "instructions": document.get("instructions"),
        "model": document.get("model"),
        "output": _contract(definition, allow_code=allow_code),
        "params": document.get("params", {}),
        "plan": Plan.of(plan),
        "cache_version": cache.get("version", 0),
        "normalise": cache.get("normalise", False),
        "name": definition.path.stem,
        "origin": origin,
    }


def _check_keys(table: Mapping[str, Any], path: str, known: Iterable[str], origin: Origin) -> None:
    for key in table:
        if key in known:
            continue
        home = _HOMES.get(key) if not path or path.startswith("variants.") else None
        if home is not None:
            hint = f": it belongs under {home.replace('[', f'[{path}', 1)}"
        elif key in _FILE:
            hint = ": it belongs above the first [section]"
        else:
            hint = f"{did_you_mean(key, known)}: known here are {', '.join(known)}"
        raise TaskError(f"{origin.place(path + key)}: unknown key '{path}{key}'{hint}")


def _check_task(table: Mapping[str, Any], path: str, origin: Origin) -> None:
    for key in _TEXTS:
        if key in table and not isinstance(table[key], str):
            raise _wrong(origin, f"{path}{key}", f"must be text, not {_kind(table[key])}")
    for key in _TABLES:
        if key in table and not isinstance(table[key], dict):
            raise _wrong(origin, f"{path}{key}", f"must be a table, not {_kind(table[key])}: [{path}{key}]")
    _check_keys(table.get("cache", {}), f"{path}cache.", ("normalise", "version"), origin)
    _check_output(table.get("output"), f"{path}output", origin)


def _check_output(output: dict[str, Any] | None, path: str, origin: Origin) -> None:
    if output is None:
        return
    _check_keys(output, f"{path}.", _OUTPUT, origin)
    if len(output) != 1:
        which = " and ".join(output) or "nothing"
        raise _wrong(origin, path, f"must have one of {', '.join(_OUTPUT)}, and it has {which}")
    kind, value = next(iter(output.items()))
    key = f"{path}.{kind}"
    if kind == "labels" and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        raise _wrong(origin, key, "must be a list of strings")
    if kind == "schema" and not isinstance(value, str | dict):
        raise _wrong(origin, key, "must be the name of a JSON Schema file, or a table")
    if kind == "type" and not isinstance(value, str):
        raise _wrong(origin, key, "must be text such as 'package.module:Model'")
    if kind == "text":
        if value is not True and not isinstance(value, dict):
            raise _wrong(origin, key, "must be true, or a table such as {sentences = 1}")
        if isinstance(value, dict):
            _check_keys(value, f"{key}.", _TEXT, origin)


def _contract(definition: Definition, *, allow_code: bool) -> Contract:
    output: dict[str, Any] = definition.document.get("output", {"text": True})
    kind, value = next(iter(output.items()))
    folder = definition.path.parent
    with located(definition.origin, f"output.{kind}"):
        if kind == "labels":
            return Labels(*value)
        if kind == "schema":
            return Schema(_schema(folder / value) if isinstance(value, str) else value)
        if kind == "text":
            return Text() if value is True else Text(**value)
        if not allow_code:
            raise TaskError(f"type = {value!r:.80} imports code: pass --allow-code if you trust this file")
        return imported_model(value, folder)


def _schema(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SCHEMA_BYTES + 1)
        if len(data) > MAX_SCHEMA_BYTES:
            raise TaskError(f"the schema file '{path}' is larger than {MAX_SCHEMA_BYTES // 1_000_000} MB")
        return json_of(data.decode("utf-8-sig"))
    except OSError as error:
        raise TaskError(f"can't read the schema file '{path}': {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise TaskError(f"the schema file '{path}' is not UTF-8 text: save it as UTF-8") from None
    except ValueError as error:
        raise TaskError(f"the schema file '{path}' is no JSON: {error}") from None


def _origin_of_variant(origin: Origin, prefix: str, variant: Mapping[str, Any]) -> Origin:
    """The lines as they are for the variant: its own keys where it has them, else the task's."""
    base = origin.without(*[key for key in _TEXTS if key in variant], *(["output"] if "output" in variant else []))

    def own(lines: Mapping[str, int]) -> dict[str, int]:
        return {key.removeprefix(prefix): line for key, line in lines.items() if key.startswith(prefix)}

    return Origin(
        file=origin.file, lines={**base.lines, **own(origin.lines)}, texts={**base.texts, **own(origin.texts)}
    )


def _misplaced(origin: Origin) -> str:
    for key in origin.lines:
        if key.endswith(".prompt") and not key.startswith("variants."):
            return f" (the one at line {origin.lines[key]} stands under [{key.removesuffix('.prompt')}])"
    return ""


def _wrong(origin: Origin, key: str, message: str) -> TaskError:
    return TaskError(f"{origin.place(key)}: {key} {message}")


def _kind(value: Any) -> str:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
        str: "text",
    }
    return kinds.get(type(value), "a date or time")
