"""A record as one line of JSON, in flat fields with the names of OpenTelemetry's conventions where they have one.

The names are those of the semantic conventions for generative AI (status: development), as on the spans of `telemetry`.
Every line begins with the version of the schema, because a run may be taken up by a newer trivet than began it. Within
a version fields are only ever added; lines of version 1, which named none, are read as they were. What is the same in a
record and in its only attempt, as with most, is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from trivet.errors import RunError
from trivet.records import Failure, Record
from trivet.types import Attempt, RateLimits, Source, Usage

VERSION = 2

# one object each: what is the default itself is left out of a line
_ZERO = Decimal(0)
_NO_TIME = 0.0
_OK = 200

_NAMES = {
    "error": "error.type",
    "message": "error.message",
    "asked_model": "gen_ai.request.model",
    "model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
    "tier": "openai.response.service_tier",
    "input_tokens": "gen_ai.usage.input_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "written_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "written_12h_tokens": "cache_creation_12h_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "status": "http.response.status_code",
    "cost": "cost_usd",
    "saved": "saved_usd",
    "latency": "latency_s",
    "queued": "queued_s",
    "ttft": "ttft_s",
    "exchange": "exchange_s",
    "began": "began_s",
}


class AttemptLine(Struct, frozen=True, omit_defaults=True, rename=_NAMES):
    """One attempt of a record that can't tell of it by itself; see `Attempt`. No `input_tokens`: no usage is known."""

    latency: float
    status: int | None = None
    error: str | None = None
    ttft: float | None = None
    queued: float = _NO_TIME
    request_id: str | None = None
    input_tokens: int | None = None
    cached_tokens: int = 0
    written_tokens: int = 0
    written_12h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Decimal | None = _ZERO
    possibly_billed: bool = False
    began: float | None = None


class RecordLine(Struct, frozen=True, omit_defaults=True, tag_field="v", tag=VERSION, rename=_NAMES):
    """One record; see `Record`. `exchange`: the latency of its only attempt, where all else of that stands here.

    `written_tokens`: for whichever time, `written_12h_tokens` of them for 12 hours.
    """

    n: int
    id: int | str | None = None
    output: Any | UnsetType = UNSET
    error: str | None = None
    message: str = ""
    text: str | None = None
    kept: dict[str, Any] | None = None
    tags: dict[str, str] | None = None
    source: Source | None = None
    asked_model: str | None = None
    model: str | None = None
    tier: str | None = None
    response_id: str | None = None
    request_id: str | None = None
    input_tokens: int | None = None
    cached_tokens: int = 0
    written_tokens: int = 0
    written_12h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Decimal | None = _ZERO
    saved: Decimal | None = None
    latency: float | None = None
    queued: float = _NO_TIME
    ttft: float | None = None
    exchange: float | None = None
    attempts: tuple[AttemptLine, ...] = ()
    stored_at: float | None = None
    input_chars: int = 0
    output_chars: int = 0
    at: float = 0.0
    simulated: bool = False
    limits: RateLimits | None = None


class _Versioned(Struct):
    v: int = 1


_BEGINS = b'{"v":%d,' % VERSION
_encode = msgspec.json.Encoder(enc_hook=str, decimal_format="number").encode
_decode: Callable[[bytes], RecordLine] = msgspec.json.Decoder(RecordLine).decode
_decode_1: Callable[[bytes], Record] = msgspec.json.Decoder(Record).decode
_version: Callable[[bytes], _Versioned] = msgspec.json.Decoder(_Versioned).decode


def encoded(record: Record) -> bytes:
    """The record as a line; what JSON has no type for is written as text."""
    line = _line(record)
    try:
        return _encode(line) + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair, which Python can hold and UTF-8 can't
        plain = msgspec.to_builtins(line, enc_hook=str, builtin_types=(Decimal,))
        return _encode(_without_surrogates(plain)) + b"\n"


def decoded(line: bytes) -> Record:
    """The record that a line is; ValueError or RecursionError where it is none, RunError where trivet is too old."""
    if not line.startswith(_BEGINS):
        version = _version(line).v
        if version == 1:
            return _decode_1(line)
        if version > VERSION:
            raise RunError(f"its records are of version {version}, and this trivet knows {VERSION}: use a newer one")
    return _record(_decode(line))


