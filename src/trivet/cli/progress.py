"""Progress of long work on standard error: live on a terminal, one line a minute elsewhere.

A line has parts of different weight; a narrow terminal gets those that matter most, in the same order.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from trivet.cli.show import note
from trivet.engine.limit import LimitStatistics
from trivet.wording import dollars

QUIET_INTERVAL = 60.0
LONG_PAUSE = 10.0
"""Seconds of a pause that is told at once where lines are rare."""

SHOWN_PAUSE = 1.0
ENOUGH = 20
"""Rows with a result, before their cost says something about the others."""

LEAST_BAR, BAR = 10, 28


class Moment(Struct, frozen=True, kw_only=True):
    """A run at one moment. `total`: rows in all, None when not known; `before`: finished before it was taken up.

    `rate`: rows a second of late. `spent`: US dollars settled, of earlier processes too, of the `budget` if there
    is one; `cost`: of this process's calls, without those whose cost is not known (`unpriced`).
    """

    finished: int
    before: int
    total: int | None
    failed: int
    hits: int
    rate: float
    retries: int
    backing_off: int
    limit: LimitStatistics
    spent: Decimal
    budget: Decimal | None
    cost: Decimal
    unpriced: int


class Rate:
    """Rows a second over the last half minute. `memory`: seconds; the times are passed in."""

    def __init__(self, memory: float = 30.0) -> None:
        self._memory = memory
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, finished: int, now: float) -> float:
        """The rate, with so many rows finished by now; 0 until it can be told."""
        if not self._seen or now - self._seen[-1][0] >= self._memory / 60:
            self._seen.append((now, finished))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._memory:
            self._seen.popleft()
        at, before = self._seen[0]
        return (finished - before) / (now - at) if now > at else 0.0


def line(moment: Moment, width: int | None = None) -> str:
    """A moment in words, in at most `width` characters."""
    parts = [(weight, text) for weight, text in _parts(moment) if text]
    while width is not None and len(parts) > 1 and len(_joined(parts)) > width:
        parts.remove(max(parts, key=lambda part: part[0]))
    return _joined(parts)


def _joined(parts: list[tuple[int, str]]) -> str:
    return " · ".join(text for _, text in parts)


def _parts(moment: Moment) -> list[tuple[int, str]]:
    """What there is to say, in its order, each with a weight: the highest is left out first."""
    done, limit = moment.before + moment.finished, moment.limit
    paused = limit.paused if limit.paused >= SHOWN_PAUSE else 0.0
    oldest = f", up to {about(limit.oldest_wait)}" if limit.waiting and limit.oldest_wait >= SHOWN_PAUSE else ""
    waiting = limit.waiting + moment.backing_off
    share = f"{moment.hits / moment.finished:.0%}".replace("%", " % hits") if moment.hits else ""
    return [
        (0, f"{done:,}/{moment.total:,} rows" if moment.total is not None else f"{done:,} rows"),
        (1, f"paused by the provider for {about(paused)}" if paused else ""),
        (2, f"{moment.failed:,} failed" if moment.failed else ""),
        (4, f"{moment.rate:,.1f} rows/s"),
        (5, f"{about(left)} left" if (left := _time_left(moment)) is not None else ""),
        (6, pace(limit)),
        (7, f"{limit.in_flight:,} in flight"),
        (9, f"{waiting:,} waiting{oldest}" if waiting else ""),
        (8, share),
        (10, f"{limit.refused:,} refused" if limit.refused else ""),
        (11, f"{moment.retries:,} retries" if moment.retries else ""),
        (3, _spent(moment)),
        (12, f"~{money(in_all)} in all" if (in_all := _in_all(moment)) is not None else ""),
    ]


def pace(limit: LimitStatistics) -> str:
    """How much of the limit that binds is used, like `2,950/3,000 rpm`; nothing where none is known."""
    known = [
        (used, most, unit)
        for used, most, unit in (
            (limit.requests_a_minute, limit.limit_requests, "rpm"),
            (limit.tokens_a_minute, limit.limit_tokens, "tpm"),
        )
        if most
    ]
    if not known:
        return ""
    used, most, unit = max(known, key=lambda one: one[0] / one[1])
    return f"{_count(used)}/{_count(most)} {unit}"


def _count(value: float) -> str:
    if value < 100_000:
        return f"{value:,.0f}"
    return f"{value / 1e6:,.1f}M" if value >= 1e6 else f"{value / 1e3:,.0f}k"


def _time_left(moment: Moment) -> float | None:
    """Seconds until the last row at the present rate, a pause included."""
    if moment.total is None or not moment.rate > 0:
        return None
    rows = moment.total - moment.before - moment.finished
    return rows / moment.rate + moment.limit.paused if rows > 0 else None


def _spent(moment: Moment) -> str:
    spent = money(moment.spent)
    if moment.budget is not None:
        spent = f"{spent} of {money(moment.budget)}"
    return f"{spent}, {moment.unpriced:,} unpriced" if moment.unpriced else spent


def _in_all(moment: Moment) -> Decimal | None:
    """US dollars at the end, if the rows to come cost what those so far did."""
    if moment.total is None or moment.finished < ENOUGH or moment.unpriced:
        return None
    rows = moment.total - moment.before - moment.finished
    return moment.spent + moment.cost / moment.finished * rows if rows > 0 and moment.cost else None


def money(amount: Decimal) -> str:
    """An amount in few characters."""
    if not Decimal("0.0001") <= amount < 1:
        return dollars(amount)
    return f"${amount:.2f}" if amount >= Decimal("0.1") else f"${amount:.4f}"


def about(seconds: float) -> str:
    """A duration in few characters."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


async def show(look: Callable[[], Moment]) -> None:
    """Show the moments that `look` sees until cancelled."""
    if sys.stderr.isatty():
        await _live(look)
        return
    clock = asyncio.get_running_loop().time
    told, paused = clock(), False
    while True:
        await asyncio.sleep(1.0)
        moment = look()
        pauses = moment.limit.paused >= LONG_PAUSE
        if (pauses and not paused) or clock() - told >= QUIET_INTERVAL:
            note(line(moment))
            told = clock()
        paused = pauses


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

    console = Console(stderr=True)

    def picture() -> Table:
        moment = look()
        text = line(moment, console.width)
        grid = Table.grid(padding=(0, 1))
        room = min(BAR, console.width - len(text) - 2)  # the bar says least that the text does not
        cells: list[ProgressBar | Text] = [Text(text, no_wrap=True)]
        if room >= LEAST_BAR:
            done = moment.before + moment.finished
            cells.insert(0, ProgressBar(total=moment.total or None, completed=done, width=room))
        grid.add_row(*cells)
        return grid

    with Live(picture(), console=console, refresh_per_second=8, transient=True) as live:
        while True:
            await asyncio.sleep(0.125)
            live.update(picture())
