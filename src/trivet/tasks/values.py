"""How a value of a row is written in a prompt.

Text is inserted as it is, numbers as Python writes them, true and false as in JSON, lists and tables as
compact JSON. A missing value (null, not-a-number) is written as nothing, as in a form left blank. What has
no text of its own (a function, a generator, a set without an order) is refused: its default Python text
would go to the provider with every row, and some of it would differ from run to run and miss the cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from typing import Any

import msgspec
from jinja2 import Undefined


def written(value: Any) -> Any:
    """The text of a value in a prompt; raises `TypeError` for what has none.

    An undefined value is handed back as it is: writing it is what the template engine complains about.
    """
    if isinstance(value, str | Undefined):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if math.isnan(value) else str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping | list | tuple):
        return as_json(value)
    if _has_no_text(value):
        raise TypeError(f"a value of the type {type(value).__name__} can't be written as text")
    return str(value)


def as_json(value: Any, indent: int | None = None) -> str:
    """Compact JSON, or indented by so many spaces; letters of all scripts as they are."""
    encoded = msgspec.json.encode(dict(value) if isinstance(value, Mapping) else value, enc_hook=str)
    if indent is not None:
        encoded = msgspec.json.format(encoded, indent=min(max(int(indent), 0), 16))
    return encoded.decode()


def _has_no_text(value: Any) -> bool:
    if callable(value) or isinstance(value, Iterator | Set | bytes | bytearray | memoryview):
        return True
    kind: Any = type(value)
    return kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
