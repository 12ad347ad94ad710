"""A JSON document that fits a JSON Schema."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from trivet.errors import TaskError
from trivet.tasks.invalid import invalid
from trivet.tasks.json_answer import json_of
from trivet.tasks.strict import is_strict

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, init=False)
class Schema:
    """The answer is JSON that fits the schema; the result is the document.

    Sent as the format `json_schema`, strict where the schema keeps to the strict dialect. `name` is what the
    provider calls it (1 to 64 of a-z, A-Z, 0-9, _ and -), else made from the schema's title. Raises
    `TaskError` for a schema that is none, or that refers to another document: nothing is fetched.
    """

    schema: dict[str, Any]
    name: str
    strict: bool
    _validator: jsonschema_rs.Validator = field(repr=False, compare=False)

    def __init__(self, schema: Mapping[str, Any], *, name: str | None = None) -> None:
        if not isinstance(schema, Mapping):
            raise TaskError(f"a schema must be a JSON object, not {type(schema).__name__}")
        if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise TaskError(f"the schema's name must be 1 to 64 of a-z, A-Z, 0-9, _ and -, not {name!r:.80}")
        object.__setattr__(self, "_validator", _compiled(dict(schema)))
        own = copy.deepcopy(dict(schema))
        object.__setattr__(self, "schema", own)
        object.__setattr__(self, "name", name or format_name(own.get("title")))
        object.__setattr__(self, "strict", is_strict(own))

    @property
    def labels(self) -> None:
        """A document has no labels."""

    def fields(self) -> dict[str, Any]:
        """The output format to ask the provider for."""
        return json_schema_format(self.name, self.schema, strict=self.strict)

    def parse(self, text: str) -> Any:
        """The document; raises `AnswerError` where it is no JSON or does not fit."""
        try:
            value = json_of(text)
        except ValueError as error:
            raise invalid(f"JSON that fits the schema '{self.name}' ({error})", text) from None
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            wrong = f"{_path(error.instance_path)}{error.message:.200}"
            raise invalid(f"JSON that fits the schema '{self.name}' ({wrong})", text) from None
        except ValueError as error:
            raise invalid(f"JSON that fits the schema '{self.name}' ({error!s:.200})", text) from None
        return value

    def describe(self) -> dict[str, Any]:
        """What the schema is, for the task's digest."""
        return {"schema": self.schema, "name": self.name}


def json_schema_format(name: str, schema: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """The request's `text.format` for a schema (source: the provider's API reference)."""
    return {"text": {"format": {"type": "json_schema", "name": name, "strict": strict, "schema": schema}}}


def format_name(title: object) -> str:
    """A name that the provider takes, made from a title."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_") if isinstance(title, str) else ""
    return plain[:64] or "output"


def _compiled(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(schema, offline=True)
    except jsonschema_rs.ValidationError as error:
        if "Retrieval is disabled" in error.message or "external resources" in error.message:
            url = re.search(r"'([^']*)'", error.message)
            raise TaskError(
                f"the schema refers to another document ({url[1] if url else '?'}), and nothing is fetched: "
                "copy it into $defs"
            ) from None
        raise TaskError(f"not a valid JSON Schema: {_path(error.instance_path)}{error.message:.200}") from None
    except (ValueError, RecursionError) as error:
        raise TaskError(f"not a valid JSON Schema: {error!s:.200}") from None


def _path(parts: list[str | int]) -> str:
    """Where in a document: "at items[2].price: "."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"at {path.removeprefix('.')[:100]}: " if path else ""
