"""What a client's calls came to: one record a call, sums over all of them and by tag."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from threading import Lock

from msgspec import Struct

from trivet.engine.statistics import StackStatistics
from trivet.limits.account import AccountStatistics
from trivet.store.protocol import StoreStatistics
from trivet.types import Attempt, Source, Usage


class Call(Struct, frozen=True, kw_only=True):
    """One call. `source`: who answered; `path`: what was asked, after the base URL.

    `latency` in seconds without `queued`, the wait for a turn; `ttft`: to the first visible text of a stream. `cost`:
    US dollars of all attempts, None where a price or the usage is not known; `saved`: what a hit would have cost.
    `error`: a code, None where an answer came. `stored_at`: Unix time when a hit was stored.
    """

    path: str
    source: Source = "provider"
    model: str = ""
    tier: str | None = None
    status: int | None = None
    error: str | None = None
    attempts: tuple[Attempt, ...] = ()
    usage: Usage | None = None
    cost: Decimal | None = Decimal(0)
    saved: Decimal | None = None
    latency: float = 0.0
    queued: float = 0.0
    ttft: float | None = None
    request_id: str | None = None
    response_id: str | None = None
    stored_at: float | None = None
    simulated: bool = False
    tags: Mapping[str, str] = {}

    @property
    def hit(self) -> bool:
        """Whether nothing was sent for it."""
        return self.source != "provider"

    @property
    def retries(self) -> int:
        """Attempts after the first."""
        return max(0, len(self.attempts) - 1)


class Counts(Struct, frozen=True, kw_only=True):
    """Sums of calls. `cost` and `saved` in US dollars of what has a price; `unpriced` counts the other calls."""

    calls: int = 0
    sent: int = 0
    cache_hits: int = 0
    coalesced: int = 0
    failed: int = 0
    attempts: int = 0
    rate_limited: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)
    saved: Decimal = Decimal(0)
    unpriced: int = 0


class Statistics(Struct, frozen=True, kw_only=True):
    """What a client and its copies have done so far.

    `calls`: all calls; `tags`: the bill by tag, under `name=value`. `layers`: what the layers below count, None before
    the first call. `budget`: its books; `store`: the cache, None without one.
    """

    calls: Counts
    tags: Mapping[str, Counts]
    layers: StackStatistics | None
    budget: AccountStatistics
    store: StoreStatistics | None


class Bill:
    """Adds calls up, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._all = Counts()
        self._by_tag: dict[str, Counts] = {}

    def add(self, call: Call) -> None:
        """Count one call that is over."""
        with self._lock:
            self._all = _plus(self._all, call)
            for name, value in call.tags.items():
                tag = f"{name}={value}"
                self._by_tag[tag] = _plus(self._by_tag.get(tag, Counts()), call)

    def counts(self) -> Counts:
        """All calls so far."""
        return self._all

    def by_tag(self) -> dict[str, Counts]:
        """The same by tag."""
        with self._lock:
            return dict(sorted(self._by_tag.items()))

    def forked(self) -> None:
        """In the child of a fork: whoever held the lock is not here."""
        self._lock = Lock()


def _plus(sum_: Counts, call: Call) -> Counts:
    answered = call.error is None
    usages = [attempt.usage for attempt in call.attempts if attempt.usage is not None]
    return Counts(
        calls=sum_.calls + 1,
        sent=sum_.sent + (answered and call.source == "provider"),
        cache_hits=sum_.cache_hits + (answered and call.source == "cache"),
        coalesced=sum_.coalesced + (answered and call.source == "coalesced"),
        failed=sum_.failed + (not answered),
        attempts=sum_.attempts + len(call.attempts),
        rate_limited=sum_.rate_limited + sum(attempt.status == 429 for attempt in call.attempts),
        input_tokens=sum_.input_tokens + sum(usage.input for usage in usages),
        output_tokens=sum_.output_tokens + sum(usage.output for usage in usages),
        cost=sum_.cost + (call.cost or 0),
        saved=sum_.saved + (call.saved or 0),
        unpriced=sum_.unpriced + (call.cost is None),
    )
