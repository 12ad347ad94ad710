"""OpenTelemetry, by the semantic conventions for generative AI: a span a call, and metrics.

Only where the program has set up a provider of its own. Whoever does that has imported `opentelemetry.trace` or
`opentelemetry.metrics`, so a look into `sys.modules` tells; nothing is imported before, and a call in a program
without a provider is handed on as it came. A provider that is set up later is found by the next call.

The conventions leave open what a cache in the client is. Here a hit is a span too, marked by `trivet.source`, and
carries no `gen_ai.usage.*`: whatever prices spans by their tokens would bill it. Tokens and cost are those of every
attempt that was billed, a call's retries included. `gen_ai.client.operation.duration` leaves out the wait for a
permit, which is `trivet.queued`; the span's own length has it in. Never in either: a prompt, an answer, an error's
message (it may quote them), an API key.

Source: semantic conventions of OpenTelemetry 1.37 and later, generative AI client spans and metrics, status
"development"; `openai.*` by the page on OpenAI.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from trivet import __version__
from trivet.errors import RequestError
from trivet.settings import Endpoint
from trivet.types import Attempt, Event, Reply, Request

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

TOO_MANY_REQUESTS = 429

FINISH = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""The conventions' word for why an answer is incomplete."""

DURATIONS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


_TRACING, _METERING = "opentelemetry.trace", "opentelemetry.metrics"


class Telemetry:
    """Around all layers: observes a call where a provider is set up, and is not there where none is."""

    def __init__(self, inner: Callable[[Request], Coroutine[Any, Any, Reply]], endpoint: Endpoint) -> None:
        self._inner = inner
        self._server = _server(endpoint)
        self._providers: _Providers | None = None
        self._observer: _Observer | None = None

    def __call__(self, request: Request) -> Coroutine[Any, Any, Reply]:
        """The inner call, observed or as it is."""
        observer = self.observer()
        return self._inner(request) if observer is None else observer.observe(self._inner, request)

    def observer(self) -> _Observer | None:
        """Who would observe a call made now; None where no provider is set up."""
        if _TRACING not in sys.modules and _METERING not in sys.modules:
            return None
        if self._providers is None:
            self._providers = _Providers()
        providers = self._providers.now()
        if providers[0] is None and providers[1] is None:
            return None
        observer = self._observer
        if observer is None or observer.providers is not providers:
            observer = self._observer = _Observer(providers, self._server)
        return observer


class _Providers:
    """What the program has set up, looked up for every call: by identity, because that costs next to nothing."""

    def __init__(self) -> None:
        from opentelemetry.metrics import NoOpMeterProvider, get_meter_provider
        from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, get_tracer_provider

        self._tracing, self._metering = get_tracer_provider, get_meter_provider
        self._seen: tuple[object, object] = None, None
        self._usable: tuple[TracerProvider | None, MeterProvider | None] = None, None
        self._idle_tracing = (ProxyTracerProvider, NoOpTracerProvider)
        self._idle_metering = NoOpMeterProvider

    def now(self) -> tuple[TracerProvider | None, MeterProvider | None]:
        """The providers; None for one that does nothing."""
        tracing, metering = self._tracing(), self._metering()
        if tracing is not self._seen[0] or metering is not self._seen[1]:
            # the stand-in for metrics until a provider is set has no public name
            idle = isinstance(metering, self._idle_metering) or type(metering).__name__ == "_ProxyMeterProvider"
            self._usable = (
                None if isinstance(tracing, self._idle_tracing) else tracing,
                None if idle else metering,
            )
            self._seen = tracing, metering
        return self._usable


