"""A stream's events come in the documented order and add up to the whole answer."""

from __future__ import annotations

from typing import Any

import pytest

from trivet.sim.scenario import Faults, Latency

OPENING = ["response.created", "response.in_progress"]
MESSAGE = ["response.output_item.added", "response.content_part.added"]
CLOSING = ["response.output_text.done", "response.content_part.done", "response.output_item.done"]


def kinds(asked: Any) -> list[str]:
    """Types of the events, runs of deltas folded into one."""
    found: list[str] = []
    for event in asked.events:
        if not (found and found[-1] == event["type"] and event["type"].endswith("delta")):
            found.append(event["type"])
    return found


def test_events_come_in_the_documented_order(provider: Any) -> None:
    """With and without reasoning, numbered from 0 without a gap, each named before its data."""
    asked = provider().ask("Tell me about refunds", stream=True)
    assert kinds(asked) == [*OPENING, *MESSAGE, "response.output_text.delta", *CLOSING, "response.completed"]
    assert [event["sequence_number"] for event in asked.events] == list(range(len(asked.events)))
    for block in asked.raw.decode().strip().split("\n\n"):
        head, data = block.split("\n")
        assert f'"type":"{head.removeprefix("event: ")}"' in data
    asked = provider().ask("Tell me about refunds", model="gpt-6-luna", stream=True)
    item = ["response.output_item.added", "response.output_item.done"]
    assert kinds(asked) == [*OPENING, *item, *MESSAGE, "response.output_text.delta", *CLOSING, "response.completed"]
    assert asked.headers["content-type"].startswith("text/event-stream")


def test_the_deltas_add_up_to_the_answer_not_streamed(provider: Any) -> None:
    """Emoji and other scripts are never cut within a character."""
    for prompt in ("Tell me about refunds", "Summarize in two sentences.\n\nText: 👩‍👩‍👧 漢字。 لم أستلم. é́ 🏳️‍🌈!"):
        asked = provider().ask(prompt, stream=True)
        events = asked.events
        whole = provider().ask(prompt)
        deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
        assert "".join(deltas) == whole.text
        assert next(e for e in events if e["type"] == "response.output_text.done")["text"] == whole.text
        assert events[-1]["response"]["usage"] == whole.json["usage"]
        assert events[-1]["response"]["output"][0]["content"] == whole.json["output"][0]["content"]


def test_obfuscation_is_on_unless_turned_off(provider: Any) -> None:
    """Random padding of varying length on the deltas alone."""
    for options, there in (
        (None, True),
        ({"include_obfuscation": True}, True),
        ({"include_obfuscation": False}, False),
    ):
        asked = provider().ask("Tell me about refunds", stream=True, stream_options=options)
        for event in asked.events:
            assert ("obfuscation" in event) is (there and event["type"].endswith("delta"))
    padded = provider().ask("Tell me about refunds", stream=True).events
    assert len({len(event["obfuscation"]) for event in padded if "obfuscation" in event}) > 3


def test_an_incomplete_stream_ends_with_its_own_event(provider: Any) -> None:
    """Cut at the cap, in the middle of the text or before any."""
    asked = provider().ask("Tell me about refunds", stream=True, max_output_tokens=5)
    assert asked.events[-1]["type"] == "response.incomplete"
    assert asked.events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    asked = provider().ask("Hi", model="gpt-6-luna", stream=True, max_output_tokens=8)
    assert "response.output_text.delta" not in kinds(asked)
    assert asked.events[-1]["type"] == "response.incomplete"


def test_a_failed_stream_says_so_flat_and_nested(provider: Any) -> None:
    """An `error` event with the fields at both places, then response.failed."""
    events = provider(faults=Faults(failed=1.0)).ask("Hi", stream=True).events
    error, last = events[-2:]
    assert (error["type"], error["code"], error["error"]["code"]) == ("error", "server_error", "server_error")
    assert error["message"] == error["error"]["message"]
    assert "param" in error
    assert last["type"] == "response.failed"
    assert last["response"]["error"]["code"] == "server_error"


def test_a_refusal_is_streamed_as_one(provider: Any) -> None:
    """With its own deltas and done event, and without logprobs."""
    asked = provider(faults=Faults(refusal=1.0)).ask("Hi", stream=True)
    assert "response.refusal.delta" in kinds(asked)
    done = next(event for event in asked.events if event["type"] == "response.refusal.done")
    deltas = "".join(event["delta"] for event in asked.events if event["type"] == "response.refusal.delta")
    assert done["refusal"] == deltas


@pytest.mark.parametrize("model", ["gpt-5.4-mini", "gpt-6-luna"])
def test_events_are_spread_over_the_time_of_the_answer(provider: Any, model: str) -> None:
    """Accepted first, then the first token after the reasoning, the rest at the rate."""
    server = provider(time_scale=1, latency=Latency(ttft=1.0, tokens_per_s=10, spread=0))
    asked = server.ask("Tell me about refunds", model=model, stream=True)
    times = [at for at, _ in asked.chunks]
    assert times == sorted(times)
    assert 0 < times[0] < 0.5
    usage = asked.events[-1]["response"]["usage"]
    thought = usage["output_tokens_details"]["reasoning_tokens"]
    first = next(
        at for (at, _), event in zip(asked.chunks, asked.events, strict=True) if event["type"].endswith("text.delta")
    )
    assert first == pytest.approx(1.0 + thought / 10)
    assert times[-1] == pytest.approx(1.0 + usage["output_tokens"] / 10)
