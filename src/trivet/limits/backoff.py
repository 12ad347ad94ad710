"""Whether to try again, and after how long. Pure: what happened and a draw in, seconds out.

    delay(k) = min(cap, base * 2^k) * (1 - jitter * u),   u uniform in [0, 1)

for the k-th retry (k = 0, 1, ...). Where the server named a wait, that wait holds, with up to a tenth added
and never subtracted: everybody told "1 s" at once must not come back at once, and nobody may come back early.
Refusals for pace (429, `slow_down`) have an allowance of their own, because a bulk run meets them without
anything being wrong. As long as the server has never answered, a failure to connect is more likely a wrong
address than an outage, and is given up after few tries.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trivet.errors import ProviderError, RequestError, SettingsError, TransportError


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """`retries` of failures, `refusals` of 429s; `base` and `cap` in seconds."""

    retries: int = 5
    refusals: int = 60
    unreached: int = 2
    base: float = 0.5
    cap: float = 16.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise SettingsError(f"retries is {self.retries}, and can't be below 0")

    def of(self, retries: int) -> Backoff:
        """The same with so many retries, whatever for."""
        return replace(self, retries=retries, refusals=retries, unreached=retries)

    def delay(self, error: RequestError, *, failures: int, refusals: int, reached: bool, draw: float) -> float | None:
        """Seconds until the next attempt, or None for no more.

        `failures`, `refusals`: how many of each this request has met, this error included. `reached`: the
        server has answered before. `draw`: uniform in [0, 1).
        """
        if not error.retryable:
            return None
        pace = is_refusal(error)
        nth, allowed = (refusals, self.refusals if self.retries else 0) if pace else (failures, self.retries)
        if not reached and isinstance(error, TransportError) and not error.sent:
            allowed = min(allowed, self.unreached)
        if nth > allowed:
            return None
        if error.retry_after is not None:
            return error.retry_after + draw * max(0.1, 0.1 * error.retry_after)
        return min(self.cap, self.base * 2.0 ** min(nth - 1, 30)) * (1.0 - self.jitter * draw)


PATIENCE = 600.0
"""Seconds; a provider that asks for a longer wait is not waited for, but told about."""


def is_too_long(error: RequestError) -> bool:
    """The provider may answer a later attempt, but so late that the caller should know instead of wait."""
    return error.retryable and error.retry_after is not None and error.retry_after > PATIENCE


def is_refusal(error: RequestError) -> bool:
    """The provider refused for pace: nothing was wrong with the request, and nothing was billed."""
    return isinstance(error, ProviderError) and error.status == 429 and error.retryable
