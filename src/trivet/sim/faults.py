"""Which fault befalls a request, if any, and the errors among them; `broken` has those of delivery."""

from __future__ import annotations

from trivet.sim import provider_errors as errors
from trivet.sim.draws import Draws
from trivet.sim.scenario import Faults

REFUSED = frozenset(("rate_limit", "slow_down", "quota", "flex_unavailable", "server_error", "overloaded"))
"""Faults that are one of the provider's error bodies: nothing is generated, nothing billed."""

UNANSWERED = frozenset(("bad_gateway", "html", "reset", "hang", "empty_body"))
"""Faults before anything is generated: no tokens are billed. All others are billed in full."""


def pick(faults: Faults, draws: Draws, *, flex: bool) -> str | None:
    """The name of the fault that befalls this attempt, or None."""
    drawn = draws.uniform("fault")
    for name in faults.__struct_fields__:
        share = getattr(faults, name)
        if share and drawn < share:
            return None if name == "flex_unavailable" and not flex else name
        drawn -= share
    return None


def error(name: str, draws: Draws, model: str, request_id: str) -> errors.Refusal:
    """The provider's error for one of the faults in `REFUSED`."""
    if name == "slow_down":
        return errors.slow_down()
    if name == "quota":
        return errors.no_quota(draws.choice("quota", errors.QUOTA_CODES))
    if name == "flex_unavailable":
        return errors.no_flex()
    if name == "server_error":
        return errors.server_error(request_id)
    if name == "overloaded":
        return errors.overloaded()
    wait = 0.05 + draws.uniform("wait")
    return errors.rate_limited(model, "requests", limit=500, used=500, requested=1, wait=wait)
