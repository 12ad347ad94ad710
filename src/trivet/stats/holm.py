"""Several claims at once: Holm's step-down procedure.

Of m claims, the one with the smallest p-value is held against alpha / m, the next against alpha / (m - 1), and so on,
up to the first that fails; it and all after it are not proven. However many of the claims are false, one of them is
proven with a chance of alpha at most. Source: S. Holm, "A simple sequentially rejective multiple test procedure",
Scandinavian Journal of Statistics 6 (1979) 65-70.
"""

from __future__ import annotations

from collections.abc import Mapping


def levels(p_values: Mapping[str, float], alpha: float) -> dict[str, float]:
    """The level each claim is held against: it is proven exactly where its p-value is below its level."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    found: dict[str, float] = {}
    failed: float | None = None
    for place, name in enumerate(ordered):
        level = alpha / (len(ordered) - place) if failed is None else failed
        if failed is None and p_values[name] >= level:
            failed = level
        found[name] = level
    return found
