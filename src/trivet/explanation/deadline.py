"""Which tier is in time, and with how many requests at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from trivet.errors import SettingsError
from trivet.explanation import forecast, pace
from trivet.explanation.forecast import Ahead, Timed
from trivet.explanation.pace import Account, Work
from trivet.explanation.parts import Plan
from trivet.settings import duration
from trivet.sim.constants import FAST, FLEX

BATCH_WINDOW = 24 * 3600.0
"""Seconds within which a batch is done (the provider's documentation)."""

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def parse(text: str, now: datetime) -> float:
    """Seconds from `now` on: of `6h`, or until the clock next shows `06:00`."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        try:
            return duration(text)
        except SettingsError:
            raise SettingsError(f"--deadline {text[:40]}: write a time like 06:00, or a duration like 6h") from None
    then = now.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
    return ((then if then > now else then + timedelta(days=1)) - now).total_seconds()


def plans(ahead: Ahead, timed: Timed, costs: Mapping[str, Decimal | None], deadline: float | None) -> tuple[Plan, ...]:
    """Every tier that the model has, cheapest first, held against the deadline; none without one."""
    if deadline is None:
        return ()
    found = [_plan(tier, ahead, timed, cost, deadline) for tier, cost in costs.items()]
    return tuple(sorted(found, key=lambda plan: (plan.cost_usd is None, plan.cost_usd or 0)))


def _plan(tier: str, ahead: Ahead, timed: Timed, cost: Decimal | None, deadline: float) -> Plan:
    if tier == "batch":
        note = "within 24 h by the provider's word; not in this version"
        return Plan(
            tier=tier,
            in_time=deadline >= BATCH_WINDOW,
            cost_usd=cost,
            time_s=(0.0, BATCH_WINDOW),
            concurrency=None,
            note=note,
        )
    if timed.account is None:
        return Plan(
            tier=tier, in_time=None, cost_usd=cost, time_s=None, concurrency=None, note="limits or speed are not known"
        )
    times = _times(tier) / _times(ahead.tier)
    works = [replace(work, latencies=tuple(each * times for each in work.latencies)) for work in timed.works]
    account = timed.account
    taken = forecast.spread(works, account)
    note = "its limits and speed are assumed" if tier == "flex" else ""
    in_time = taken[1] <= deadline
    return Plan(
        tier=tier,
        in_time=in_time,
        cost_usd=cost,
        time_s=taken,
        concurrency=_fewest(works, account, deadline) if in_time else None,
        note=note,
    )


def _times(tier: str) -> float:
    """How much longer a call takes than on the standard tier: assumed for flex, up to so much for fast."""
    return {"flex": FLEX.value, "fast": 1 / FAST.value}.get(tier, 1.0)


def _fewest(works: Sequence[Work], account: Account, deadline: float) -> int:
    """The fewest requests at once with which the longest of the times is within the deadline."""
    longest = works[-1]
    low, high = 1, account.concurrency or pace.MOST
    while low < high:
        middle = (low + high) // 2
        if pace.duration(longest, replace(account, concurrency=middle), 0) * (1 + forecast.SLACK) <= deadline:
            high = middle
        else:
            low = middle + 1
    return low
