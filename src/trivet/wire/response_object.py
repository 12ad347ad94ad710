"""The provider's response object, as far as a `Reply` is made of it.

Only what is read is typed, the rest is skipped unparsed; what compatible servers leave out has a default,
but a field of the wrong type is an error, for nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from trivet.errors import ProtocolError, RequestError
from trivet.types import Reply, Usage
from trivet.wire.excerpt import clean, excerpt
from trivet.wire.headers import rate_limits
from trivet.wire.provider_errors import failure

SIMULATED = "x-trivet-simulated"
"""The header by which the simulated provider makes itself known."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for JSON that is broken, wrongly encoded or nested beyond reason."""

_Tokens = Annotated[int, Meta(ge=0, le=2**53)]
_NULL = Raw(b"null")


class _CacheWrites(Struct, gc=False):
    ttl_30m_tokens: _Tokens = 0
    ttl_12h_tokens: _Tokens = 0


class _InputDetails(Struct, gc=False):
    cached_tokens: _Tokens | None = None
    cache_write_tokens: _Tokens | None = None
    cache_write_tokens_details: _CacheWrites | None = None


class _OutputDetails(Struct, gc=False):
    reasoning_tokens: _Tokens | None = None


class _Usage(Struct, gc=False):
    input_tokens: _Tokens | None = None
    output_tokens: _Tokens | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Incomplete(Struct, gc=False):
    reason: str | None = None


class _Item(Struct, gc=False):
    type: str = ""
    phase: str | None = None
    content: Raw = _NULL  # of other items than messages it has shapes of its own


class _Part(Struct, gc=False):
    type: str = ""
    text: str = ""
    refusal: str = ""


class _Response(Struct, gc=False):
    object: str | None = None
    id: str | None = None
    status: str | None = None
    model: str | None = None
    service_tier: str | None = None
    output: list[_Item] | None = None
    error: Raw = _NULL
    incomplete_details: _Incomplete | None = None
    usage: _Usage | None = None


_response = msgspec.json.Decoder(_Response).decode
_parts = msgspec.json.Decoder(list[_Part] | None).decode


def read_response(
    headers: Mapping[str, str], body: bytes, *, http_status: int | None = 200, status: str | None = None
) -> Reply:
    """The reply that a response object (JSON bytes) is; raises `ProviderError` for a failed one.

    `http_status`: of the error raised, None in a stream. `status`: what the response is taken for where it
    does not say itself, by default `completed`, or `incomplete` where it says why it is.
    """
    try:
        response = _response(body)
        if response.object not in (None, "response"):
            raise _other_object(headers, body, response, http_status)
        usage = _usage(response.usage)
        error = bytes(response.error)
        state = response.status or status or _state(response)
        if state == "failed" or (error != b"null" and state == "completed"):
            failed = failure(error, status=http_status, request_id=headers.get("x-request-id"), usage=usage)
            failed.limits = rate_limits(headers)
            raise failed
        if response.output is None:
            raise not_a_response(headers, body, "it has no output")
        text, refusal, has_other = _visible(response.output)
    except UNREADABLE as broken:
        raise not_a_response(headers, body, why(broken)) from None
    return Reply(
        text=text,
        status=state,
        model=response.model or "",
        id=response.id or "",
        reason=_reason(response, error),
        refusal=refusal,
        usage=usage,
        tier=response.service_tier,
        body=body,
        request_id=headers.get("x-request-id"),
        limits=rate_limits(headers),
        simulated=SIMULATED in headers,
        has_other_output=has_other,
    )


def not_a_response(headers: Mapping[str, str], body: bytes, reason: str) -> ProtocolError:
    """The error for a body that is not what was asked for, saying what it is instead."""
    kind = clean(headers.get("content-type", ""), 60) or "none"
    start = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not body.strip():
        return ProtocolError(f"the reply's body is empty (content-type {kind}): try again, or check base_url")
    shown = f"content-type {kind}; it starts {excerpt(start)}"
    if start.startswith(b"<"):
        return ProtocolError(
            f"a web page came for an answer, so this URL does not look like an API: check base_url ({shown})",
            retryable=False,
        )
    return ProtocolError(f"the reply is not a response object: {reason} ({shown})", retryable=not _is_whole(body))


def _is_whole(body: bytes) -> bool:
    """Whether the body is JSON from end to end: then it is what the server meant, and will come again."""
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return True


def why(broken: Exception) -> str:
    """What is wrong with the JSON, in few words."""
    if isinstance(broken, RecursionError):
        return "its JSON is nested too deep"
    if isinstance(broken, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(broken, msgspec.ValidationError):
        return f"a field has the wrong type, {clean(str(broken), 120)}"
    return f"its JSON is broken, {clean(str(broken), 120)}"


def _other_object(
    headers: Mapping[str, str], body: bytes, response: _Response, http_status: int | None
) -> RequestError:
    """Another object under a good status: an error in disguise, or the answer of another API."""
    if response.object == "error" or bytes(response.error) != b"null":
        return failure(body, status=http_status, request_id=headers.get("x-request-id"))
    refused = not_a_response(headers, body, f"it is a {clean(response.object or '', 40)}; check base_url")
    # Every other request would be answered, and billed, in the same wrong form.
    refused.retryable, refused.fatal = False, True
    return refused


def _state(response: _Response) -> str:
    return "incomplete" if response.incomplete_details and response.incomplete_details.reason else "completed"


def _reason(response: _Response, error: bytes) -> str | None:
    if response.incomplete_details and response.incomplete_details.reason:
        return response.incomplete_details.reason
    return failure(error, status=200).code if error != b"null" else None


def _visible(items: list[_Item]) -> tuple[str, str | None, bool]:
    """The answer's text, the refusal, and whether there is output of other kinds."""
    final_only = any(item.phase == "final_answer" for item in items)
    texts: list[str] = []
    refusals: list[str] = []
    has_other = False
    for item in items:
        if item.type != "message":
            has_other = has_other or item.type != "reasoning"
            continue
        if final_only and item.phase == "commentary":
            continue
        for part in _parts(item.content) or ():
            if part.type == "output_text":
                texts.append(part.text)
            elif part.type == "refusal":
                refusals.append(part.refusal)
            else:
                has_other = True
    return "".join(texts), "".join(refusals) if refusals else None, has_other


def _usage(usage: _Usage | None) -> Usage | None:
    """None where it can't be billed by: a total is missing, or parts of the input exceed the whole."""
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    details = usage.input_tokens_details or _InputDetails()
    writes = details.cache_write_tokens_details or _CacheWrites(details.cache_write_tokens or 0)
    cached = details.cached_tokens or 0
    if cached + writes.ttl_30m_tokens + writes.ttl_12h_tokens > usage.input_tokens:
        return None
    reasoning = usage.output_tokens_details and usage.output_tokens_details.reasoning_tokens
    return Usage(
        input=usage.input_tokens,
        cached_input=cached,
        cache_write=writes.ttl_30m_tokens,
        cache_write_12h=writes.ttl_12h_tokens,
        output=usage.output_tokens,
        reasoning=reasoning or 0,
    )
