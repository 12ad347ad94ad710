"""What the body of an error says, in whichever of the shapes in use it is written."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from trivet.wire.excerpt import clean

_NAME = re.compile(r"(?!\d+$)[\w.:\-]{1,64}", re.ASCII)
_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^<>]*>", re.I | re.S)
_MESSAGES = ("message", "Message", "detail", "error", "msg", "error_description")
_DEEPEST = 3
_READ = 1 << 12  # bytes of a text or HTML body that are looked at
_WORDS = 300  # characters of the server's words that are quoted


class ErrorDetail(Struct, frozen=True, kw_only=True):
    """The parts of an error body; `message` is one safe line, "" where the server said nothing."""

    message: str = ""
    type: str | None = None
    code: str | None = None
    param: str | None = None
    html: bool = False


def read_error(body: bytes) -> ErrorDetail:
    """The error in a body: the provider's `{"error": {...}}`, or what compatible servers and proxies send.

    Known besides: `{"error": "text"}`, `{"message": ...}`, `{"detail": ...}` with a text or a list of
    validation errors, `{"object": "error", ...}`, a list of one error, HTML, plain text, nothing.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _from_text(body)
    return detail_of(value)


def detail_of(value: Any, depth: int = 0) -> ErrorDetail:
    """The same from decoded JSON; of an event with both an inner `error` and flat fields, the inner one."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, str):
        return ErrorDetail(message=clean(value, _WORDS))
    if not isinstance(value, dict):
        return ErrorDetail()
    inner = value.get("error")
    if isinstance(inner, dict | list) and inner and depth < _DEEPEST:
        return detail_of(inner, depth + 1)
    kind = _name(value.get("type"))
    param = value.get("param")
    return ErrorDetail(
        message=_message(value),
        type=None if kind == "error" else kind,
        code=_name(value.get("code")),
        param=clean(param, 100) if isinstance(param, str) and param else None,
    )


def _message(value: dict[str, Any]) -> str:
    for key in _MESSAGES:
        said = value.get(key)
        if isinstance(said, str) and said:
            return clean(said, _WORDS)
        if isinstance(said, list) and said:
            return clean("; ".join(filter(None, map(_validation_error, said[:3]))), _WORDS)
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            return clean(said["message"], _WORDS)
    return ""


def _validation_error(value: Any) -> str:
    """`{"loc": [...], "msg": ...}`; its `input` is the caller's prompt and stays out of messages."""
    if not isinstance(value, dict) or not isinstance(value.get("msg"), str):
        return ""
    place = value.get("loc")
    where = ".".join(str(step) for step in place[:8]) if isinstance(place, list) else ""
    return f"{where}: {value['msg']}" if where else str(value["msg"])


def _name(value: Any) -> str | None:
    """A code or type; numbers only repeat the HTTP status."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def _from_text(body: bytes) -> ErrorDetail:
    text = body[:_READ].decode("utf-8", "replace").strip("\ufeff \t\r\n")
    html = text.startswith("<")
    return ErrorDetail(message=clean(_TAGS.sub(" ", text) if html else text, _WORDS), html=html)
