"""The official SDK, exporting to memory, as this process's provider; silent but while a test looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Tracing(trace.TracerProvider):
    """A process can set its provider once, so this one hands the work to whichever test is on."""

    def __init__(self) -> None:
        self.current: trace.TracerProvider = trace.NoOpTracerProvider()

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return self.current.get_tracer(*args, **kwargs)


class Metering(metrics.MeterProvider):
    """The same for metrics."""

    def __init__(self) -> None:
        self.current: metrics.MeterProvider = metrics.NoOpMeterProvider()

    def get_meter(self, *args: Any, **kwargs: Any) -> metrics.Meter:
        return self.current.get_meter(*args, **kwargs)


TRACING, METERING = Tracing(), Metering()


class Seen:
    """What one test's calls left."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracing = TracerProvider(shutdown_on_exit=False)
        self.tracing.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.metering = MeterProvider([self._reader], shutdown_on_exit=False)
        self.tracer = self.tracing.get_tracer("test")
        self._points: dict[str, list[Any]] | None = None

    def spans(self) -> list[ReadableSpan]:
        """All, in the order they ended."""
        return list(self._exporter.get_finished_spans())

    def calls(self) -> list[ReadableSpan]:
        """Those of calls."""
        return [span for span in self.spans() if span.name.startswith("chat ")]

    def only(self) -> ReadableSpan:
        """The one span there is."""
        (span,) = self.spans()
        return span

    def points(self, name: str) -> list[Any]:
        """The data points of a metric so far."""
        data = self._reader.get_metrics_data()
        found = [] if data is None else [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        return [point for metric in found if metric.name == name for point in metric.data.data_points]

    def total(self, name: str) -> float:
        """A counter's value over all attributes."""
        return sum(point.value for point in self.points(name))


@contextmanager
def looking() -> Iterator[Seen]:
    """Everything exported meanwhile."""
    if trace.get_tracer_provider() is not TRACING:
        trace.set_tracer_provider(TRACING)
        metrics.set_meter_provider(METERING)
    seen = Seen()
    TRACING.current, METERING.current = seen.tracing, seen.metering
    try:
        yield seen
    finally:
        TRACING.current, METERING.current = trace.NoOpTracerProvider(), metrics.NoOpMeterProvider()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """A span's attributes."""
    return dict(span.attributes or {})
