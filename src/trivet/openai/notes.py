"""What is noted of each request on its way through the SDK: its tags, its retries, and in the end the call it was."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from trivet.openai.bill import Call

EXTENSION = "trivet"
"""The extension of an `httpx2.Request` under which its note travels; redirects keep it."""

_NONE: Mapping[str, str] = MappingProxyType({})
_tags: ContextVar[Mapping[str, str]] = ContextVar("trivet_tags", default=_NONE)
_calls: dict[int, tuple[weakref.ref[Any], Note]] = {}


class Note:
    """One request's. `layers`: those it goes through.

    `retries`: None leaves them to the layers; `ours`: the layers, and not the SDK, retry it.
    """

    __slots__ = ("__weakref__", "call", "layers", "ours", "retries", "tags")

    def __init__(self, layers: object, retries: int | None, tags: Mapping[str, str]) -> None:
        self.layers = layers
        self.retries = retries
        self.tags = tags
        self.ours = False
        self.call: Call | None = None


@contextmanager
def tags(**named: str) -> Iterator[None]:
    """Tag every call made inside, so that the bill can be told apart: `with tags(feature="search"): ...`."""
    token = _tags.set({**_tags.get(), **named})
    try:
        yield
    finally:
        _tags.reset(token)


def tags_here() -> Mapping[str, str]:
    """The tags of the running context."""
    return _tags.get()


def last(response: object) -> Call | None:
    """What the call behind a response, a stream, a raw response or an SDK error was; None for what is not of trivet.

    Of a stream it is None until its end has been read.
    """
    note = note_of(response)
    return None if note is None else note.call


def remember(made: object, note: Note) -> None:
    """Note what an object of the SDK was made of, as long as it lives; the object itself is left as it is."""
    key = id(made)
    try:
        _calls[key] = weakref.ref(made, lambda _: _calls.pop(key, None)), note
    except TypeError:
        return  # a plain value: text, None


def note_of(made: object) -> Note | None:
    """The note behind anything that the SDK has made of a reply."""
    extensions = getattr(made, "extensions", None)
    if isinstance(extensions, dict):
        note = extensions.get(EXTENSION)
        return note if isinstance(note, Note) else None
    kept = _calls.get(id(made))
    if kept is not None and kept[0]() is made:
        return kept[1]
    for name in ("http_response", "response", "_response", "request", "_raw_stream"):
        inner = getattr(made, name, None)
        if inner is not None and inner is not made:
            found = note_of(inner)
            if found is not None:
                return found
    return None
