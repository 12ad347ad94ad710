"""Spans of calls through the doors hang under the span of whoever called, across threads and tasks."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from trivet import sim

PROGRAM = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import trivet

client = trivet.Client(base_url=sys.argv[1], simulated=sys.argv[2], tags={"team": "search"})
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("program")
ask = "Classify the note into one of: red, blue. Return only the label.\\n\\nThe blue sky."
with tracer.start_as_current_span("respond"):
    client.respond(ask, max_output_tokens=16)
with tracer.start_as_current_span("stream"):
    list(client.stream(ask + " Again.", max_output_tokens=16))
task = trivet.Task(ask + " {{ n }}", params={"max_output_tokens": 16})
with tracer.start_as_current_span("map"):
    list(client.map(task, [{"n": n // 2} for n in range(10)], folder=None))
client.respond(ask + " Alone.", max_output_tokens=16)
client.close()
spans = exporter.get_finished_spans()
names = {span.context.span_id: span.name for span in spans}
for span in spans:
    if span.name.startswith("chat"):
        assert span.attributes["trivet.tags.team"] == "search", span
        print(names[span.parent.span_id] if span.parent else "nobody")
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_calls_hang_under_their_callers(simulator: sim.Simulator, loop: str) -> None:
    """Blocking calls run in another thread, rows in tasks of a run, shared requests in flights of their own."""
    without = "" if loop == "uvloop" else "import sys\nsys.modules['uvloop'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", without + PROGRAM, simulator.url, simulator.identity], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert Counter(done.stdout.split()) == {"respond": 1, "stream": 1, "map": 10, "nobody": 1}
