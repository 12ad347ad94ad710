"""A span a call, seen through the official SDK's exporter in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from engine_fakes import (
    ENDPOINT,
    KEY,
    MODEL,
    After,
    ScriptedTransport,
    Streamed,
    all_of,
    body,
    fault,
    ok,
    price,
    refused,
    request,
    sse,
    stack,
    virtual,
)
from opentelemetry.trace import SpanKind, StatusCode
from telemetry_fakes import Seen, attributes, looking

from trivet.engine.telemetry import Telemetry
from trivet.errors import ProviderError, TransportError
from trivet.limits.account import Account
from trivet.types import HttpReply, Reply


@pytest.fixture
def seen() -> Iterator[Seen]:
    with looking() as found:
        yield found


def test_a_call_is_a_span_by_the_conventions(seen: Seen) -> None:
    async def main() -> None:
        usage = {
            "input_tokens": 20,
            "output_tokens": 3,
            "input_tokens_details": {"cached_tokens": 8},
            "output_tokens_details": {"reasoning_tokens": 1},
        }
        transport = ScriptedTransport(After(2.0, HttpReply(status=200, headers={}, body=body(usage=usage))))
        reply = await stack(transport)(request(tags={"team": "triage"}, label="7"))
        span = seen.only()
        assert (span.name, span.kind, span.status.status_code) == (f"chat {MODEL}", SpanKind.CLIENT, StatusCode.UNSET)
        assert reply.cost is not None
        expected = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": MODEL,
            "gen_ai.request.max_tokens": 16,
            "gen_ai.response.model": MODEL,
            "gen_ai.response.id": "resp_1",
            "gen_ai.response.finish_reasons": ("stop",),
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 8,
            "gen_ai.usage.cache_creation.input_tokens": 0,
            "gen_ai.usage.output_tokens": 3,
            "gen_ai.usage.reasoning.output_tokens": 1,
            "server.address": "api.example.com",
            "server.port": 443,
            "openai.api.type": "responses",
            "openai.response.service_tier": reply.tier,
            "trivet.source": "provider",
            "trivet.attempts": 1,
            "trivet.refusals": 0,
            "trivet.queued": 0.0,
            "trivet.cost": float(reply.cost),
            "trivet.label": "7",
            "trivet.tags.team": "triage",
        }
        assert attributes(span) == expected

    virtual(main())


def test_the_names_are_those_of_the_conventions() -> None:
    """What the official package of names knows is what is written; other names are the project's own."""
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, openai_attributes
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
    from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

    modules = (
        gen_ai_attributes,
        openai_attributes,
        gen_ai_metrics,
        error_attributes,
        http_attributes,
        server_attributes,
    )
    known = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    source = sys.modules[Telemetry.__module__].__file__
    assert source is not None
    with open(source) as file:
        words = file.read().split('"')[1::2]
    written = [w for w in words if w.startswith(("gen_ai.", "openai.", "error.", "http.", "server.")) and "{" not in w]
    assert len(written) > 20
    assert set(written) - known == set()


def test_no_text_and_no_key_is_in_a_span(seen: Seen) -> None:
    async def main() -> None:
        prompt, answer = "a distinctive prompt", "a distinctive answer"
        quoting = fault(400, code="invalid_prompt", message=f"this is not allowed: {prompt}")
        layers = stack(ScriptedTransport(ok(answer), quoting))
        await all_of([layers(request(prompt, cacheable=False)), layers(request(prompt + "2", cacheable=False))])
        told = "".join(span.to_json() for span in seen.spans())
        assert len(seen.spans()) == 2
        for secret in ("distinctive", KEY):
            assert secret not in told

    virtual(main())


def test_an_error_is_told_by_its_code(seen: Seen) -> None:
    async def main() -> None:
        with pytest.raises(ProviderError):
            await stack(ScriptedTransport(fault(400, code="invalid_prompt")))(request())
        span = seen.only()
        assert span.status.status_code is StatusCode.ERROR
        assert attributes(span)["error.type"] == "invalid_prompt"
        assert [event.name for event in span.events] == ["trivet.attempt"]
        assert dict(span.events[0].attributes or {})["http.response.status_code"] == 400

    virtual(main())


def test_retries_are_in_one_span_with_an_event_each(seen: Seen) -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(refused(1), fault(500), ok()))
        await layers(request(cacheable=False))
        span = seen.only()
        assert span.status.status_code is StatusCode.UNSET
        assert attributes(span)["trivet.attempts"] == 3
        assert attributes(span)["trivet.refusals"] == 1
        assert attributes(span)["trivet.possibly_billed"] is True
        assert "trivet.cost" not in attributes(span), "the cost of the 500 is not known"
        statuses = [dict(event.attributes or {})["http.response.status_code"] for event in span.events]
        assert statuses == [429, 500]

    virtual(main())


def test_a_hit_without_a_loop_is_left_to_the_way_that_is_observed(seen: Seen) -> None:
    """While somebody observes, no hit is handed out past the outermost layer."""
    layers = stack(ScriptedTransport(ok()))
    virtual(layers(request()))
    assert layers.hit(request(), lambda: 0.0) is None
    assert virtual(layers(request())).source == "cache"
    assert len(seen.spans()) == 2


