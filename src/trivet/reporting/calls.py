"""One record as a line of the page, and why rows fail in words that no model wrote.

Without leave to show text, nothing of what a prompt or a model said gets through: outputs are shown where they are
labels, messages never, and an id only where it is a number or looks like a key.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import UNSET

from trivet.jobs.summary import MAX_LABEL
from trivet.records import Record
from trivet.reporting.figures import Call, Failed
from trivet.reporting.tally import Reason
from trivet.wording import one_line

MOST_TEXT = 400
"""Characters of a text that are shown."""

_KEY = re.compile(r"[\w.:@/#+-]{1,64}")
_REFUSED = 429

REASONS = {
    "bad_row": "the row could not be read, or lacks what the prompt uses",
    "invalid_output": "the answer is not one that the output contract allows",
    "incomplete": "the answer was cut off before its end",
    "content_filter": "the provider's filter held the answer back",
    "refused": "the model declined to answer",
    "empty": "the answer was empty",
    "failed": "the provider gave up on the answer",
    "deadline": "the time allowed for the whole reply was over",
    "budget": "sending it could have exceeded the budget",
    "protocol": "what came back is not what the protocol promises",
    "transport_connect": "the server could not be reached",
    "transport_tls": "no secure connection came about",
    "transport_timeout": "no answer came in the time of one attempt",
    "transport_reset": "the connection broke",
    "transport_closed": "the connection was closed before the answer's end",
    "rate_limit_exceeded": "refused for pace until no retry was left",
    "server_error": "the provider failed until no retry was left",
    "other": "one of many further reasons",
}


def call(record: Record, *, origin: float, labels: bool, with_text: bool) -> Call:
    """A record as it is shown. `origin`: the Unix time of second 0; `labels`: its output is a label."""
    usage = record.usage
    error = record.error
    return Call(
        n=record.n,
        id=key_of(record, with_text=with_text),
        error=None if error is None else one_line(error.code, 60),
        output=_output(record) if with_text or (labels and is_label(record.output)) else None,
        message=one_line(error.message, MOST_TEXT) if with_text and error is not None else None,
        text=one_line(record.text[: 8 * MOST_TEXT], MOST_TEXT) if with_text and record.text else None,
        source=record.source,
        latency=record.latency,
        queued=record.queued,
        attempts=len(record.attempts),
        refused=sum(attempt.status == _REFUSED for attempt in record.attempts),
        input_tokens=None if usage is None else usage.input,
        output_tokens=None if usage is None else usage.output,
        usd=record.cost,
        second=max(0.0, record.at - origin) if record.at else None,
    )


def is_label(output: object) -> bool:
    """Whether an output can be a label: longer text is none, whatever the run says of itself."""
    return isinstance(output, str) and len(output) <= MAX_LABEL


def key_of(record: Record, *, with_text: bool) -> int | str:
    """What names the row: its id, or its number where the id may hold text."""
    if isinstance(record.id, str):
        if with_text:
            return one_line(record.id[: 8 * MOST_TEXT], 64)
        return record.id if _KEY.fullmatch(record.id) else record.n
    return record.n if record.id is None else record.id


def _output(record: Record) -> str | None:
    if record.output is UNSET:
        return None
    output = record.output
    shown = output if isinstance(output, str) else msgspec.json.encode(output).decode()
    return one_line(shown[: 8 * MOST_TEXT], MOST_TEXT)


def failed(reasons: dict[str, Reason], *, origin: float, labels: bool, with_text: bool) -> tuple[Failed, ...]:
    """The reasons of failure, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: -item[1].count)
    return tuple(
        Failed(
            code=one_line(code, 60),
            count=reason.count,
            reason=REASONS.get(code, "an error of the provider's, by its own code"),
            usd=reason.usd,
            rows=tuple(call(r, origin=origin, labels=labels, with_text=with_text) for r in reason.records),
        )
        for code, reason in ordered
    )
