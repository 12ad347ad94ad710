"""The events of a streamed response in their documented order, each with the second it is sent at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from trivet.sim import response
from trivet.sim.draws import Draws
from trivet.sim.request import Call
from trivet.sim.response import Generated
from trivet.sim.timing import Timing

_PADDING = 16


class _Writer:
    """Numbers the events and writes them as server-sent events."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, kind: str, **fields: Any) -> bytes:
        event = {"type": kind, **fields, "sequence_number": self._number}
        self._number += 1
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(event))


def events(call: Call, made: Generated, timing: Timing, draws: Draws, created: int) -> Iterator[tuple[float, bytes]]:
    """(second, bytes) of each event, in order of time."""
    write = _Writer()
    opened = response.skeleton(call, made, created)
    yield timing.accepted, write("response.created", response=opened)
    yield timing.accepted, write("response.in_progress", response=opened)
    index = 0
    done = timing.after(made.output)
    if made.reasoning:
        item = response.reasoning_item(made)
        yield timing.first, write("response.output_item.added", output_index=0, item=item)
        yield timing.after(made.reasoning), write("response.output_item.done", output_index=0, item=item)
        index = 1
    items = response.output(made)
    if len(items) > index:
        yield from _message(write, call, made, timing, draws, index, items[index])
    last = response.finished(call, made, created, created + int(done))
    if made.error is not None:
        flat = {"code": made.error["code"], "message": made.error["message"], "param": None}
        yield done, write("error", **flat, error={"type": made.error["code"], **flat})
    yield done, write(f"response.{made.status}", response=last)


def _message(
    write: _Writer,
    call: Call,
    made: Generated,
    timing: Timing,
    draws: Draws,
    index: int,
    item: dict[str, Any],
) -> Iterator[tuple[float, bytes]]:
    at = timing.after(made.reasoning)
    said = made.refusal if made.refusal is not None else made.text
    name = "response.refusal" if made.refusal is not None else "response.output_text"
    logprobs: dict[str, Any] = {} if made.refusal is not None else {"logprobs": []}
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    empty = response.message_item(made, status="in_progress", content=[])
    yield at, write("response.output_item.added", output_index=index, item=empty)
    yield at, write("response.content_part.added", **place, part=response.content_part(made, ""))
    for number, piece in enumerate(made.pieces, 1):
        if not piece:
            continue
        padding = {}
        if call.obfuscation:
            length = 1 + int(draws.uniform(f"padding{number}") * (_PADDING - 1))
            padding = {"obfuscation": draws.hexadecimal(f"padding{number}", length)}
        at = timing.after(made.reasoning + number - 1)
        yield at, write(f"{name}.delta", **place, delta=piece, **logprobs, **padding)
    at = timing.after(made.output)
    whole = {"refusal": said} if made.refusal is not None else {"text": said}
    yield at, write(f"{name}.done", **place, **whole, **logprobs)
    yield at, write("response.content_part.done", **place, part=response.content_part(made, said))
    yield at, write("response.output_item.done", output_index=index, item=item)
