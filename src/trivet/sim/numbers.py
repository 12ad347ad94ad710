"""A number within a schema's bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_TINY = 1e-3


def within(schema: Mapping[str, Any], *, whole: bool, chance: bool) -> int | float:
    """A number that keeps the bounds and is a multiple as asked; `chance`: near 1 where it is free."""
    step = float(schema.get("multipleOf") or (1 if whole else 0))
    low = _bound(schema.get("minimum"), schema.get("exclusiveMinimum"), step or _TINY, max)
    high = _bound(schema.get("maximum"), schema.get("exclusiveMaximum"), -(step or _TINY), min)
    reach = 10 * (step or 1)
    if low is None and high is None:
        low, high = (0.0, 1.0) if chance else (1.0, 5.0)
    low = (high or 0.0) - reach if low is None else low
    high = low + reach if high is None else high
    value = low + (high - low) * (0.9 if chance else 0.5)
    if step:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        value = min(max(round(value / step), first), last) * step
    return int(value) if whole else round(value, 9)


def _bound(inclusive: Any, exclusive: Any, nudge: float, tighter: Any) -> float | None:
    bounds = [float(inclusive)] if isinstance(inclusive, (int, float)) else []
    if isinstance(exclusive, (int, float)) and not isinstance(exclusive, bool):
        bounds.append(float(exclusive) + nudge)
    return float(tighter(bounds)) if bounds else None
