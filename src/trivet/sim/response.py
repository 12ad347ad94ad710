"""The response object, with every field that the provider's reference and the Open Responses text require."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trivet.sim.promptcache import CacheUse
from trivet.sim.request import Call

REFUSAL = "I'm sorry, but I can't help with that."


class Generated(Struct, frozen=True, kw_only=True):
    """What came out of one attempt, before it is put on the wire.

    `text` and its `pieces` (one a token); `visible` tokens of it, `reasoning` tokens before it. `reason`: why
    it is incomplete. `error`: of a failed one. `refusal`: said in place of the text.
    """

    id: str
    text: str
    pieces: tuple[str, ...]
    status: str
    input: int
    cache: CacheUse
    visible: int
    reasoning: int
    reason: str | None = None
    refusal: str | None = None
    error: dict[str, Any] | None = None

    @property
    def output(self) -> int:
        """All tokens billed as output."""
        return self.visible + self.reasoning


def usage(made: Generated) -> dict[str, Any]:
    """The usage object."""
    cache = made.cache
    return {
        "input_tokens": made.input,
        "input_tokens_details": {
            "cached_tokens": cache.read,
            "cache_write_tokens": cache.written + cache.written_12h,
            "cache_write_tokens_details": {
                "ttl_30m_tokens": cache.written,
                "ttl_12h_tokens": cache.written_12h,
            },
        },
        "output_tokens": made.output,
        "output_tokens_details": {"reasoning_tokens": made.reasoning},
        "total_tokens": made.input + made.output,
    }


def reasoning_item(made: Generated) -> dict[str, Any]:
    """The output item that stands for the reasoning."""
    return {"id": "rs_" + made.id[5:], "type": "reasoning", "summary": []}


def content_part(made: Generated, text: str) -> dict[str, Any]:
    """The content of the message: its text, or the refusal."""
    if made.refusal is not None:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message_item(made: Generated, *, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    """The output item that holds the answer."""
    return {
        "id": "msg_" + made.id[5:],
        "type": "message",
        "status": status,
        "role": "assistant",
        "phase": "final_answer",
        "content": content,
    }


def output(made: Generated) -> list[dict[str, Any]]:
    """The output items of the finished response."""
    items: list[dict[str, Any]] = [reasoning_item(made)] if made.reasoning else []
    if made.status == "failed" or (made.reason == "max_output_tokens" and not made.visible):
        return items
    status = "completed" if made.status == "completed" else "incomplete"
    said = made.refusal if made.refusal is not None else made.text
    return [*items, message_item(made, status=status, content=[content_part(made, said)])]


def skeleton(call: Call, made: Generated, created: int) -> dict[str, Any]:
    """The response as it stands in `response.created`: under way, nothing put out."""
    body = call.body
    reasoning = body.get("reasoning") or {}
    text = {"format": call.format, "verbosity": call.verbosity}
    if call.format["type"] == "json_schema":
        text["format"] = {"description": None, "strict": False, **call.format}
    return {
        "id": made.id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "completed_at": None,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": call.instructions,
        "max_output_tokens": call.max_output,
        "max_tool_calls": body.get("max_tool_calls"),
        "model": call.model_name,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "prompt_cache_key": body.get("prompt_cache_key"),
        "prompt_cache_options": _cache_options(call),
        "prompt_cache_retention": body.get("prompt_cache_retention"),
        "reasoning": {"effort": call.effort, "summary": reasoning.get("summary")},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": call.tier,
        "store": call.store,
        "temperature": _default(body.get("temperature"), 1.0),
        "text": text,
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": _default(body.get("top_p"), 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": None,
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def finished(call: Call, made: Generated, created: int, completed: int) -> dict[str, Any]:
    """The whole response at its end."""
    whole = skeleton(call, made, created)
    whole["status"] = made.status
    whole["completed_at"] = completed if made.status == "completed" else None
    whole["error"] = made.error
    whole["incomplete_details"] = {"reason": made.reason} if made.reason else None
    whole["output"] = output(made)
    whole["usage"] = None if made.status == "failed" else usage(made)
    return whole


def _cache_options(call: Call) -> dict[str, Any] | None:
    if call.model.cache != "exact":
        return None
    options = call.body.get("prompt_cache_options") or {}
    return {"mode": options.get("mode") or "implicit", "ttl": options.get("ttl") or "30m"}


def _default(value: Any, default: float) -> Any:
    return default if value is None else value
