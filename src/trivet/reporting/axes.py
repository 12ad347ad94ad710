"""Scales and ticks: where a value goes, and which round values are named beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor, isfinite, log, log10


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps `low`..`high` onto 0..1, by ratio where `by_ratio`; what is outside is put on the edge."""

    low: float
    high: float
    by_ratio: bool = False

    def at(self, value: float) -> float:
        """Where the value goes."""
        if not isfinite(value) or self.high <= self.low:
            return 0.5
        if self.by_ratio:
            place = (log(max(value, self.low)) - log(self.low)) / (log(self.high) - log(self.low))
        else:
            place = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, place))

    def ticks(self, most: int = 5) -> list[float]:
        """Round values on the scale."""
        if self.high <= self.low:
            return [self.low]
        return _ratio_ticks(self.low, self.high, most) if self.by_ratio else _even_ticks(self.low, self.high, most)


def up_to(value: float, most: int = 4) -> Scale:
    """A scale from 0 to the next round value."""
    if not isfinite(value) or value <= 0:
        return Scale(0.0, 1.0)
    step = _round_up(value / most)
    return Scale(0.0, step * ceil(value / step - 1e-9))


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** floor(log10(value))
    return next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= value * (1 - 1e-9))


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    step = _round_up((high - low) / most)
    first = ceil(low / step - 1e-9)
    return [k * step for k in range(first, floor(high / step + 1e-9) + 1)]


def _ratio_ticks(low: float, high: float, most: int) -> list[float]:
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    for steps in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        ticks = [10.0**power * step for power in powers for step in steps if low <= 10.0**power * step <= high]
        if len(ticks) <= most:
            return ticks if len(ticks) > 1 else _even_ticks(low, high, most)
    every = ceil(len(ticks) / most)
    return ticks[::every]


Show = Callable[[float], str]


def duration(value: float) -> str:
    """A duration as short as it goes: `200 ms`, `1.5 s`, `3 min`."""
    for size, unit in ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (0.001, "ms"), (1e-6, "µs")):
        if value >= size * (2 if size >= 60 else 1) * (1 - 1e-9):
            return f"{_short(value / size)} {unit}"
    return "0 s" if value <= 0 else f"{value * 1e9:.3g} ns"


def amount(value: float) -> str:
    """A number as short as it goes: `850`, `1.2k`, `3M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * (10 if size == 1e3 else 1):
            return f"{_short(value / size)}{unit}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else _short(value)


def money(value: float) -> str:
    """Dollars with as many digits as they need."""
    return f"${value:,.2f}" if value >= 1 else f"${value:.2g}" if value else "$0"


def share(value: float) -> str:
    """A share as a percentage."""
    return f"{_short(value * 100)} %"


def times(value: float) -> str:
    """A ratio: `2x`, `0.5x`."""
    return f"{_short(value)}×"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def exact(value: float | Decimal) -> Decimal:
    """The number as it was written."""
    return value if isinstance(value, Decimal) else Decimal(repr(value))
