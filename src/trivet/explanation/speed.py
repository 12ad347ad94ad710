"""How long one call takes: measured where it was, else the model's published speed with an assumed spread."""

from __future__ import annotations

import random
from collections.abc import Sequence

from msgspec import Struct

from trivet.sim.constants import FAST, FLEX, PREFILL, SPREAD_RATE, SPREAD_TTFT
from trivet.sim.models import find

DRAWS = 2_000
"""Calls drawn from a published speed."""


class Speed(Struct, frozen=True, kw_only=True):
    """Seconds a call, of some; `source`: `measured` (by `count` calls), `published`, or `assumed`."""

    latencies: tuple[float, ...]
    source: str
    count: int = 0


def measured(latencies: Sequence[float]) -> Speed | None:
    """From calls that were made; None where there were too few."""
    return Speed(latencies=tuple(latencies), source="measured", count=len(latencies)) if len(latencies) >= 8 else None


def published(model: str, tier: str | None, inputs: Sequence[int], outputs: Sequence[float]) -> Speed | None:
    """From the model's published speed, for calls of such sizes; None where no speed is known.

        latency = TTFT + input / prefill + output / rate,   TTFT and rate log-normal around the published medians

    The spread is assumed, and so is how much longer the flex tier takes.
    """
    known = find(model)
    if known is None or not inputs or not outputs:
        return None
    draw = random.Random(0)
    rate = known.speed.tokens_per_s * (FAST.value if tier in ("fast", "priority") else 1.0)
    scale = FLEX.value if tier == "flex" else 1.0
    latencies = []
    for _ in range(DRAWS):
        first = known.speed.ttft * draw.lognormvariate(0, SPREAD_TTFT.value) + draw.choice(inputs) / PREFILL.value
        each = rate * draw.lognormvariate(0, SPREAD_RATE.value)
        latencies.append(scale * (first + draw.choice(outputs) / each))
    source = "published" if known.speed.source != "assumed" else "assumed"
    return Speed(latencies=tuple(latencies), source=source)
