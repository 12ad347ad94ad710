"""One attempt at an answer: tokens in, what the model says, tokens out, and how long it takes."""

from __future__ import annotations

from typing import Any

from trivet import tokens
from trivet.sim import constants, timing, usage
from trivet.sim import provider_errors as errors
from trivet.sim.answer import answer
from trivet.sim.draws import Draws
from trivet.sim.promptcache import PromptCache
from trivet.sim.request import Call
from trivet.sim.response import REFUSAL, Generated
from trivet.sim.scenario import Scenario
from trivet.sim.timing import Timing
from trivet.sim.usage import Input

_SURELY_OVER = 16
"""Characters a token of context beyond which an input is over without being counted."""


def measure(call: Call) -> Input:
    """The tokens of the input; refused when the model's context cannot hold them."""
    context = call.model.context
    dropping = call.body.get("truncation") == "auto"
    if usage.characters(call) > context * _SURELY_OVER and not dropping:
        raise errors.context_overflow()
    size = usage.sizes(call)
    if size.total > context:
        if not dropping:
            raise errors.context_overflow()
        size = Input(total=context, ends=tuple(min(end, context) for end in size.ends))
    return size


def generate(
    scenario: Scenario,
    call: Call,
    draws: Draws,
    cache: PromptCache,
    fault: str | None,
    now: float,
) -> tuple[Generated, Timing]:
    """What the model puts out, and when; `fault` is one that shapes the answer, or None."""
    size = measure(call)
    ready = now + call.model.speed.ttft * scenario.time_scale
    used = cache.use(call, size, now, ready)
    pace = timing.timing(scenario, call.model, call.tier, size.total - used.read, draws)
    thought = timing.reasoning(call.effort, draws)
    text = "" if fault == "empty_text" else answer(call, draws, scenario.noise)
    if fault == "refusal":
        text = REFUSAL
    pieces = tuple(tokens.split(text))
    limit = len(pieces)
    status, reason = "completed", None
    if fault in ("truncated", "content_filter"):
        limit = int(len(pieces) * draws.uniform("cut"))
        status, reason = "incomplete", "max_output_tokens" if fault == "truncated" else "content_filter"
    cap = min(call.max_output or call.model.max_output, call.model.max_output)
    thought, limit, over = _capped(thought, limit, cap)
    if over:
        status, reason = "incomplete", "max_output_tokens"
    kept = pieces[:limit]
    said = "".join(kept) if limit < len(pieces) else text
    made = Generated(
        id="resp_" + draws.hexadecimal("response", 48),
        text=said,
        pieces=kept,
        status="failed" if fault == "failed" else status,
        input=size.total,
        cache=used,
        visible=limit,
        reasoning=thought,
        reason=reason,
        refusal=said if fault == "refusal" else None,
        error=_failure() if fault == "failed" else None,
    )
    return made, pace


def _capped(thought: int, visible: int, cap: int) -> tuple[int, int, bool]:
    """Reasoning and visible tokens under the cap, reasoning first, and whether it was hit."""
    if thought + visible <= cap:
        return thought, visible, False
    thought = min(thought, cap)
    return thought, cap - thought, True


def _failure() -> dict[str, Any]:
    return {"code": "server_error", "message": "The model failed to generate a response."}


def unanswered_after(scenario: Scenario, call: Call, draws: Draws) -> float:
    """Seconds until something goes wrong before any answer."""
    return timing.timing(scenario, call.model, call.tier, 0, draws).first


def refused_after(scenario: Scenario) -> float:
    """Seconds until an error is answered."""
    return constants.REFUSED.value * scenario.time_scale
