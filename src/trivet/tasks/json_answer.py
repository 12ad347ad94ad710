"""Reading the JSON of an answer, without guessing.

Duplicate keys, not-a-number, infinities, broken Unicode and text around the document are errors, and not
repaired: what such an answer meant is not known.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec


def json_of(text: str) -> Any:
    """The document; raises `ValueError` that says in a few words what is wrong with it."""
    try:
        value = msgspec.json.decode(text)
        json.loads(text, object_pairs_hook=_unique)  # what msgspec takes without a word: duplicate keys
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    except UnicodeError:
        raise ValueError("it is not valid Unicode") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r:.40} is there twice")
