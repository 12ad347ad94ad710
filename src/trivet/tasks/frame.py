"""A request's body whose constant parts are encoded once, for templates that insert columns as they are.

    head = part[0] + escaped(row[column[0]]) + part[1] + ... + part[n]

JSON escapes each character by itself, so the pieces of a text may be escaped apart: the bytes are those of the body
rendered and encoded as a whole. A row that is out of the ordinary is left to that general way, and to its messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from trivet.errors import UsageError
from trivet.tasks.template import Template
from trivet.tasks.values import written
from trivet.types import Request
from trivet.wire.cacheable import cacheable
from trivet.wire.openai_responses import encode

_HOLE = Raw(b"\0")  # no JSON holds this byte
_ORDINARY = frozenset({str, int, float, bool, type(None)})

_json = msgspec.json.Encoder().encode


class Frame(Struct, frozen=True, kw_only=True):
    """What all requests of a task to one model have in common; `characters`: of the constant text."""

    parts: tuple[bytes, ...]
    columns: tuple[str, ...]
    tail: bytes
    characters: int
    model: str
    max_output: int | None
    tier: str | None
    cacheable: bool

    def request(self, row: Mapping[str, Any], shared: bool, given: dict[str, Any]) -> Request | None:
        """The request for a row, with what is `given` for it; None for a row to be looked at more closely.

        `shared`: whether its answer may come from the cache.
        """
        if type(row) is not dict:
            return None
        pieces = [self.parts[0]]
        characters = self.characters
        try:
            for column, part in zip(self.columns, self.parts[1:], strict=True):
                value = row[column]
                if type(value) is not str:
                    if type(value) not in _ORDINARY:
                        return None
                    value = written(value)
                characters += len(value)
                pieces += (_json(value)[1:-1], part)
        except (LookupError, ValueError):
            return None
        return Request(
            head=b"".join(pieces),
            tail=self.tail,
            model=self.model,
            max_output=self.max_output,
            tier=self.tier,
            cacheable=shared and self.cacheable,
            characters=characters,
            **given,
        )


def frame_of(fields: Mapping[str, Any], prompt: Template, instructions: Template | None) -> Frame | None:
    """The frame of a body's other fields around these templates; None where they do more than insert columns."""
    templates = [("instructions", instructions)] if instructions is not None else []
    templates.append(("input", prompt))  # the order in which they are sent
    layouts = [template.layout for _, template in templates if template is not None]
    if any(layout is None for layout in layouts) or prompt.layout is None or not _holds_text(prompt.layout[0]):
        return None
    try:
        head, tail = encode({**fields, **{name: _HOLE for name, _ in templates}})
        parts, columns = _woven(head.split(b"\0"), [layout for layout in layouts if layout is not None])
    except (UsageError, ValueError):
        return None
    return Frame(
        parts=tuple(parts),
        columns=tuple(columns),
        tail=tail,
        characters=sum(len(text) for layout in layouts if layout is not None for text in layout[0]),
        model=fields["model"],
        max_output=fields.get("max_output_tokens"),
        tier=fields.get("service_tier"),
        cacheable=cacheable({**fields, "input": ""}),
    )


def _holds_text(constants: Sequence[str]) -> bool:
    """Whether no row can make an empty prompt of it."""
    return any(text and not text.isspace() for text in constants)


def _woven(
    around: Sequence[bytes], layouts: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]
) -> tuple[list[bytes], list[str]]:
    """The constant parts of the head, and the columns between them."""
    parts, columns = [around[0]], list[str]()
    for (constants, names), after in zip(layouts, around[1:], strict=True):
        escaped = [_json(text)[1:-1] for text in constants]
        parts[-1] += b'"' + escaped[0]
        parts += escaped[1:]
        parts[-1] += b'"' + after
        columns += names
    return parts, columns
