"""One attempt: what is sent, what is recorded, and what is logged and what never is."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from engine_fakes import (
    ENDPOINT,
    KEY,
    After,
    ScriptedTransport,
    Streamed,
    all_of,
    broken,
    fault,
    ok,
    request,
    settle,
    sse,
    stack,
    virtual,
)

from trivet.engine.send import SendConfig
from trivet.errors import ProtocolError, RequestError, SettingsError
from trivet.limits.backoff import Backoff
from trivet.settings import Endpoint
from trivet.types import HttpReply


def test_what_is_sent_is_the_head_and_the_tail_to_the_endpoint_with_its_headers() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok(), Streamed(sse("x")))
        layers = stack(transport, send=SendConfig(timeout=7.0, connect=3.0))
        asked = request()
        await layers(asked)
        async for _ in layers.stream(request("other", stream=True, timeout=2.0)):
            pass
        whole, stream = transport.calls
        assert (whole.method, whole.url) == ("POST", "https://api.example.com/v1/responses")
        assert whole.body == asked.head + asked.tail
        assert whole.headers == dict(ENDPOINT.headers())
        assert whole.headers["authorization"] == f"Bearer {KEY}"
        assert (whole.timeouts.connect, whole.timeouts.read, whole.timeouts.total) == (3.0, 7.0, 7.0)
        assert stream.headers["accept"] == "text/event-stream"
        assert (stream.timeouts.connect, stream.timeouts.total) == (2.0, 2.0)

    virtual(main())


def test_a_date_to_come_back_at_is_a_wait_from_now_where_the_server_does_not_date_its_replies() -> None:
    """RFC 9110 lets a server without a clock leave `date` out; the wait holds for streams too."""

    async def main() -> None:
        refusal = fault(429, retry_after="Fri, 31 Dec 1999 23:59:59 GMT")
        streamed = Streamed([refusal.body], status=429, headers=dict(refusal.headers))
        for refused, stream in ((refusal, False), (streamed, True)):
            layers = stack(ScriptedTransport(refused), now=lambda: 946684799.0 - 700.0)
            with pytest.raises(RequestError) as caught:
                if stream:
                    async for _ in layers.stream(request(stream=True)):
                        pass
                else:
                    await layers(request())
            assert caught.value.retry_after == 700.0

    virtual(main())


PROMPT, ANSWER, LABEL = "distinctive-prompt-4242 😀", "distinctive-answer-9191 שלום", "row 17"


def test_every_attempt_is_logged_with_ids_times_and_tokens_and_never_with_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        transport = ScriptedTransport(
            fault(503, message=f"distinctive-error {PROMPT} {KEY}"),
            broken("reset"),
            HttpReply(status=200, headers={}, body=f'{{"output": [{{"{ANSWER}'.encode()),
            After(1.5, ok(ANSWER)),
            Streamed([1.0, *sse(ANSWER)]),
            After(60.0, ok()),
        )
        layers = stack(transport)
        await layers(request(PROMPT, label=LABEL))
        async for _ in layers.stream(request(PROMPT + "!", stream=True)):
            pass
        cut = asyncio.create_task(layers(request(PROMPT + "?", cacheable=False)))
        await settle()
        cut.cancel()
        await asyncio.wait([cut])

    with caplog.at_level(logging.DEBUG, "trivet.attempts"):
        virtual(main())
    records = [record for record in caplog.records if record.name == "trivet.attempts"]
    assert [getattr(record, "status", 0) for record in records] == [503, None, None, 200, 200, None]
    assert [getattr(record, "error", 0) for record in records][1:] == [
        "transport_reset",
        "protocol",
        None,
        None,
        "cancelled",
    ]
    good, streamed = vars(records[3]), vars(records[4])
    assert (good["request"], good["model"], good["request_id"]) == (LABEL, "gpt-5.4-mini", "req_1")
    assert (good["input_tokens"], good["output_tokens"], good["latency_s"]) == (20, 3, 1.5)
    assert streamed["ttft_s"] == 1.0
    assert len(good["key"]) == 16
    everything = json.dumps([vars(record) for record in caplog.records], default=str, ensure_ascii=False)
    for secret in ("distinctive", KEY, "שלום"):
        assert secret not in everything


def test_nothing_is_logged_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await all_of([stack(ScriptedTransport(fault(400)), backoff=Backoff(retries=0))(request())])

    with caplog.at_level(logging.INFO):
        virtual(main())
    assert caplog.records == []


@pytest.mark.parametrize(
    "outcome",
    [
        fault(401, code="invalid_api_key", message=f"Incorrect API key provided: {KEY}"),
        broken("reset"),
        HttpReply(status=200, headers={}, body=b"<html>"),
    ],
)
def test_no_error_holds_the_key_in_its_text_or_its_repr(outcome: object) -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(outcome), backoff=Backoff(retries=0))  # type: ignore[arg-type]
        (error,) = await all_of([layers(request())])
        assert isinstance(error, RequestError)
        assert KEY not in str(error) + repr(error) + repr(vars(error))

    virtual(main())


def test_a_broken_reply_is_an_attempt_that_may_have_been_billed() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(HttpReply(status=200, headers={}, body=b"<html>")), backoff=Backoff(retries=0))
        with pytest.raises(ProtocolError) as raised:
            await layers(request())
        (attempt,) = raised.value.attempts
        assert (attempt.possibly_billed, attempt.cost, attempt.error) == (True, None, "protocol")

    virtual(main())


def test_a_key_never_leaves_through_a_repr() -> None:
    assert KEY not in repr(ENDPOINT)
    assert KEY not in repr(Endpoint(api_key=KEY))


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_a_timeout_that_nothing_can_meet_is_refused(timeout: float) -> None:
    with pytest.raises(SettingsError, match="timeout"):
        SendConfig(timeout=timeout)
    with pytest.raises(SettingsError, match="timeout"):
        SendConfig(connect=timeout)
