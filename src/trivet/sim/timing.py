"""How long a reply takes: log-normal around the model's medians.

first   = ttft + uncached input / prefill
latency = first + (reasoning + visible tokens) / tokens_per_s
"""

from __future__ import annotations

from msgspec import Struct

from trivet.sim import constants
from trivet.sim.draws import Draws
from trivet.sim.models import Model
from trivet.sim.scenario import Scenario


class Timing(Struct, frozen=True, kw_only=True):
    """Seconds from the arrival until `response.created` and the first token, and for each token."""

    accepted: float
    first: float
    per_token: float

    def after(self, tokens: float) -> float:
        """When that many tokens are out."""
        return self.first + tokens * self.per_token


def timing(scenario: Scenario, model: Model, tier: str, uncached: int, draws: Draws) -> Timing:
    """The timing of one attempt."""
    latency = scenario.latency
    spread_ttft = constants.SPREAD_TTFT.value if latency.spread is None else latency.spread
    spread_rate = constants.SPREAD_RATE.value if latency.spread is None else latency.spread
    median = model.speed.ttft if latency.ttft is None else latency.ttft
    rate = model.speed.tokens_per_s if latency.tokens_per_s is None else latency.tokens_per_s
    scale = scenario.time_scale
    if tier == "flex":
        scale *= constants.FLEX.value
    elif tier == "ultrafast":
        rate *= constants.ULTRAFAST.value
    elif tier in ("fast", "priority"):
        rate *= constants.FAST.value
    ttft = draws.lognormal("ttft", median, spread_ttft)
    if latency.ttft is None:
        ttft += uncached / constants.PREFILL.value
    rate = draws.lognormal("rate", rate, spread_rate)
    return Timing(accepted=scale * ttft * constants.ACCEPTED.value, first=scale * ttft, per_token=scale / rate)


def reasoning(effort: str | None, draws: Draws) -> int:
    """Reasoning tokens at an effort: 0 without reasoning, else a multiple of the step."""
    median = constants.REASONING.value.get(effort or "none", 0)
    if not median:
        return 0
    step = constants.REASONING_STEP.value
    return step * max(1, round(draws.lognormal("reasoning", median, constants.REASONING_SPREAD.value) / step))
