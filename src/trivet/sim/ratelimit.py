"""The provider's limits: requests and tokens a minute, coming back continuously or window by window.

    continuous   level = min(capacity, level + rate * elapsed)         capacity = limit / 60 * burst_s
    window       level = capacity at each multiple of burst_s

A stranger on the same key takes `share` of the rate. A request may be larger than what a burst allows: it is
admitted when the bucket is full, and the bucket goes into debt. (Not a sliding log of all requests: its
memory grows with the limit, and the provider's headers describe a bucket.)

At admission a request is charged the larger of `max_output_tokens` and its characters estimated as tokens
(provider's documentation, rate limits); a refused request uses up one of the requests too.
"""

from __future__ import annotations

import math
from collections import deque

from msgspec import Struct

from trivet.sim import constants
from trivet.sim import provider_errors as errors
from trivet.sim.models import TIERS, Model
from trivet.sim.scenario import Scenario


class Bucket:
    """One limit of `limit` units a minute, at its full level at time 0."""

    def __init__(self, limit: int, *, burst_s: float, window: bool, stranger: float) -> None:
        self.limit = limit
        self._burst_s = burst_s
        self._window = window
        self._stranger = stranger
        self.capacity = max(limit / 60 * burst_s, 1.0)
        self._rate = limit / 60 * (1 - stranger)
        self._level = self.capacity
        self._at = 0.0
        self._started = False

    def level(self, now: float) -> float:
        """Units that this client may use now; negative in debt."""
        self._advance(now)
        return self._level - self._stranger * self.capacity if self._window else self._level

    def shown(self, now: float) -> float:
        """Units that the headers call remaining: what the stranger has not used yet is among them."""
        level = self.level(now)
        if self._window:
            level += self._stranger * self.capacity * (1 - (now - self._at) / self._burst_s)
        return max(0.0, level)

    def take(self, amount: float, now: float) -> None:
        """Use units, there or not."""
        self._advance(now)
        self._level -= amount

    def wait(self, amount: float, now: float) -> float:
        """Seconds until that many units are there; 0 when they are."""
        most = self.capacity * (1 - self._stranger) if self._window else self.capacity
        lacking = min(amount, most) - self.level(now)
        if lacking <= 1e-9:
            return 0.0
        if not self._window:
            return lacking / self._rate
        return self._at + self._burst_s - now

    def until_full(self, now: float) -> float:
        """Seconds until the limit is as if never used."""
        if self.shown(now) >= self.capacity:
            return 0.0
        if not self._window:
            return (self.capacity - self._level) / self._rate
        return self._at + self._burst_s - now

    def _advance(self, now: float) -> None:
        if not self._started:
            self._started = True
            self._at = math.floor(now / self._burst_s) * self._burst_s if self._window else now
        if now <= self._at:
            return
        if not self._window:
            self._level = min(self.capacity, self._level + self._rate * (now - self._at))
            self._at = now
        elif now - self._at >= self._burst_s:
            passed = math.floor((now - self._at) / self._burst_s)
            self._level = min(self.capacity, self._level + passed * self.capacity)
            self._at += passed * self._burst_s


