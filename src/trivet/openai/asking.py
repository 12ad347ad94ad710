"""From an HTTP request of the SDK to what the layers need to know of it. The request itself is sent as it is.

The key is made of the body in the one order that trivet uses, so that neither the order of arguments nor trivet's own
client makes a difference; of the query; and of every header that nobody has proven neutral.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from trivet.errors import SettingsError, UsageError
from trivet.keys import Keys
from trivet.settings import Endpoint
from trivet.tasks.answer import problem
from trivet.types import Reply, Request
from trivet.wire import openai_chat, openai_responses
from trivet.wire.cacheable import cacheable, chat_cacheable

Dialect = Literal["responses", "chat"]

_NEUTRAL = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "api-key",  # whose account it is: like `authorization`, never part of a key
        "authorization",
        "baggage",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "idempotency-key",
        "openai-organization",  # part of the scope
        "openai-project",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-client-request-id",
        "x-request-id",
    }
)
_STAINLESS = "x-stainless-"
_FREE = ("/input_tokens", "/cancel", "/files", "/moderations", "/conversations", "/uploads", "/parts", "/complete")
_LARGEST = 32 * 1024 * 1024  # bytes of a body that is looked into

_fields = msgspec.json.Decoder(dict[str, Any]).decode


class Asked(Struct, frozen=True, kw_only=True):
    """What a request asks for. `dialect`: None where the answer is not looked into as one of a model.

    `streamed`: as an event stream, `with_usage`: with its usage at the end; `whole`: the body is in memory, so that it
    can be sent again.
    """

    request: Request
    dialect: Dialect | None = None
    streamed: bool = False
    with_usage: bool = True
    whole: bool = True


def asked(method: str, url: str, path: str, query: str, named: Mapping[str, str], body: bytes | None) -> Asked:
    """What an HTTP request asks for.

    `url`: scheme, host and port; `path`: without the query; `named`: the headers by their lower-case names; `body`:
    None where it is not in memory.
    """
    fields = _read(named, body)
    dialect = _dialect(method, path) if fields is not None else None
    if fields is None or dialect is None:
        return _other(method, path, fields or {}, body)
    try:
        head, tail = (openai_chat if dialect == "chat" else openai_responses).encode(fields)
    except UsageError:
        return _other(method, path, fields, body)
    streamed = fields.get("stream") is True
    options = fields.get("stream_options")
    with_usage = dialect == "responses" or (isinstance(options, dict) and options.get("include_usage") is True)
    alone = dialect == "chat" and streamed and not with_usage
    request = Request(
        head=head,
        tail=tail,
        model=_text(fields.get("model")),
        accept=_accept if alone or dialect == "responses" else _accept_with_usage,
        path=path,
        max_output=_cap(fields),
        tier=fields.get("service_tier") if isinstance(fields.get("service_tier"), str) else None,
        cacheable=(chat_cacheable if dialect == "chat" else cacheable)(fields),
        choices=_choices(fields),
        apart=b"stream" if alone else b"",
    )
    if request.cacheable:
        key = _key(request, url, path, query, named)
        request = msgspec.structs.replace(request, key=key or b"", cacheable=key is not None)
    return Asked(request=request, dialect=dialect, streamed=streamed, with_usage=with_usage)


def _read(headers: Mapping[str, str], body: bytes | None) -> dict[str, Any] | None:
    if not body or len(body) > _LARGEST or "json" not in headers.get("content-type", ""):
        return None
    try:
        return _fields(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _dialect(method: str, path: str) -> Dialect | None:
    if method != "POST":
        return None
    if path.endswith(openai_responses.PATH):
        return "responses"
    return "chat" if path.endswith(openai_chat.PATH) else None


def _other(method: str, path: str, fields: Mapping[str, Any], body: bytes | None) -> Asked:
    free = method != "POST" or path.endswith(_FREE)
    request = Request(
        head=body or b"",
        tail=b"",
        model=_text(fields.get("model")),
        accept=_accept,
        path=path,
        tier="flex" if fields.get("service_tier") == "flex" else None,
        cacheable=False,
        free=free,
    )
    return Asked(request=request, whole=body is not None, streamed=fields.get("stream") is True)


def _key(request: Request, url: str, path: str, query: str, headers: Mapping[str, str]) -> bytes | None:
    """The key; None where no server can be named."""
    suffix = openai_chat.PATH if path.endswith(openai_chat.PATH) else openai_responses.PATH
    keys = _keys(url + path.removesuffix(suffix), headers.get("openai-organization"), headers.get("openai-project"))
    if keys is None:
        return None
    told = sorted(
        f"\n{name}: {value}"
        for name, value in headers.items()
        if name not in _NEUTRAL and not name.startswith(_STAINLESS)
    )
    place = f"{suffix}?{query}" if query else suffix
    return keys.key(msgspec.structs.replace(request, path=place, head=request.head + "".join(told).encode()))


_simulated: dict[str, str] = {}


def name_simulated(base_url: str, identity: str) -> None:
    """Have answers of a simulated provider kept under what it is: another of its kind, on another port, finds them."""
    _simulated[base_url.rstrip("/")] = identity


@lru_cache(maxsize=256)
def _keys(base_url: str, organization: str | None, project: str | None) -> Keys | None:
    try:
        return Keys(
            Endpoint(base_url=base_url, organization=organization, project=project, simulated=_simulated.get(base_url))
        )
    except SettingsError:
        return None


def _cap(fields: Mapping[str, Any]) -> int | None:
    for name in ("max_output_tokens", "max_completion_tokens", "max_tokens"):
        value = fields.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _choices(fields: Mapping[str, Any]) -> int:
    n = fields.get("n")
    return n if isinstance(n, int) and n > 1 else 1


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _accept(reply: Reply) -> str | None:
    wrong = problem(reply, None)
    return None if wrong is None else wrong.code


def _accept_with_usage(reply: Reply) -> str | None:
    """Of a stored stream that told no usage, nothing can be made that tells it."""
    return _accept(reply) or ("no_usage" if reply.usage is None else None)
