"""An instance of a pydantic model.

pydantic is not imported here: the user's class brings it along.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trivet.errors import TaskError
from trivet.tasks.invalid import invalid
from trivet.tasks.json_answer import json_of
from trivet.tasks.schema import format_name, json_schema_format
from trivet.tasks.strict import is_strict, strict


def is_model(output: object) -> bool:
    """Whether this is a pydantic model class."""
    return isinstance(output, type) and callable(getattr(output, "model_validate_json", None))


@dataclass(frozen=True, slots=True, init=False)
class Model:
    """The answer is JSON that the pydantic model takes; the result is an instance of it.

    Sent as the format `json_schema`, in the strict dialect where the model can be put into it. Raises
    `TaskError` for what is no model, or has no JSON Schema.
    """

    model: type[Any]
    schema: dict[str, Any] = field(repr=False, compare=False)
    strict: bool = field(repr=False, compare=False)

    def __init__(self, model: type[Any]) -> None:
        if not is_model(model):
            raise TaskError(f"an output type must be a pydantic model class, not {model!r:.80}")
        try:
            schema = strict(model.model_json_schema())
        except Exception as error:  # noqa: BLE001 - the model is its author's code: anything may come out
            raise TaskError(f"the model {model.__name__} has no JSON Schema: {_short(error)}") from None
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "schema", schema)
        object.__setattr__(self, "strict", is_strict(schema))

    @property
    def labels(self) -> None:
        """A model has no labels."""

    def fields(self) -> dict[str, Any]:
        """The output format to ask the provider for."""
        return json_schema_format(format_name(self.model.__name__), self.schema, strict=self.strict)

    def parse(self, text: str) -> Any:
        """The instance; raises `AnswerError` where the text is no JSON or the model does not take it."""
        try:
            json_of(text)  # stricter than pydantic: duplicate keys and not-a-number are errors
        except ValueError as error:
            raise invalid(f"JSON for the model {self.model.__name__} ({error})", text) from None
        try:
            return self.model.model_validate_json(text)
        except Exception as error:  # noqa: BLE001 - its validators are the user's code: anything may come out
            raise invalid(f"JSON for the model {self.model.__name__} ({_wrong(error)})", text) from None

    def describe(self) -> dict[str, Any]:
        """The model's name and schema, for the task's digest; its validators can't be described."""
        return {"model": f"{self.model.__module__}:{self.model.__qualname__}", "schema": self.schema}


def _wrong(error: Any) -> str:
    """The first complaint of a pydantic error and where it stands, or whatever another error says."""
    if not callable(getattr(error, "errors", None)):
        return _short(error)
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"at {place[:100]}: {first['msg']:.200}" if place else f"{first['msg']:.200}"


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
