"""Counts the tokens of a request as the provider bills them: exact for text, assumed for what surrounds it.

input = sum over messages (text + 4) + 3 + schema + tools
"""

from __future__ import annotations

import functools

import msgspec
from msgspec import Struct

from trivet import tokens
from trivet.sim import constants
from trivet.sim.request import Call

_REPEATED = 400
"""Characters from which on a text's count is remembered: instructions and schemas come again and again."""

_REMEMBERED = 20_000
"""Characters beyond which a text is not remembered, which bounds the memory."""


class Input(Struct, frozen=True, kw_only=True):
    """The tokens of a request: the total, and after each of its messages (instructions first)."""

    total: int
    ends: tuple[int, ...]


@functools.lru_cache(maxsize=512)
def _remembered(text: str) -> int:
    return tokens.count(text)


def count(text: str) -> int:
    """Tokens of a text; texts that are likely to repeat are counted once."""
    return _remembered(text) if _REPEATED <= len(text) <= _REMEMBERED else tokens.count(text)


def sizes(call: Call) -> Input:
    """The input tokens of a request, all of it."""
    running = _prelude(call)
    ends: list[int] = []
    if call.instructions:
        running += count(call.instructions) + constants.MESSAGE_TOKENS.value
        ends.append(running)
    for message in call.messages:
        running += count(message.text) + constants.MESSAGE_TOKENS.value
        running += message.images * constants.IMAGE_TOKENS.value
        ends.append(running)
    return Input(total=running + constants.REPLY_TOKENS.value, ends=tuple(ends))


def characters(call: Call) -> int:
    """Characters of the prompt, by which a limit is charged."""
    return len(call.instructions or "") + sum(len(message.text) for message in call.messages)


def _prelude(call: Call) -> int:
    """Tokens of what stands before every message: tools and the schema."""
    total = 0
    if call.format["type"] == "json_schema":
        total += count(msgspec.json.encode(call.format["schema"]).decode())
    tools = call.body.get("tools")
    return total + count(msgspec.json.encode(tools).decode()) if tools else total
