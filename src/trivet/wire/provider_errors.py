"""From a reply that is an error to a `ProviderError`: pure, one decision from the table of rules.

An error is *possibly billed* when the provider may have worked for it: one that came inside an answer, and
500, 502, 504 and their like, behind which a model may have run to its end (the documentation does not say,
and a budget has to assume the dearer). Refusals (4xx, 501, 503, 529) came before any work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from trivet.errors import ProtocolError, ProviderError
from trivet.types import Usage
from trivet.wire.error_body import ErrorDetail, detail_of, read_error
from trivet.wire.error_rules import KEY, MISSING, MODEL, URL, Rule, rule_for
from trivet.wire.excerpt import clean
from trivet.wire.headers import rate_limits, retry_after, wait_in

_TOLD_BY_WORDS = (
    (re.compile(r"request too large|must be reduced in order to run", re.I), "request_too_large"),
    (re.compile(r"resource unavailable", re.I), "resource_unavailable"),
    (re.compile(r"maximum context length|exceeds the context window", re.I), "context_length_exceeded"),
)
_WORDS_COUNT = (None, 200, 400, 422, 429)
_MODEL_MISSING = re.compile(r"\bmodel\b.*(?:not exist|not found|not have access|unknown)|unknown model", re.I)
_MODEL_NAME = re.compile(r"\bmodel:?\s+[`'\"]([^`'\"]{1,100})[`'\"]", re.I)
_ITEM_MISSING = re.compile(r"\b[a-z]{2,10}_[0-9a-f]{8,}|\b(?:response|conversation|file|item) with id\b", re.I)
_REFUSED_AT_THE_DOOR = (501, 503, 529)


def raise_for_status(status: int, headers: Mapping[str, str], body: bytes, now: float | None = None) -> None:
    """Raise for every status but 2xx: `ProviderError` from 400 on, else `ProtocolError`."""
    if 200 <= status < 300:
        return
    if status >= 400:
        raise provider_error(status, headers, body, now)
    if 300 <= status < 400:
        raise _redirect(status, headers)
    raise ProtocolError(f"the server answered with HTTP status {status}, which is no answer to a request")


def provider_error(status: int, headers: Mapping[str, str], body: bytes, now: float | None = None) -> ProviderError:
    """The error that a reply of status 400 or above is; `now` (Unix time) only for a Retry-After date.

    `code` is the server's code, else its type, else `http_<status>`; or one of ours for what only the words
    tell: `request_too_large` (larger than the limit of a minute: never succeeds), `resource_unavailable`.
    """
    detail = read_error(body)
    error = _error(status, detail, headers.get("x-request-id"))
    asked = headers.get("x-should-retry", "").strip().lower()
    rule = _rule(status, detail)
    error.retryable = asked == "true" if rule.retry == "no" else rule.retry == "yes" and asked != "false"
    if error.retryable:
        error.retry_after = retry_after(headers, now) or wait_in(detail.message)
    error.limits = rate_limits(headers)
    error.possibly_billed = status >= 500 and status not in _REFUSED_AT_THE_DOOR
    return error


def failure(
    error: bytes, *, status: int | None, request_id: str | None = None, usage: Usage | None = None
) -> ProviderError:
    """The error told inside an answer: the `error` of a failed response, or an event of a stream (JSON).

    `status` is 200 for a whole body and None in a stream. Always possibly billed.
    """
    try:
        detail = detail_of(msgspec.json.decode(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        detail = ErrorDetail()
    found = _error(status, detail, request_id)
    found.retryable = _rule(status, detail).retry == "yes"
    found.retry_after = wait_in(detail.message) if found.retryable else None
    found.possibly_billed = True
    found.usage = usage
    return found


def _error(status: int | None, detail: ErrorDetail, request_id: str | None) -> ProviderError:
    rule = _rule(status, detail)
    in_answer = status is None or status < 400
    code = _code(status, detail) or detail.type or ("server_error" if in_answer else f"http_{status}")
    return ProviderError(
        _sentence(rule, status, code, detail),
        status=status,
        code=code,
        type=detail.type,
        param=detail.param,
        request_id=clean(request_id, 128) if request_id else None,
        fatal=rule.fatal,
    )


def _code(status: int | None, detail: ErrorDetail) -> str | None:
    if status in _WORDS_COUNT:
        for words, code in _TOLD_BY_WORDS:
            if words.search(detail.message):
                return code
    return detail.code


def _rule(status: int | None, detail: ErrorDetail) -> Rule:
    in_answer = status is None or status < 400
    rule = rule_for(None if in_answer else status, _code(status, detail), detail.type)
    if rule is URL and status == 404:
        if _MODEL_MISSING.search(detail.message) or detail.param == "model":
            return MODEL
        if detail.param or _ITEM_MISSING.search(detail.message):
            return MISSING
    return rule


def _sentence(rule: Rule, status: int | None, code: str, detail: ErrorDetail) -> str:
    what = rule.what
    if rule is MODEL and (name := _MODEL_NAME.search(detail.message)):
        what = what.replace("the model", f"the model '{name[1]}'", 1)
    shown = [str(status)] if status is not None and status >= 400 else []
    if code != f"http_{status}":
        shown.append(code)
    if detail.param:
        shown.append(f"in {detail.param}")
    sentence = f"{what} ({' '.join(shown)}): {rule.advice}"
    # A refused key's message is left out: servers echo the key in it, in shapes no mask foresees.
    if not detail.message or rule is KEY:
        return sentence
    source = "an HTML page, perhaps of a proxy, said" if detail.html else "the server said"
    return f"{sentence}; {source}: {detail.message}"


def _redirect(status: int, headers: Mapping[str, str]) -> ProtocolError:
    to = ""
    if location := headers.get("location"):
        try:
            parts = urlsplit(location)
            # Only scheme, host and path: what follows, or stands before the host, may be a secret.
            host = parts.netloc.rpartition("@")[2]
            where = f"{parts.scheme}://{host}{parts.path}" if host else parts.path
            to = f" to {clean(where, 200)}"
        except ValueError:
            to = ""
    error = ProtocolError(
        f"redirects are not followed: the server answered {status}{to}; check base_url",
        retryable=False,
        fatal=True,
    )
    error.possibly_billed = False
    return error
