"""From what the layers come to, to what the SDK is handed, and to the record of the call."""

from __future__ import annotations

from collections.abc import Awaitable

import httpx2

from trivet.errors import PauseError, ProviderError, RequestError
from trivet.openai.asking import Asked
from trivet.openai.bill import Call
from trivet.openai.failures import paused, raised
from trivet.openai.notes import Note
from trivet.openai.raw import Raw, of_reply
from trivet.openai.reading import UNREAD
from trivet.types import Reply

Answer = Awaitable[Reply]


def handed(reply: Reply, what: Asked, note: Note) -> httpx2.Response:
    """The response for a reply: as it came, or of one that was kept or shared, made in the form that was asked for."""
    raw = reply.raw
    if isinstance(raw, Raw):
        if reply.source == "provider":
            return raw.response(note)
        if raw.body is not None and (not what.streamed or reply.status == UNREAD):
            return raw.response(note, source=b"coalesced")
    return of_reply(reply, what).response(note, source=reply.source.encode())


def failed_call(error: RequestError, note: Note, http: httpx2.Request) -> httpx2.Response:
    """The reply that was the error, for the SDK to judge; raises where there is none."""
    if isinstance(error.raw, Raw):
        return error.raw.response(note)
    if isinstance(error, PauseError):
        return Raw(*paused(error)).response(note)
    if not note.ours and isinstance(error.raw, Exception):
        raise error.raw
    found = raised(error, http)
    raise found from found.__cause__


def call_of(note: Note, what: Asked, outcome: Reply | RequestError) -> Call:
    """The record of a call."""
    attempts = outcome.attempts
    if isinstance(outcome, RequestError):
        return Call(
            path=what.request.path,
            model=what.request.model,
            status=outcome.status if isinstance(outcome, ProviderError) else None,
            error=outcome.code,
            attempts=attempts,
            usage=outcome.usage,
            cost=outcome.cost,
            latency=outcome.latency or 0.0,
            queued=outcome.queued,
            request_id=outcome.request_id if isinstance(outcome, ProviderError) else None,
            tags=note.tags,
        )
    return Call(
        path=what.request.path,
        source=outcome.source,
        model=outcome.model or what.request.model,
        tier=outcome.tier,
        status=attempts[-1].status if attempts else 200,
        attempts=attempts,
        usage=outcome.usage,
        cost=outcome.cost,
        saved=outcome.saved,
        latency=outcome.latency,
        queued=outcome.queued,
        ttft=outcome.ttft,
        request_id=outcome.request_id,
        response_id=outcome.id or None,
        stored_at=outcome.stored_at,
        simulated=outcome.simulated,
        tags=note.tags,
    )
