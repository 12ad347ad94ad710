"""Output contracts: what an answer must be to count as a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from trivet.errors import TaskError
from trivet.tasks.labels import Labels
from trivet.tasks.model import Model, is_model
from trivet.tasks.schema import Schema
from trivet.tasks.text import Text

__all__ = ["Contract", "Labels", "Model", "Schema", "Text", "contract_of", "to_jsonable"]


@runtime_checkable
class Contract(Protocol):
    """What a task asks its answers to be."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The allowed answers, which templates know as `labels`; None where they are not a fixed few."""
        ...

    def fields(self) -> dict[str, Any]:
        """What the contract adds to the body of a request."""
        ...

    def parse(self, text: str) -> Any:
        """The result that the text holds; raises `AnswerError` (`invalid_output`) where it holds none."""
        ...

    def describe(self) -> dict[str, Any]:
        """Everything that decides what is accepted, as JSON: a part of the task's digest."""
        ...


def contract_of(output: Any) -> Contract:
    """The contract that a task's `output` stands for.

    A contract itself, a JSON Schema dict, a pydantic model class, or `str` or None for free text. Raises
    `TaskError` for anything else.
    """
    if output is None or output is str:
        return Text()
    if is_model(output):
        return Model(output)
    if isinstance(output, Mapping):
        return Schema(output)
    if isinstance(output, Contract) and not isinstance(output, type):
        return output
    if isinstance(output, list | tuple | set | frozenset):
        raise TaskError("for a choice of answers, write output=Labels('a', 'b')")
    raise TaskError(
        f"output can't be {output!r:.80}: use Labels(...), Text(...), a JSON Schema dict, a pydantic model "
        "class, or str"
    )


def to_jsonable(value: Any) -> Any:
    """A result as JSON can hold it: a pydantic instance becomes a dict, all others are so already."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) and not isinstance(value, type) else value
