"""One row: what was asked, what came of it, and the record of both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import UNSET, Struct

from trivet.errors import AnswerError, DataError, RequestError, TrivetError, UsageError
from trivet.jobs.sources import Row
from trivet.records import Failure, Record
from trivet.tasks.output import to_jsonable
from trivet.tasks.task import Task
from trivet.types import Journal, RateLimits, Reply, Request


class Outcome(Struct, frozen=True, kw_only=True):
    """What one row came to: `output` from a reply that was accepted, or the `error` that stands in its way.

    `asked_model`: the model, where there was something to ask it.
    """

    output: Any = None
    error: TrivetError | None = None
    reply: Reply | None = None
    asked_model: str | None = None
    input_chars: int = 0

    @property
    def failure(self) -> Failure | None:
        """The error as it is recorded; whatever is wrong with the row itself is called `bad_row`."""
        if self.error is None:
            return None
        code = "bad_row" if isinstance(self.error, UsageError) else self.error.code
        return Failure(code=code, message=str(self.error))


async def outcome_of(
    task: Task,
    row: Row,
    ask: Callable[[Request], Awaitable[Reply]],
    *,
    model: str,
    cacheable: bool,
    label: str,
    journal: Journal | None = None,
    stream: bool = False,
) -> Outcome:
    """Render, ask, judge: what one row comes to. Only a `MachineError` is raised; all else is the row's own.

    `stream`: ask for a streamed answer.
    """
    if row.data is None:
        return Outcome(error=DataError(row.error or f"bad row at {row.place}"))
    reply: Reply | None = None
    asked: str | None = None
    characters = 0
    try:
        request = task.request(row.data, model=model, cacheable=cacheable, label=label, journal=journal, stream=stream)
        asked, characters = request.model, request.characters
        reply = await ask(request)
        return Outcome(output=task.result(reply), reply=reply, asked_model=asked, input_chars=characters)
    except UsageError as error:
        placed = DataError(f"{row.place}: {error}") if row.file else error
        return Outcome(error=placed, asked_model=asked, input_chars=characters)
    except (RequestError, AnswerError) as error:
        return Outcome(error=error, reply=reply, asked_model=asked, input_chars=characters)


def record_of(
    row: Row,
    identity: int | str,
    outcome: Outcome,
    kept: tuple[str, ...],
    at: float,
    limits: RateLimits | None = None,
    tags: Mapping[str, str] | None = None,
) -> Record:
    """The record of a row. `kept`: columns to copy; `at`: Unix time; `limits`: the provider's, where they are news."""
    failure = outcome.failure
    fields: dict[str, Any] = {
        "n": row.n,
        "id": identity,
        "output": UNSET if failure else to_jsonable(outcome.output),
        "error": failure,
        "tags": tags or None,
        "asked_model": outcome.asked_model,
        "kept": ({name: row.data[name] for name in kept if name in row.data} or None) if row.data else None,
        "input_chars": outcome.input_chars,
        "at": at,
        "limits": limits,
    }
    if outcome.reply is not None:
        fields |= _of_reply(outcome.reply, accepted=failure is None)
    elif isinstance(outcome.error, RequestError):
        fields |= _of_failed_request(outcome.error)
    return Record(**fields)


def _of_reply(reply: Reply, *, accepted: bool) -> dict[str, Any]:
    return {
        "text": None if accepted else reply.text or reply.refusal,
        "source": reply.source,
        "model": reply.model,
        "tier": reply.tier,
        "response_id": reply.id,
        "request_id": reply.request_id,
        "usage": reply.usage,
        "cost": reply.cost,
        "saved": reply.saved,
        "latency": reply.latency,
        "queued": reply.queued,
        "ttft": reply.ttft,
        "attempts": reply.attempts,
        "stored_at": reply.stored_at,
        "output_chars": len(reply.text),
        "simulated": reply.simulated,
    }


def _of_failed_request(error: RequestError) -> dict[str, Any]:
    return {
        "source": "provider",
        "cost": error.cost,
        "attempts": error.attempts,
        "latency": error.latency,
        "queued": error.queued,
    }


class Told:
    """The limits that the provider's replies name, told on once each time that they change."""

    def __init__(self) -> None:
        self._limits: tuple[int | None, int | None] = (None, None)

    def news(self, reply: Reply | None) -> RateLimits | None:
        """The reply's limits a minute, if they are others than before; None where it names none."""
        told = None if reply is None else reply.limits
        if told is None or reply is None or reply.source != "provider":
            return None
        limits = (told.limit_requests, told.limit_tokens)
        if limits in (self._limits, (None, None)):
            return None
        self._limits = limits
        return RateLimits(limit_requests=limits[0], limit_tokens=limits[1])
