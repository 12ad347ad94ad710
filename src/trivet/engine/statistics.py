"""What the layers count, together: of one stack, or of the stacks of several event loops as one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, TypeVar

from msgspec import Struct

from trivet.engine.coalesce import CoalesceStatistics
from trivet.engine.limit import LimitStatistics
from trivet.engine.meter import MeterStatistics
from trivet.engine.retry import RetryStatistics
from trivet.engine.shelf import ShelfStatistics

T = TypeVar("T")

SHARED = frozenset({"limit_requests", "limit_tokens", "oldest_wait", "paused"})
"""Of these, several loops see the same one, or the longest counts; all other figures add up."""


class StackStatistics(Struct, frozen=True, kw_only=True):
    """Counts of the layers: calls and money; replies kept; shared flights; retries; permits and pace."""

    meter: MeterStatistics
    shelf: ShelfStatistics
    coalesce: CoalesceStatistics
    retry: RetryStatistics
    limit: LimitStatistics


def together(parts: Iterable[StackStatistics]) -> StackStatistics:
    """The sum over event loops; there is at least one."""
    return reduce(_sum, parts)


def _sum(one: T, other: T) -> T:
    """Two records of one kind, field by field."""
    values: dict[str, Any] = {}
    for name in one.__struct_fields__:  # type: ignore[attr-defined]
        values[name] = _sum_of(name, getattr(one, name), getattr(other, name))
    return type(one)(**values)


def _sum_of(name: str, one: Any, other: Any) -> Any:
    if isinstance(one, Struct):
        return _sum(one, other)
    if one is None or other is None:
        return one if other is None else other
    return max(one, other) if name in SHARED else one + other