class _Observer:
    """Spans and metrics of one pair of providers."""

    def __init__(self, providers: tuple[TracerProvider | None, MeterProvider | None], server: dict[str, Any]) -> None:
        from opentelemetry.trace import NoOpTracer

        self.providers = providers
        tracing, metering = providers
        self._server = server
        self._tracer = NoOpTracer() if tracing is None else tracing.get_tracer("trivet", __version__)
        self._metrics = None if metering is None else _Metrics(metering)

    async def observe(self, inner: Callable[[Request], Awaitable[Reply]], request: Request) -> Reply:
        """The inner call in a span, counted."""
        from opentelemetry.trace import SpanKind, use_span

        span = self._tracer.start_span(
            f"chat {request.model}", kind=SpanKind.CLIENT, attributes=self._server | _asked(request)
        )
        chunks: list[float] = []
        watched = _watched(request, span, chunks)
        began = asyncio.get_running_loop().time()
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                reply = await inner(watched)
        except RequestError as error:
            _failed(span, error.code)
            told = {"error.type": error.code, "trivet.source": "provider"}
            self._end(span, request, told, error, cost=error.cost)
            raise
        except BaseException as error:
            _failed(span, "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__)
            span.end()
            raise
        if reply.status == "failed":
            _failed(span, reply.reason or "failed")
        span.set_attributes(_answered(reply))
        first = chunks[0] - began - reply.queued if chunks else None
        if first is not None:
            span.set_attribute("gen_ai.response.time_to_first_chunk", first)
        told = {"trivet.source": reply.source, "gen_ai.response.model": reply.model}
        if reply.status == "failed":
            told["error.type"] = reply.reason or "failed"
        self._end(span, request, told, reply, cost=reply.cost, first_chunk=first)
        return reply

    def _end(
        self,
        span: Span,
        request: Request,
        told: dict[str, Any],
        outcome: Reply | RequestError,
        *,
        cost: Any,
        first_chunk: float | None = None,
    ) -> None:
        """Write the end of a call on its span, and count it."""
        attempts = outcome.attempts
        usage = _usage(attempts)
        if span.is_recording():
            span.set_attributes(usage | _spent(attempts, outcome.queued, cost))
            span.set_attribute("trivet.source", told["trivet.source"])
        span.end()
        if self._metrics is not None:
            labels = {**self._server, "gen_ai.request.model": request.model, **told}
            self._metrics.count(labels, outcome, usage, cost=cost, first_chunk=first_chunk)


class _Metrics:
    """The instruments, made once a provider."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("trivet", __version__)
        histogram, counter = meter.create_histogram, meter.create_counter
        self.duration = histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration, without the wait for a permit.",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self.tokens = histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens billed.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        self.first_chunk = histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time to the first event of a streamed reply.",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self.queued = histogram(
            "trivet.queued",
            unit="s",
            description="Wait for a permit.",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self.cost = counter("trivet.cost", unit="{USD}", description="US dollars of calls with a known cost.")
        self.saved = counter("trivet.saved", unit="{USD}", description="US dollars that hits would have cost.")
        self.unpriced = counter("trivet.unpriced", unit="{call}", description="Calls whose cost is not known.")
        self.retries = counter("trivet.retries", unit="{attempt}", description="Attempts after a call's first.")
        self.refusals = counter("trivet.refusals", unit="{attempt}", description="Attempts refused for pace (429).")

    def count(
        self,
        labels: dict[str, Any],
        outcome: Reply | RequestError,
        usage: dict[str, int],
        *,
        cost: Any,
        first_chunk: float | None,
    ) -> None:
        """Count one call."""
        self.duration.record(outcome.latency or 0.0, labels)
        self.queued.record(outcome.queued, labels)
        if first_chunk is not None:
            self.first_chunk.record(first_chunk, labels)
        for kind in ("input", "output"):
            tokens = usage.get(f"gen_ai.usage.{kind}_tokens")
            if tokens is not None:
                self.tokens.record(tokens, {**labels, "gen_ai.token.type": kind})
        if cost is None:
            self.unpriced.add(1, labels)
        elif cost:
            self.cost.add(float(cost), labels)
        if isinstance(outcome, Reply) and outcome.saved:
            self.saved.add(float(outcome.saved), labels)
        if len(outcome.attempts) > 1:
            self.retries.add(len(outcome.attempts) - 1, labels)
        refusals = _refusals(outcome.attempts)
        if refusals:
            self.refusals.add(refusals, labels)


def _server(endpoint: Endpoint) -> dict[str, Any]:
    """What every call to this server has in common."""
    parts = urlsplit(endpoint.base_url)
    host = parts.hostname or ""
    azure = host.endswith((".openai.azure.com", ".cognitiveservices.azure.com"))
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai" if azure else "openai",
        "server.address": host,
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
    }


def _asked(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = {"gen_ai.request.model": request.model, "openai.api.type": "responses"}
    if isinstance(request.max_output, int):
        asked["gen_ai.request.max_tokens"] = request.max_output
    if request.watch is not None:
        asked["gen_ai.request.stream"] = True
    if request.tier is not None:
        asked["openai.request.service_tier"] = request.tier
    if request.label:
        asked["trivet.label"] = request.label
    return asked | {f"trivet.tags.{name}": str(value) for name, value in request.tags.items()}


def _answered(reply: Reply) -> dict[str, Any]:
    answered: dict[str, Any] = {"gen_ai.response.model": reply.model}
    if reply.id:
        answered["gen_ai.response.id"] = reply.id
    if reply.tier is not None:
        answered["openai.response.service_tier"] = reply.tier
    finish = _finish(reply)
    if finish is not None:
        answered["gen_ai.response.finish_reasons"] = (finish,)
    if reply.saved is not None:
        answered["trivet.saved"] = float(reply.saved)
    if reply.ttft is not None:
        answered["trivet.ttft"] = reply.ttft
    if reply.simulated:
        answered["trivet.simulated"] = True
    return answered


def _finish(reply: Reply) -> str | None:
    """Why the model stopped; None where the reply does not say."""
    if reply.status == "completed":
        return None if reply.has_other_output else "stop"  # it may be a call of a tool
    if reply.status == "failed":
        return "error"
    return FINISH.get(reply.reason or "")


def _usage(attempts: tuple[Attempt, ...]) -> dict[str, int]:
    """Tokens of all attempts that were billed; nothing where none is known. Cached ones are part of the input."""
    known = [attempt.usage for attempt in attempts if attempt.usage is not None]
    if not known:
        return {}
    return {
        "gen_ai.usage.input_tokens": sum(usage.input for usage in known),
        "gen_ai.usage.output_tokens": sum(usage.output for usage in known),
        "gen_ai.usage.cache_read.input_tokens": sum(usage.cached_input for usage in known),
        "gen_ai.usage.cache_creation.input_tokens": sum(u.cache_write + u.cache_write_12h for u in known),
        "gen_ai.usage.reasoning.output_tokens": sum(usage.reasoning for usage in known),
    }


def _spent(attempts: tuple[Attempt, ...], queued: float, cost: Any) -> dict[str, Any]:
    spent: dict[str, Any] = {
        "trivet.attempts": len(attempts),
        "trivet.refusals": _refusals(attempts),
        "trivet.queued": queued,
    }
    if cost is not None:
        spent["trivet.cost"] = float(cost)
    if any(attempt.possibly_billed for attempt in attempts):
        spent["trivet.possibly_billed"] = True
    return spent


def _event(attempt: Attempt) -> dict[str, Any]:
    """An attempt that failed."""
    event: dict[str, Any] = {
        "trivet.latency": attempt.latency,
        "error.type": attempt.error,
        "http.response.status_code": attempt.status,
        "trivet.request_id": attempt.request_id,
    }
    return {name: value for name, value in event.items() if value is not None}


def _refusals(attempts: tuple[Attempt, ...]) -> int:
    return sum(attempt.status == TOO_MANY_REQUESTS for attempt in attempts)


def _failed(span: Span, code: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR, code)
    span.set_attribute("error.type", code)


def _watched(request: Request, span: Span, chunks: list[float]) -> Request:
    """The request, with each attempt that fails told to the span, and the moment of its first event to `chunks`."""
    watch, journal = request.watch, request.journal
    if watch is not None:
        clock, on = asyncio.get_running_loop().time, watch

        def look(event: Event) -> None:
            if not chunks:
                chunks.append(clock())
            on(event)

        watch = look

    def tell(asked: Request, attempt: Attempt | None) -> Awaitable[None] | None:
        if attempt is not None and span.is_recording():  # it has ended where a flight outlives its caller
            span.add_event("trivet.attempt", _event(attempt))
        return None if journal is None else journal(asked, attempt)

    return replace(request, watch=watch, journal=tell if span.is_recording() else journal)