def test_a_hit_is_marked_and_bills_nothing(seen: Seen) -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(ok()))
        await layers(request())
        await layers(request())
        hit = attributes(seen.spans()[1])
        assert (hit["trivet.source"], hit["trivet.attempts"], hit["trivet.cost"]) == ("cache", 0, 0.0)
        assert hit["trivet.saved"] == float(price())
        assert not [name for name in hit if name.startswith("gen_ai.usage")]

    virtual(main())


def test_each_caller_of_a_shared_flight_has_a_span_under_its_own_parent(seen: Seen) -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(After(1.0, ok())))

        async def caller(name: str) -> Reply:
            with seen.tracer.start_as_current_span(name):
                return await layers(request())

        await all_of(caller(name) for name in ("one", "two", "three"))
        spans = {span.name: span for span in seen.spans() if not span.name.startswith("chat")}
        parents = {call.parent.span_id for call in seen.calls() if call.parent is not None}
        assert parents == {span.context.span_id for span in spans.values()}
        sources = sorted(str(attributes(call)["trivet.source"]) for call in seen.calls())
        assert sources == ["coalesced", "coalesced", "provider"]
        assert sum("gen_ai.usage.input_tokens" in attributes(call) for call in seen.calls()) == 1

    virtual(main())


def test_a_cancelled_caller_ends_its_span_while_the_flight_goes_on(seen: Seen) -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(After(1.0, fault(500)), After(1.0, ok())))
        first = asyncio.create_task(layers(request()))
        await asyncio.sleep(0.5)
        second = asyncio.create_task(layers(request()))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).text == "billing"
        cancelled, answered = seen.spans()
        assert attributes(cancelled)["error.type"] == "cancelled"
        assert cancelled.events == ()
        assert attributes(answered)["trivet.attempts"] == 2

    virtual(main())


def test_a_stream_tells_its_first_chunk_and_its_first_text_apart(seen: Seen) -> None:
    async def main() -> None:
        created, first, second, end = sse("bil", "ling")
        chunks: list[Any] = [1.0, created, 2.0, first, second, 1.0, end]
        layers = stack(ScriptedTransport(Streamed(chunks)))
        with seen.tracer.start_as_current_span("reader") as reader:
            events = [event async for event in layers.stream(request(stream=True))]
        assert events[-1].reply is not None
        call = attributes(span := seen.calls()[0])
        assert span.parent is not None
        assert span.parent.span_id == reader.get_span_context().span_id
        assert call["gen_ai.request.stream"] is True
        assert call["gen_ai.response.time_to_first_chunk"] == pytest.approx(1.0)
        assert call["trivet.ttft"] == pytest.approx(3.0)
        (point,) = seen.points("gen_ai.client.operation.time_to_first_chunk")
        assert (point.count, point.sum) == (1, pytest.approx(1.0))

    virtual(main())


def test_a_stream_that_breaks_is_an_error(seen: Seen) -> None:
    async def main() -> None:
        created, first, _, _ = sse("bil", "ling")
        layers = stack(ScriptedTransport(Streamed([created, first, TransportError("cut", kind="reset", sent=True)])))
        with pytest.raises(TransportError):
            [event async for event in layers.stream(request(stream=True))]
        assert attributes(seen.only())["error.type"] == "transport_reset"

    virtual(main())


def test_a_call_that_the_budget_stops_is_an_error_without_attempts(seen: Seen) -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(ok()), account=Account(Decimal("0.000001")))
        (error,) = await all_of([layers(request())])
        assert error.code == attributes(seen.only())["error.type"] == "budget"
        assert attributes(seen.only())["trivet.attempts"] == 0

    virtual(main())


ALONE = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from engine_fakes import ScriptedTransport, ok, request, stack, virtual

async def main():
    layers = stack(ScriptedTransport(ok()))
    await layers(request("1"))
    loaded = [name for name in sys.modules if name.startswith("opentelemetry")]
    from opentelemetry import metrics, trace
    await layers(request("2"))
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    await layers(request("3"))
    print(loaded, [span.name for span in exporter.get_finished_spans()])

virtual(main())
"""


def test_nothing_is_loaded_before_and_a_provider_set_up_later_works() -> None:
    """Without a provider OpenTelemetry is not even imported; one set up after the layers were made is used."""
    code = ALONE.format(tests=__file__.rsplit("/", 1)[0])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[] ['chat {MODEL}']"


def test_the_provider_is_named_by_its_host() -> None:
    """Azure's flavour has a name of its own; any other server speaks the provider's protocol."""
    from trivet.engine.telemetry import _server
    from trivet.settings import Endpoint

    azure = _server(Endpoint(base_url="https://mine.openai.azure.com/openai/v1", api_key="k"))
    local = _server(Endpoint(base_url="http://127.0.0.1:8000/v1", api_key=None))
    assert (azure["gen_ai.provider.name"], azure["server.port"]) == ("azure.ai.openai", 443)
    assert (local["gen_ai.provider.name"], local["server.address"], local["server.port"]) == (
        "openai",
        "127.0.0.1",
        8000,
    )
    assert _server(ENDPOINT)["server.address"] == "api.example.com"


def test_without_a_provider_the_call_is_handed_on_as_it_came() -> None:
    """No coroutine of its own around the call: what the inner layer returns is what the caller awaits."""
    code = (
        "from trivet.engine.telemetry import Telemetry\n"
        "from trivet.settings import Endpoint\n"
        "marks = []\n"
        "layer = Telemetry(lambda request: marks, Endpoint(base_url='http://x/v1', api_key=None))\n"
        "print(layer(None) is marks)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