def _line(record: Record) -> RecordLine:
    error = record.error
    exchange = _exchange(record)
    return RecordLine(
        record.n,
        record.id,
        record.output,
        None if error is None else error.code,
        "" if error is None else error.message,
        record.text,
        record.kept,
        record.tags,
        record.source,
        record.asked_model,
        record.model,
        record.tier,
        record.response_id,
        record.request_id,
        *_tokens(record.usage),
        _cost(record.cost),
        record.saved,
        record.latency,
        record.queued or _NO_TIME,
        record.ttft,
        exchange,
        () if exchange is not None else tuple([_attempt_line(attempt) for attempt in record.attempts]),
        record.stored_at,
        record.input_chars,
        record.output_chars,
        record.at,
        record.simulated,
        record.limits,
    )


def _exchange(record: Record) -> float | None:
    """The latency of the only attempt, if all else that is known of it is known of the record."""
    if len(record.attempts) != 1:
        return None
    only = record.attempts[0]
    alike = (
        only.status == _OK
        and only.error is None
        and only.ttft == record.ttft
        and only.queued == record.queued
        and only.request_id == record.request_id
        and only.usage == record.usage
        and only.cost == record.cost
        and not only.possibly_billed
        and only.began is None
    )
    return only.latency if alike else None


def _tokens(usage: Usage | None) -> tuple[int | None, int, int, int, int, int]:
    if usage is None:
        return None, 0, 0, 0, 0, 0
    written = usage.cache_write + usage.cache_write_12h
    return usage.input, usage.cached_input, written, usage.cache_write_12h, usage.output, usage.reasoning


def _cost(cost: Decimal | None) -> Decimal | None:
    return cost if cost or cost is None else _ZERO


def _attempt_line(attempt: Attempt) -> AttemptLine:
    return AttemptLine(
        attempt.latency,
        attempt.status,
        attempt.error,
        attempt.ttft,
        attempt.queued or _NO_TIME,
        attempt.request_id,
        *_tokens(attempt.usage),
        _cost(attempt.cost),
        attempt.possibly_billed,
        attempt.began,
    )


def _record(line: RecordLine) -> Record:
    usage = _usage(line)
    return Record(
        n=line.n,
        id=line.id,
        output=line.output,
        error=None if line.error is None else Failure(code=line.error, message=line.message),
        text=line.text,
        kept=line.kept,
        tags=line.tags,
        source=line.source,
        asked_model=line.asked_model,
        model=line.model,
        tier=line.tier,
        response_id=line.response_id,
        request_id=line.request_id,
        usage=usage,
        cost=line.cost,
        saved=line.saved,
        latency=line.latency,
        queued=line.queued,
        ttft=line.ttft,
        attempts=tuple([_attempt(told) for told in line.attempts])
        if line.exchange is None
        else (_only(line, line.exchange, usage),),
        stored_at=line.stored_at,
        input_chars=line.input_chars,
        output_chars=line.output_chars,
        at=line.at,
        simulated=line.simulated,
        limits=line.limits,
    )


def _usage(told: RecordLine | AttemptLine) -> Usage | None:
    if told.input_tokens is None:
        return None
    return Usage(
        input=told.input_tokens,
        cached_input=told.cached_tokens,
        cache_write=told.written_tokens - told.written_12h_tokens,
        cache_write_12h=told.written_12h_tokens,
        output=told.output_tokens,
        reasoning=told.reasoning_tokens,
    )


def _only(line: RecordLine, latency: float, usage: Usage | None) -> Attempt:
    return Attempt(
        latency=latency,
        status=_OK,
        ttft=line.ttft,
        queued=line.queued,
        request_id=line.request_id,
        usage=usage,
        cost=line.cost,
    )


def _attempt(told: AttemptLine) -> Attempt:
    return Attempt(
        latency=told.latency,
        status=told.status,
        error=told.error,
        ttft=told.ttft,
        queued=told.queued,
        request_id=told.request_id,
        usage=_usage(told),
        cost=told.cost,
        possibly_billed=told.possibly_billed,
        began=told.began,
    )


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
