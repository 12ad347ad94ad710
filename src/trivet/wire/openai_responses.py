"""The OpenAI Responses dialect: a request's fields to bytes, a reply's bytes to a `Reply`.

The body is written as `head + tail`. `head` holds every field that can change the answer, so the cache key
is the hash of a prefix of the very bytes that are sent; `tail` holds the few that are proven neutral. A
field that nobody has heard of goes to the head: at worst an answer is asked for twice, never a wrong one
given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from trivet.errors import UsageError
from trivet.types import Reply
from trivet.wire.excerpt import clean
from trivet.wire.provider_errors import raise_for_status
from trivet.wire.response_object import read_response

PATH = "/responses"

NEUTRAL = (
    "stream",  # how the answer is delivered, not what it says
    "stream_options",  # padding of the stream's events
    "metadata",  # labels kept beside the response
    "user",  # whose request it is, for the provider's abuse checks
    "safety_identifier",  # the same under its newer name
    "prompt_cache_key",  # which machine's prompt cache is looked at: price and speed only
    "prompt_cache_options",  # what is written to the prompt cache, and for how long
    "prompt_cache_retention",  # how long the prompt cache keeps it
    "service_tier",  # price and speed; the same model answers
)
"""Fields proven neutral to the answer, in the order they are sent. Source: the provider's documentation."""

_NEUTRAL_PARTS = {
    "stream_options": frozenset({"include_obfuscation"}),
    # Not `prewarm`: it asks for no output at all, so it is no way to ask the same question.
    "prompt_cache_options": frozenset({"mode", "ttl", "comparison_response_id"}),
}
_FIRST = ("model", "instructions", "input", "text", "reasoning", "max_output_tokens")
_PLACED = frozenset(_FIRST + NEUTRAL)
_SCALARS = frozenset({str, int, bool, type(None), msgspec.Raw})


def _base_form(value: object) -> str | int | float:
    """Subclasses of plain types (NumPy's floats, template markup) as what they are beneath."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    raise TypeError


_json = msgspec.json.Encoder(enc_hook=_base_form).encode


def encode(fields: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The request's body as `(head, tail)`, whose concatenation is one compact JSON object.

    Top-level fields go in one fixed order and nothing below them is reordered: the order of a schema's
    properties is part of the question. What is given is sent, None as null. A `msgspec.Raw` anywhere is
    taken for JSON encoded before. Raises `UsageError`, naming the field, for what JSON can't carry.
    """
    names = [name for name in _FIRST if name in fields]
    if len(names) < len(fields):
        names += sorted(name for name in fields if name not in _PLACED)
    head = {name: fields[name] for name in names}
    tail: dict[str, Any] = {}
    for name in NEUTRAL:
        if name in fields:
            value = fields[name]
            (tail if _is_neutral(name, value) else head)[name] = value
    try:
        if not (_is_plain(head) and _is_plain(tail)):
            raise _unfit(fields)
        opening, closing = _json(head)[:-1], _json(tail)[1:]
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise _unfit(fields) from None
    return opening, b"," + closing if head and tail else closing


def decode(status: int, headers: Mapping[str, str], body: bytes, now: float | None = None) -> Reply:
    """The `Reply` of a whole HTTP reply that came at `now` (Unix time); header names are lower-case.

    Raises `ProviderError` for statuses from 400 on and for a response that failed, `ProtocolError` for
    what is not a response object: a web page, broken JSON, another API's answer, a redirect.
    """
    raise_for_status(status, headers, body, now)
    return read_response(headers, body)


def _is_neutral(name: str, value: object) -> bool:
    parts = _NEUTRAL_PARTS.get(name)
    return parts is None or value is None or (isinstance(value, dict) and parts.issuperset(value))


def _is_plain(value: object) -> bool:
    """Whether JSON has a form for it; msgspec alone would turn NaN to null, sets to lists, bytes to text."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str or not (type(item) in _SCALARS or _is_plain(item)):
                return False
        return True
    if isinstance(value, list | tuple):
        return all(type(item) in _SCALARS or _is_plain(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int)


def _unfit(fields: Mapping[str, Any]) -> UsageError:
    """The error that names what can't be sent; only looked for once something can't."""
    for name, value in fields.items():
        if type(name) is not str:
            return UsageError(f"the request has a field named {clean(repr(name), 40)}: names are text")
        try:
            found = next(_faults(value, name), None)
        except RecursionError:
            found = name, "it is nested too deep"
        if found:
            return UsageError(f"the request's field {clean(found[0], 120)} can't be sent as JSON: {found[1]}")
    return UsageError("the request can't be sent as JSON: use plain dicts, lists, text and numbers")


def _faults(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                yield place, f"its key {clean(repr(key), 40)} is not text"
            elif not _is_encodable(key):
                yield place, "a key holds half of a surrogate pair"
            yield from _faults(item, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _faults(item, f"{place}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield place, f"{value} is not a JSON number"
    elif isinstance(value, str) and not _is_encodable(value):
        yield place, "its text holds half of a surrogate pair, which is not valid Unicode"
    elif not isinstance(value, msgspec.Raw) and not _is_encodable(value):
        yield place, f"a {type(value).__name__} has no form in JSON"


def _is_encodable(value: object) -> bool:
    try:
        return _is_plain(value) and bool(_json(value))
    except (TypeError, ValueError):
        return False