class Ramp:
    """From `start` tokens a minute on, a minute may have 1.5 times the highest of the last 15, no more."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._past: deque[tuple[int, int]] = deque(maxlen=constants.RAMP_MINUTES.value)
        self._minute = 0
        self._used = 0

    def admits(self, tokens: int, now: float) -> bool:
        """Whether that many more input tokens are within the growth allowed; counts them if so."""
        minute = math.floor(now / 60)
        if minute != self._minute:
            self._past.append((self._minute, self._used))
            self._minute, self._used = minute, 0
        oldest = minute - constants.RAMP_MINUTES.value
        highest = max((used for past, used in self._past if past >= oldest), default=0)
        allowed = max(self._start, highest * constants.RAMP_GROWTH.value)
        if self._used + tokens > allowed:
            return False
        self._used += tokens
        return True


class _Account(Struct, frozen=True, kw_only=True):
    """The limits of one model."""

    requests: Bucket | None
    tokens: Bucket | None
    ramp: Ramp | None


class RateLimiter:
    """Admits requests, model by model."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._accounts: dict[str, _Account] = {}

    def admit(self, model: Model, charge: int, now: float) -> dict[str, str]:
        """Charge a request and return its headers; or raise the provider's refusal, which carries them."""
        account = self._account(model)
        requests, tokens = account.requests, account.tokens
        wait_requests = requests.wait(1, now) if requests else 0.0
        wait_tokens = tokens.wait(charge, now) if tokens else 0.0
        refusal: errors.Refusal | None = None
        wait = 0.0
        if tokens and charge > tokens.limit:
            refusal = errors.too_large_for_limit(model.id, limit=tokens.limit, requested=charge)
        elif requests and wait_requests:
            wait = wait_requests
            refusal = _refusal(model, "requests", requests, 1, wait, now)
        elif tokens and wait_tokens:
            wait = wait_tokens
            refusal = _refusal(model, "tokens", tokens, charge, wait, now)
        elif account.ramp and not account.ramp.admits(charge, now):
            wait = 60 - now % 60
            refusal = errors.slow_down()
        if refusal is None:
            if requests:
                requests.take(1, now)
            if tokens:
                tokens.take(charge, now)
            return self.headers(model, now)
        if requests and self._scenario.refused_count:
            requests.take(min(1.0, max(0.0, requests.level(now))), now)
        refusal.headers |= self.headers(model, now)
        if wait:
            refusal.headers |= self.retry_after(wait)
        raise refusal

    def retry_after(self, wait: float) -> dict[str, str]:
        """The headers that say when to come back: whole seconds, 1 at least."""
        headers = {"retry-after": str(max(1, math.ceil(wait)))}
        if self._scenario.retry_after_ms:
            headers["retry-after-ms"] = str(max(1, math.ceil(wait * 1000)))
        return headers

    def headers(self, model: Model, now: float) -> dict[str, str]:
        """The documented `x-ratelimit-*` headers; none where there is no limit."""
        account = self._account(model)
        headers: dict[str, str] = {}
        for name, bucket in (("requests", account.requests), ("tokens", account.tokens)):
            if bucket is not None:
                share = bucket.shown(now) / bucket.capacity
                headers[f"x-ratelimit-limit-{name}"] = str(bucket.limit)
                headers[f"x-ratelimit-remaining-{name}"] = str(math.floor(share * bucket.limit + 1e-9))
                headers[f"x-ratelimit-reset-{name}"] = errors.duration(bucket.until_full(now))
        return headers

    def _account(self, model: Model) -> _Account:
        account = self._accounts.get(model.id)
        if account is None:
            account = self._accounts[model.id] = self._open(model)
        return account

    def _open(self, model: Model) -> _Account:
        scenario = self._scenario
        rpm, tpm = scenario.rpm, scenario.tpm
        if scenario.tier is not None:
            published = TIERS[model.limits][scenario.tier - 1]
            rpm, tpm = rpm or published[0], tpm or published[1]

        def bucket(limit: int | None) -> Bucket | None:
            if limit is None:
                return None
            window = scenario.refill == "window"
            return Bucket(limit, burst_s=scenario.burst_s, window=window, stranger=scenario.stranger)

        ramp = Ramp(scenario.ramp_from) if scenario.ramp_from else None
        return _Account(requests=bucket(rpm), tokens=bucket(tpm), ramp=ramp)


def charge_of(characters: int, max_output: int | None) -> int:
    """Tokens charged at admission."""
    return max(max_output or 0, math.ceil(characters / constants.CHARACTERS_PER_TOKEN.value), 1)


def _refusal(model: Model, kind: str, bucket: Bucket, requested: int, wait: float, now: float) -> errors.Refusal:
    used = bucket.limit - math.floor(bucket.shown(now) / bucket.capacity * bucket.limit)
    return errors.rate_limited(model.id, kind, limit=bucket.limit, used=used, requested=requested, wait=wait)
