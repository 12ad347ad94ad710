"""Progress of long work on standard error: live on a terminal, one line a minute elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from trivet.cli.show import note
from trivet.engine.limit import LimitStatistics
from trivet.wording import dollars, seconds

QUIET_INTERVAL = 60.0


class Moment(Struct, frozen=True, kw_only=True):
    """A run at one moment. `total`: rows in all, None when not known; `before`: finished by earlier sessions.

    `pace`: the rate against its limit, in words.
    """

    finished: int
    before: int
    total: int | None
    failed: int
    hits: int
    in_flight: int
    waiting: int
    spent: Decimal
    elapsed: float
    pace: str = ""


def line(moment: Moment) -> str:
    """A moment in words: rows done, rows a second, calls in flight, the limit's use, cost so far, time left."""
    done = moment.before + moment.finished
    rate = moment.finished / moment.elapsed if moment.elapsed > 0 else 0.0
    parts = [f"{done:,}/{moment.total:,} rows" if moment.total is not None else f"{done:,} rows"]
    parts.append(f"{rate:,.1f} rows/s")
    parts.append(f"{moment.in_flight} in flight, {moment.waiting} waiting")
    if moment.pace:
        parts.append(moment.pace)
    if moment.hits:
        parts.append(f"{moment.hits:,} hits")
    if moment.failed:
        parts.append(f"{moment.failed:,} failed")
    parts.append(dollars(moment.spent))
    if moment.total is not None and rate > 0 and moment.total > done:
        parts.append(f"{seconds((moment.total - done) / rate)} left")
    return " · ".join(parts)


def pace(limit: LimitStatistics) -> str:
    """How much of the limit that binds is used, like `2,950 of 3,000 requests/min`; nothing where none is known."""
    known = [
        (used, most, unit)
        for used, most, unit in (
            (limit.requests_a_minute, limit.limit_requests, "requests"),
            (limit.tokens_a_minute, limit.limit_tokens, "tokens"),
        )
        if most
    ]
    if not known:
        return ""
    used, most, unit = max(known, key=lambda one: one[0] / one[1])
    refused = f", {limit.refused:,} refused" if limit.refused else ""
    return f"{used:,.0f} of {most:,.0f} {unit}/min{refused}"


async def show(look: Callable[[], Moment]) -> None:
    """Show the moments that `look` sees until cancelled."""
    if sys.stderr.isatty():
        await _live(look)
        return
    while True:
        await asyncio.sleep(QUIET_INTERVAL)
        note(line(look()))


def restore() -> None:
    """Give the terminal its cursor back, before the process ends without a chance to."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")
        sys.stderr.flush()


async def _live(look: Callable[[], Moment]) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    def picture() -> Table:
        moment = look()
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        done = moment.before + moment.finished
        grid.add_row(ProgressBar(total=moment.total or None, completed=done, width=28), Text(line(moment)))
        return grid

    console = Console(stderr=True)
    with Live(picture(), console=console, refresh_per_second=8, transient=True) as live:
        while True:
            await asyncio.sleep(0.125)
            live.update(picture())
