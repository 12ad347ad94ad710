"""What the layers write down beside each attempt."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from engine_fakes import KEY, MODEL, After, ScriptedTransport, all_of, fault, ok, request, stack, virtual

from trivet.types import HttpReply


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Any:
    """Records of an event, by their fields."""
    caplog.set_level(logging.DEBUG, logger="trivet")
    return lambda event: [vars(record) for record in caplog.records if record.getMessage() == event]


def limited(reply: HttpReply, requests: int) -> HttpReply:
    headers = {**reply.headers, "x-ratelimit-limit-requests": str(requests), "x-ratelimit-remaining-requests": "1"}
    return HttpReply(status=reply.status, headers=headers, body=reply.body)


def test_a_retry_says_why_and_when(told: Any) -> None:
    async def main() -> None:
        await stack(ScriptedTransport(fault(500), ok()))(request(label="7"))

    virtual(main())
    (retry,) = told("retry")
    failed, answered = told("attempt")
    assert (retry["request"], retry["model"], retry["error"]) == ("7", MODEL, failed["error"])
    assert retry["delay_s"] == 0.375
    assert answered["error"] is None


def test_many_refusals_at_once_are_one_pause(told: Any) -> None:
    async def main() -> None:
        refusal = fault(429, code="rate_limit_exceeded", type="requests", retry_after="30")
        outcomes = [After(1.0, refusal)] * 16
        layers = stack(ScriptedTransport(*outcomes, ok()))
        await all_of(layers(request(str(n))) for n in range(16))

    virtual(main())
    (pause,) = told("pause")
    assert (pause["model"], pause["error"]) == (MODEL, "rate_limit_exceeded")
    assert 30 <= pause["pause_s"] <= 31.5
    assert len(told("retry")) == 16


def test_a_limit_is_told_when_it_is_learned_and_when_it_changes(told: Any) -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(limited(ok(), 500), limited(ok(), 500), limited(ok(), 600)))
        for n in range(3):
            await layers(request(str(n)))
            await asyncio.sleep(60)

    virtual(main())
    assert [(one["model"], one["limit_requests"], one["limit_tokens"]) for one in told("limit")] == [
        (MODEL, 500, None),
        (MODEL, 600, None),
    ]


def test_requests_at_once_are_told_where_they_are_learned(told: Any) -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(After(0.2, ok())))
        await all_of(layers(request(str(n))) for n in range(400))
        assert told("concurrency")[-1]["concurrency"] == layers.statistics().limit.concurrency

    virtual(main())
    assert told("concurrency")[0]["concurrency"] == 32


def test_no_prompt_answer_or_key_is_in_any_record(told: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        quoting = fault(429, type="requests", message="distinctive prompt", retry_after="2")
        await stack(ScriptedTransport(quoting, ok("distinctive answer")))(request("a distinctive prompt"))

    virtual(main())
    everything = "".join(str(vars(record)) for record in caplog.records)
    assert "distinctive" not in everything
    assert KEY not in everything
