"""The null server: one fixed tiny answer, at once, by which a client's own overhead is measured."""

from __future__ import annotations

import msgspec

from trivet.sim import events, request, response, timing
from trivet.sim.draws import Draws
from trivet.sim.exchange import Exchange
from trivet.sim.promptcache import CacheUse
from trivet.sim.response import Generated

_CALL = request.validate(
    {"model": "gpt-5.4-mini", "input": "-"}, "gpt-5.4-mini", request.model_of({"model": "gpt-5.4-mini"})[1]
)
_MADE = Generated(
    id="resp_" + "0" * 48,
    text="ok",
    pieces=("ok",),
    status="completed",
    input=8,
    cache=CacheUse(),
    visible=1,
    reasoning=0,
)
_BODY = msgspec.json.encode(response.finished(_CALL, _MADE, 0, 0))
_PACE = timing.Timing(accepted=0.0, first=0.0, per_token=0.0)
_STREAM = b"".join(data for _, data in events.events(_CALL, _MADE, _PACE, Draws(0, b"", 0), 0))
_WHOLE = ((0.0, _BODY),)


def exchange(body: bytes, headers: dict[str, str]) -> Exchange:
    """The answer to any generation request; of its body only whether it asks for a stream is read."""
    if b'"stream":true' in body or b'"stream": true' in body:
        kind = {**headers, "content-type": "text/event-stream; charset=utf-8"}
        return Exchange(status=200, headers=kind, chunks=((0.0, _STREAM),), generation=True)
    return Exchange(status=200, headers=headers, chunks=_WHOLE, length=len(_BODY), generation=True)
