"""What the provider documents about each model, as of November 2026, and how fast it is.

Sources: "documentation" is the provider's model pages, guides and SDK; a speed has its own source, or is
*assumed* where no public measurement was found.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

CacheFamily = Literal["exact", "wide", "blocks"]
"""`exact`: GPT-5.6 and later, writes billed. `wide`: GPT-5.5. `blocks`: earlier models."""

LimitClass = Literal["mini", "nano", "terra", "pro"]


class Speed(Struct, frozen=True, kw_only=True):
    """Median time to first token (seconds, short input), output tokens a second, and their source."""

    ttft: float
    tokens_per_s: float
    source: str


class Model(Struct, frozen=True, kw_only=True):
    """One model: the efforts it takes (none: no reasoning), its windows in tokens, its class of limits.

    `sampling`: whether temperature and top_p are taken. `tiers`: beside auto and default.
    `fast_echo`: what `service_tier` says when Fast served the request.
    """

    id: str
    efforts: tuple[str, ...]
    effort: str | None
    context: int
    max_output: int
    sampling: bool
    tiers: tuple[str, ...]
    fast_echo: str
    cache: CacheFamily
    limits: LimitClass
    speed: Speed


_ARTIFICIAL_ANALYSIS = "Artificial Analysis, 2026"
_ASSUMED = "assumed"

_FULL = ("none", "low", "medium", "high", "xhigh", "max")
_NO_NONE = ("low", "medium", "high", "xhigh", "max")
_FIVE_FOUR = ("none", "low", "medium", "high", "xhigh")
_FIVE = ("minimal", "low", "medium", "high")

_ALL_TIERS = ("flex", "priority", "fast")


def _model(
    name: str,
    efforts: tuple[str, ...],
    effort: str | None,
    speed: tuple[float, float, str],
    *,
    context: int = 1_050_000,
    max_output: int = 128_000,
    sampling: bool = True,
    tiers: tuple[str, ...] = _ALL_TIERS,
    cache: CacheFamily = "exact",
    limits: LimitClass = "terra",
) -> Model:
    ttft, rate, source = speed
    return Model(
        id=name,
        efforts=efforts,
        effort=effort,
        context=context,
        max_output=max_output,
        sampling=sampling,
        tiers=tiers,
        fast_echo="fast" if name.startswith("gpt-6") else "priority",
        cache=cache,
        limits=limits,
        speed=Speed(ttft=ttft, tokens_per_s=rate, source=source),
    )


_ULTRA = (*_ALL_TIERS, "ultrafast")
_NEW = (
    _model("gpt-6-luna", _FULL, "medium", (0.74, 130.6, _ARTIFICIAL_ANALYSIS), limits="mini"),
    _model("gpt-6-sol", _FULL, "medium", (0.89, 103.3, _ARTIFICIAL_ANALYSIS)),
    _model("gpt-6-astra", _NO_NONE, "medium", (1.2, 60, _ASSUMED), sampling=False),
    _model("gpt-6.1-sol", _NO_NONE, "medium", (0.9, 100, _ASSUMED), sampling=False, tiers=_ULTRA),
    _model("gpt-6.1-terra", _NO_NONE, "medium", (0.8, 110, _ASSUMED), sampling=False),
    _model(
        "gpt-6.2-sol",
        _NO_NONE,
        "medium",
        (0.9, 100, _ASSUMED),
        sampling=False,
        tiers=("priority", "fast", "ultrafast"),
    ),
    _model("gpt-6.2-astra", _NO_NONE, "medium", (1.2, 60, _ASSUMED), sampling=False, tiers=("priority", "fast")),
    _model("gpt-5.6-luna", _FULL, "medium", (0.6, 130, _ASSUMED), limits="mini"),
    _model("gpt-5.6-terra", _FULL, "medium", (0.7, 90, _ASSUMED)),
    _model("gpt-5.6-sol", _FULL, "medium", (0.8, 90, _ASSUMED)),
)
_FIVES = (
    _model("gpt-5.5", _FIVE_FOUR, "medium", (0.6, 80, _ASSUMED), cache="wide"),
    _model("gpt-5.4", _FIVE_FOUR, "none", (0.40, 88, "BridgeBench, medians of 6-9 runs"), cache="blocks"),
    _model(
        "gpt-5.4-mini",
        _FIVE_FOUR,
        "none",
        (0.40, 168, "tokens/s: Artificial Analysis, quoted; TTFT: that of gpt-5.4, assumed"),
        context=400_000,
        cache="blocks",
        limits="mini",
    ),
    _model(
        "gpt-5.4-nano",
        _FIVE_FOUR,
        "none",
        (0.40, 191, "tokens/s: benchlm.ai at effort xhigh, 2026-04-07; TTFT: that of gpt-5.4, assumed"),
        context=400_000,
        tiers=("flex",),
        cache="blocks",
        limits="nano",
    ),
    _model("gpt-5.4-pro", _FIVE_FOUR[2:], "medium", (3.0, 30, _ASSUMED), cache="blocks", limits="pro"),
    _model("gpt-5.2", _FIVE_FOUR, "none", (0.5, 80, _ASSUMED), context=400_000, cache="blocks"),
    _model("gpt-5.1", _FIVE_FOUR[:4], "none", (0.5, 80, _ASSUMED), context=400_000, cache="blocks"),
    _model("gpt-5", _FIVE, "medium", (0.6, 80, _ASSUMED), context=400_000, sampling=False, cache="blocks"),
    _model(
        "gpt-5-mini",
        _FIVE,
        "medium",
        (0.5, 120, _ASSUMED),
        context=400_000,
        sampling=False,
        cache="blocks",
        limits="mini",
    ),
    _model(
        "gpt-5-nano",
        _FIVE,
        "medium",
        (0.4, 150, _ASSUMED),
        context=400_000,
        sampling=False,
        tiers=("flex",),
        cache="blocks",
        limits="nano",
    ),
)


def _four(name: str, rate: float, context: int, max_output: int, limits: LimitClass) -> Model:
    return _model(
        name,
        (),
        None,
        (0.5, rate, _ASSUMED),
        context=context,
        max_output=max_output,
        tiers=("priority", "fast"),
        cache="blocks",
        limits=limits,
    )


_FOURS = (
    _four("gpt-4.1", 80, 1_047_576, 32_768, "terra"),
    _four("gpt-4.1-mini", 90, 1_047_576, 32_768, "mini"),
    _four("gpt-4o", 90, 128_000, 16_384, "terra"),
    _four("gpt-4o-mini", 80, 128_000, 16_384, "mini"),
)

MODELS: dict[str, Model] = {model.id: model for model in (*_NEW, *_FIVES, *_FOURS)}
"""The models the simulator knows."""

_ALIASES = {"gpt-5.6": "gpt-5.6-sol"}
_DATED = re.compile(r"-20\d\d-\d\d-\d\d$")

TIERS: dict[LimitClass, tuple[tuple[int, int], ...]] = {
    "mini": (
        (500, 500_000),
        (5_000, 2_000_000),
        (5_000, 4_000_000),
        (10_000, 10_000_000),
        (30_000, 180_000_000),
    ),
    "nano": (
        (500, 200_000),
        (5_000, 2_000_000),
        (5_000, 4_000_000),
        (10_000, 10_000_000),
        (30_000, 180_000_000),
    ),
    "terra": (
        (500, 500_000),
        (5_000, 1_000_000),
        (5_000, 2_000_000),
        (10_000, 4_000_000),
        (15_000, 40_000_000),
    ),
    "pro": ((500, 30_000), (5_000, 450_000), (5_000, 800_000), (10_000, 2_000_000), (10_000, 30_000_000)),
}
"""Requests and tokens a minute of usage tiers 1 to 5, from the provider's model pages.

No table was found for gpt-5.4, 5.5, 5.6-sol, 6-sol, 6.1 and 6.2: that of gpt-5.6-terra is assumed.
"""


def find(name: str) -> Model | None:
    """The model of that name, alias or dated snapshot; None when the provider has no such model."""
    name = _DATED.sub("", name)
    return MODELS.get(_ALIASES.get(name, name))
