"""Whether a reply is a result, and if not, why.

A truncated, filtered, failed, refused, empty or invalid answer is not a result, whatever text came with it.
"""

from __future__ import annotations

from typing import Any

from trivet.errors import AnswerError
from trivet.tasks.invalid import SHOWN
from trivet.tasks.output import Contract
from trivet.types import Reply


def result(reply: Reply, contract: Contract | None = None) -> Any:
    """What the reply says, as the contract reads it (without one: its text).

    Raises `AnswerError` with the reply, whose code is `incomplete`, `content_filter`, `failed`, `refused`,
    `empty` or `invalid_output`. Without a contract, output other than text (tool calls) is an answer too.
    """
    failure = _not_completed(reply) or _no_answer(reply, contract)
    if failure is not None:
        code, message = failure
        raise AnswerError(message, code=code, reply=reply)
    if contract is None:
        return reply.text
    try:
        return contract.parse(reply.text)
    except AnswerError as error:
        error.reply = reply
        raise


def problem(reply: Reply, contract: Contract | None = None) -> AnswerError | None:
    """Why the reply is not a result, or None where it is one."""
    try:
        result(reply, contract)
    except AnswerError as error:
        error.__traceback__ = None
        return error
    return None


def reason(reply: Reply, contract: Contract | None = None) -> str | None:
    """The same as one sentence: what a request carries as its `accept`."""
    found = problem(reply, contract)
    return None if found is None else str(found)


def _not_completed(reply: Reply) -> tuple[str, str] | None:
    if reply.reason == "content_filter":
        return (
            "content_filter",
            "the provider's content filter stopped the answer: change the row or leave it out",
        )
    if reply.status == "incomplete":
        return "incomplete", _cut(reply)
    if reply.status != "completed":
        why = f" ({reply.reason})" if reply.reason else ""
        return "failed", f"the provider finished no answer: its status is '{reply.status}'{why}"
    return None


def _cut(reply: Reply) -> str:
    if reply.reason != "max_output_tokens":
        return f"the answer is not complete ({reply.reason or 'the provider gives no reason'})"
    usage = reply.usage
    after = f" after {usage.output:,} tokens" if usage else ""
    if usage and usage.reasoning:
        after += f", {usage.reasoning:,} of them reasoning"
        return f"the answer was cut by max_output_tokens{after}: raise it, or lower the reasoning effort"
    return f"the answer was cut by max_output_tokens{after}: raise it, or ask for less"


def _no_answer(reply: Reply, contract: Contract | None) -> tuple[str, str] | None:
    if reply.refusal is not None:
        return "refused", f"the model refused to answer: {reply.refusal[:SHOWN]!r}"
    if reply.text and not reply.text.isspace():
        return None
    if not reply.has_other_output:
        return "empty", "the answer is empty"
    if contract is not None:
        return "empty", "the answer holds no text, only other output such as tool calls"
    return None
