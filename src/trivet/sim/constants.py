"""Every constant of the simulator with its unit and source: a document of the provider, or *assumed*."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from msgspec import Struct

from trivet.sim import models

T = TypeVar("T")

ASSUMED = "assumed"
_CACHING = "provider's documentation, prompt caching"
_LIMITS = "provider's documentation, rate limits"


class Constant(Struct, Generic[T], frozen=True, kw_only=True):
    """A named value, its unit, and where it is from."""

    name: str
    value: T
    unit: str
    source: str


def _constant(name: str, value: T, unit: str, source: str) -> Constant[T]:
    return Constant(name=name, value=value, unit=unit, source=source)


MESSAGE_TOKENS = _constant("usage.message", 4, "tokens a message, for its role and bounds", ASSUMED)
REPLY_TOKENS = _constant("usage.reply", 3, "tokens a request, to open the reply", ASSUMED)
IMAGE_TOKENS = _constant("usage.image", 765, "tokens an image or file", ASSUMED)

SPREAD_TTFT = _constant("latency.ttft.spread", 0.35, "standard deviation of the logarithm", ASSUMED)
SPREAD_RATE = _constant("latency.tokens_per_s.spread", 0.20, "standard deviation of the logarithm", ASSUMED)
PREFILL = _constant("latency.prefill", 60_000.0, "uncached input tokens a second", ASSUMED)
ACCEPTED = _constant("latency.accepted", 0.15, "share of the TTFT until response.created", ASSUMED)
REFUSED = _constant("latency.refused", 0.02, "seconds until an error is answered", ASSUMED)
FAST = _constant("latency.fast", 2.5, "times the tokens a second, Fast mode", "provider's documentation, 'up to 2.5x'")
ULTRAFAST = _constant("latency.ultrafast", 6.0, "times the tokens a second, Ultrafast", ASSUMED)
FLEX = _constant("latency.flex", 3.0, "times the duration, Flex", ASSUMED)
SLOW = _constant("latency.slow", 0.5, "seconds between pieces of a dribbling reply", ASSUMED)
SLOW_PIECES = _constant("latency.slow.pieces", 60, "pieces of a dribbling reply", ASSUMED)

REASONING = _constant(
    "reasoning.tokens",
    {"minimal": 32, "low": 96, "medium": 256, "high": 768, "xhigh": 2048, "max": 6144},
    "median tokens by effort",
    ASSUMED,
)
REASONING_SPREAD = _constant("reasoning.spread", 0.5, "standard deviation of the logarithm", ASSUMED)
REASONING_STEP = _constant("reasoning.step", 32, "tokens, reasoning is billed in multiples of", ASSUMED)

CHARACTERS_PER_TOKEN = _constant("limits.characters", 4.0, "characters a token, estimated at admission", ASSUMED)
RAMP_GROWTH = _constant("limits.ramp.growth", 1.5, "times the highest minute of the last 15", _LIMITS)
RAMP_MINUTES = _constant("limits.ramp.minutes", 15, "minutes looked back", _LIMITS)

CACHE_MIN = _constant("cache.min_prefix", 1024, "tokens", _CACHING)
CACHE_BLOCK = _constant("cache.block", 128, "tokens, models before GPT-5.5", _CACHING)
CACHE_WIDE = _constant("cache.block.wide", 2048, "tokens, GPT-5.5", _CACHING)
CACHE_LOOKED_AT = _constant("cache.breakpoints", 80, "latest breakpoints considered", _CACHING)
CACHE_WRITES = _constant("cache.writes", 4, "writes a request at most", _CACHING)
CACHE_TTL = _constant("cache.ttl", 1800.0, "seconds after the last use, GPT-5.5 and later", _CACHING)
CACHE_TTL_12H = _constant("cache.ttl.12h", 43_200.0, "seconds after the last use", _CACHING)
CACHE_TTL_MEMORY = _constant(
    "cache.ttl.in_memory", 300.0, "seconds after the last use (5 to 10 minutes documented)", _CACHING
)
CACHE_TTL_DAY = _constant("cache.ttl.24h", 86_400.0, "seconds, prompt_cache_retention 24h", _CACHING)
CACHE_ENTRIES = _constant("cache.entries", 200_000, "prefixes kept", "bound of the simulator's memory")

ATTEMPTS_KEPT = _constant("attempts.kept", 200_000, "bodies whose attempts are counted", "bound of memory")
STORED_COUNT = _constant("stored.count", 2_000, "responses kept", "bound of the simulator's memory")
STORED_BYTES = _constant("stored.bytes", 16_000_000, "bytes of responses kept", "bound of memory")
MAX_BODY = _constant("http.max_body", 50 * 1024 * 1024, "bytes of a request", ASSUMED)

FIGURES = (
    _constant("figures.tokens", "exact", "input, output, cached and written tokens", "counted in o200k_base"),
    _constant("figures.cost", "exact", "US dollars, given the tokens", "published prices"),
    _constant("figures.calls_saved", "exact", "calls not sent", "counted"),
    _constant("figures.latency", "assumed", "seconds; TTFT, tokens/s and spread above", ASSUMED),
    _constant("figures.answers", "assumed", "what is said is no measure of a model's quality", ASSUMED),
    _constant("figures.output_length", "assumed", "tokens of free text and of reasoning", ASSUMED),
)
"""Which figures of a simulated run hold for the real provider, and which are only plausible."""


def describe() -> list[Constant[Any]]:
    """Every constant, the models' and the tiers' included, then what of a simulated run is exact."""
    rows: list[Constant[Any]] = [value for value in globals().values() if isinstance(value, Constant)]
    pages = "provider's documentation, model pages"
    for model in models.MODELS.values():
        speed = model.speed
        rows += [
            _constant(f"{model.id}.ttft", speed.ttft, "seconds, median", speed.source),
            _constant(f"{model.id}.tokens_per_s", speed.tokens_per_s, "output tokens a second", speed.source),
            _constant(f"{model.id}.context", model.context, "tokens", pages),
            _constant(f"{model.id}.effort", model.effort or "no reasoning", "default effort", pages),
        ]
    for name, tiers in models.TIERS.items():
        for number, (requests, tokens) in enumerate(tiers, 1):
            rows.append(_constant(f"tier{number}.{name}.rpm", requests, "requests a minute", pages))
            rows.append(_constant(f"tier{number}.{name}.tpm", tokens, "tokens a minute", pages))
    return [*rows, *FIGURES]
