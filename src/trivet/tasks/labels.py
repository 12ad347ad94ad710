"""One of a few allowed answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trivet.errors import TaskError
from trivet.tasks.invalid import invalid

_QUOTES = "\"'`´“”„‟‘’‚‛«»‹›"
_EDGES = _QUOTES + "".join(filter(str.isspace, map(chr, range(0x3001))))
_STOPS = (".", "。")
_SHOWN = 5


def folded(text: str) -> str:
    """The text without case, surrounding white space and quotes, and one full stop in or after the quotes."""
    bare = text.strip(_EDGES)
    if bare.endswith(_STOPS):
        bare = bare[:-1].strip(_EDGES)
    return bare.casefold()


@dataclass(frozen=True, slots=True, init=False)
class Labels:
    """The answer is one of these labels; a template can name them as `labels`.

    Recognised through case, white space and quotes around it, and a full stop, and through nothing else; the
    result is the label as it is spelt here. Nothing is added to the request. Raises `TaskError` for a label
    that is empty, no text, or given twice.
    """

    labels: tuple[str, ...]
    _known: dict[str, str] = field(repr=False, compare=False)

    def __init__(self, *labels: str) -> None:
        if not labels:
            raise TaskError("labels need at least one label")
        known: dict[str, str] = {}
        for label in labels:
            if isinstance(label, list | tuple | set | frozenset):
                raise TaskError("labels are given one by one: Labels('a', 'b'), or Labels(*names)")
            if not isinstance(label, str):
                raise TaskError(f"a label must be text, not {type(label).__name__} ({label!r:.40})")
            if not (fold := folded(label)):
                raise TaskError(f"a label must have a name: {label!r:.40} is empty")
            if fold in known:
                other = "" if known[fold] == label else f": answers can't tell it from {known[fold]!r:.40}"
                raise TaskError(f"label {label!r:.40} is given twice{other}")
            known[fold] = label
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "_known", known)

    def fields(self) -> dict[str, Any]:
        """Nothing: the labels are asked for in the prompt's words."""
        return {}

    def parse(self, text: str) -> str:
        """The label that the text names; raises `AnswerError` where it names none."""
        label = self._known.get(folded(text))
        if label is None:
            shown = ", ".join(repr(each) for each in self.labels[:_SHOWN])
            if len(self.labels) == 1:
                raise invalid(f"the label {shown}", text)
            more = ", ..." if len(self.labels) > _SHOWN else ""
            raise invalid(f"one of {len(self.labels)} labels ({shown}{more})", text)
        return label

    def describe(self) -> dict[str, Any]:
        """What the labels are, for the task's digest."""
        return {"labels": list(self.labels)}
