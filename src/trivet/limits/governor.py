"""When the next request of one model may go, so that the provider will not refuse it. Pure: times are passed in.

    pace = min(limit / 60 * share * MARGIN, ramp / 60)    requests and tokens each, by a bucket of 0.1 s' worth
    wait = max(pause, pace's wait, mirror's wait)

`limit` comes from the headers of replies, `share` from refusals, `ramp` from the rule of growth. Where no header
tells a limit, the rate of requests is `found` from refusals alone, once there are any. A burst gains
nothing in the long run and is what a provider that counts by the second refuses, so none is sent: the tenth of a
second is what a busy loop or a late timer may catch up with, and each refusal halves it, down to 20 ms.

A `Retry-After` is a pause for every request of the model, a little longer than asked, so that processes that were
told the same do not come back as one; nor do the requests of this one: where no limit is known, they go one by one
for a second. A refusal that comes while half of the limit or more is left was not about the limit: it pauses, and
changes no rate. Where more than half of the latest requests are refused so, another limit holds that no header tells
(a gateway's, one of the second), and its rate is `found` as if nothing were told.
"""

from __future__ import annotations

import math

from msgspec import Struct

from trivet.errors import ProviderError, RequestError
from trivet.limits.bucket import Bucket
from trivet.limits.found import Found
from trivet.limits.mirror import Mirror
from trivet.limits.ramp import FROM, Ramp
from trivet.limits.recent import Recent
from trivet.limits.share import MARGIN, Share
from trivet.types import RateLimits

BURST_S, LEAST_BURST_S = 0.1, 0.02
JITTER = 0.05
PLENTY = 0.5
AFTER_S, GAP_S = 1.0, 0.01
DOUBT, LATEST = 0.5, 60.0


class GovernorStatistics(Struct, frozen=True, kw_only=True):
    """Of one model: what was let through a minute of late, the limits as told, our shares of them, and the pause.

    `found_requests`: a minute, found from refusals where no limit is told; `tokens_ceiling`: tokens a minute that the
    rule of growth allows; `paused`: seconds until the end of a
    `Retry-After`, 0 when there is none. What is not known, or not bounded, is None.
    """

    requests_a_minute: float
    tokens_a_minute: float
    limit_requests: float | None
    limit_tokens: float | None
    found_requests: float | None
    requests_share: float
    tokens_share: float
    tokens_ceiling: float | None
    paused: float


class Permit(Struct, frozen=True, kw_only=True):
    """What one request took: its tokens, when, and where that stood in the mirrors.

    Where the pace is shared, the marks are those of all processes, `own` is the permit by this one's alone, and
    `turn` tells whether it used up a turn.
    """

    tokens: float
    at: float
    request_mark: float
    token_mark: float
    own: Permit | None = None
    turn: bool = False


class Meter:
    """One of the two limits: its mirror, our share of it, and the pace that follows; `part`: how much of that."""

    def __init__(self) -> None:
        self.mirror = Mirror()
        self.share = Share()
        self._bucket: Bucket | None = None
        self.part = 1.0
        self.burst_s = BURST_S
        self._owed = 0.0

    def rate(self, now: float, ceiling: float = math.inf) -> float:
        """Units a second."""
        limit = self.mirror.limit
        own = math.inf if limit is None else limit * self.share.share(now)
        return min(own, ceiling) / 60 * MARGIN * self.part

    def wait(self, amount: float, now: float, ceiling: float = math.inf) -> float:
        """Seconds until `amount` may go."""
        rate = self.rate(now, ceiling)
        if math.isinf(rate):
            return 0.0
        if self._bucket is None:
            self._bucket = Bucket(rate, rate * self.burst_s, now)
            self._bucket.take(self._owed, now)
        else:
            self._bucket.change(rate, rate * self.burst_s, now)
        # one may go as soon as those before it are paid for, so that a timer that fires late costs nothing
        return max(self._bucket.wait(0.0, now), self.mirror.wait(amount, now))

    def refused(self, sent: float, now: float) -> None:
        """A request sent at `sent` was refused: a smaller share, and less catching up."""
        if self.share.refused(sent, now):
            self.burst_s = max(LEAST_BURST_S, self.burst_s / 2)

    def take_part(self, part: float) -> None:
        """Keep to so much of the pace from now on, because others have the rest."""
        self.part, self._bucket, self._owed = part, None, 0.0

    def owe(self) -> None:
        """What went before there was a pace counts against it."""
        if self._bucket is None:
            self._owed = self.mirror.spent

    def take(self, amount: float, now: float) -> float:
        """Count `amount` as gone; its mark."""
        if self._bucket is not None:
            self._bucket.take(amount, now)
        return self.mirror.spend(amount)

    def give_back(self, amount: float, now: float) -> None:
        """Undo `take`: nothing was sent."""
        if self._bucket is not None:
            self._bucket.take(-amount, now)
        self.mirror.give_back(amount)


class Governor:
    """The pace of one model (and tier)."""

    def __init__(self) -> None:
        self.requests = Meter()
        self.tokens = Meter()
        self.ramp = Ramp()
        self.found = Found()
        self.open_at = -math.inf
        self._last = -math.inf
        self._doubt = 0.0
        self._recent = Recent()

    @property
    def told(self) -> bool:
        """Whether the provider has told a limit."""
        return self.requests.mirror.limit is not None or self.tokens.mirror.limit is not None

    def wait(self, tokens: float, now: float) -> float:
        """Seconds until a request of so many tokens may go; 0 for now."""
        pause = self.open_at - now
        if pause > 0:
            return pause
        ceiling = 60 * self.found.rate(now)
        gap = self._last + GAP_S - now if pause > -AFTER_S and not self.told else 0.0
        return max(
            gap,
            0.0,
            self.requests.wait(1.0, now, ceiling),
            self.tokens.wait(tokens, now, self.ramp.ceiling(now)),
        )

    def take(self, tokens: float, now: float) -> Permit:
        """Let a request go."""
        self.ramp.used(tokens, now)
        self._recent.add(tokens, now)
        self.found.sent(now)
        self._doubt *= 1 - 1 / LATEST
        self._last = now
        return Permit(
            tokens=tokens,
            at=now,
            request_mark=self.requests.take(1.0, now),
            token_mark=self.tokens.take(tokens, now),
        )

    def give_back(self, permit: Permit, now: float) -> None:
        """The request was not sent after all."""
        self.requests.give_back(1.0, now)
        self.tokens.give_back(permit.tokens, now)

    def told_by(self, permit: Permit, limits: RateLimits | None) -> None:
        """What the headers of a reply, or of an error, said."""
        if limits is None:
            return
        self.requests.mirror.told(
            limit=limits.limit_requests,
            remaining=limits.remaining_requests,
            reset=limits.reset_requests,
            mark=permit.request_mark,
            at=permit.at,
        )
        self.tokens.mirror.told(
            limit=limits.limit_tokens,
            remaining=limits.remaining_tokens,
            reset=limits.reset_tokens,
            mark=permit.token_mark,
            at=permit.at,
        )
        if (limits.limit_tokens or 0) > FROM and self.ramp.begin(permit.at):
            self.tokens.owe()

    def refused(self, permit: Permit, error: RequestError, now: float, draw: float) -> None:
        """A refusal for pace: a pause for all, and a lower rate where it was about the rate."""
        if error.retry_after is not None:
            self.open_at = max(self.open_at, now + error.retry_after * (1 + JITTER * draw))
        if error.code == "slow_down":
            paced = 60 * self.tokens.rate(now, self.ramp.ceiling(now))
            self.ramp.slow_down(min(paced, self.flow(now)), permit.at, now)
            return
        meter = self._refusing(error) if self.told else None
        if meter is not None:
            self.found.dropped()
            meter.refused(permit.at, now)
            return
        self._doubt += 1 / LATEST
        if self.told and self._doubt < DOUBT and self.found.rate(now) * 60 >= (self.requests.mirror.limit or math.inf):
            self.found.dropped()
            return
        pause = self.found.refused(permit.at, now)
        if error.retry_after is None:  # a wait that the server named is the one that holds
            self.open_at = max(self.open_at, now + pause)

    def _refusing(self, error: RequestError) -> Meter | None:
        """The limit that the refusal was about: the one it names, or else the emptier one."""
        said = error.limits or RateLimits()
        kind = error.type if isinstance(error, ProviderError) else None
        left = {
            "requests": _part(said.remaining_requests, self.requests.mirror.limit),
            "tokens": _part(said.remaining_tokens, self.tokens.mirror.limit),
        }
        kind = kind if kind in left else min(left, key=left.__getitem__)
        if left[kind] > PLENTY:
            return None
        return self.requests if kind == "requests" else self.tokens

    def paused(self, now: float) -> float:
        """Seconds until the provider's pause is over; 0 when there is none."""
        return max(0.0, self.open_at - now)

    def statistics(self, now: float) -> GovernorStatistics:
        """The pace at this moment, and what it comes from."""
        requests, tokens = self.per_minute(now)
        ceiling, found = self.ramp.ceiling(now), math.inf if self.told else 60 * self.found.rate(now)
        return GovernorStatistics(
            requests_a_minute=requests,
            tokens_a_minute=tokens,
            limit_requests=self.requests.mirror.limit,
            limit_tokens=self.tokens.mirror.limit,
            found_requests=None if math.isinf(found) else found,
            requests_share=self.requests.share.share(now),
            tokens_share=self.tokens.share.share(now),
            tokens_ceiling=None if math.isinf(ceiling) else ceiling,
            paused=self.paused(now),
        )

    def __repr__(self) -> str:
        limits = self.requests.mirror.limit, self.tokens.mirror.limit
        return f"Governor(limit_requests={limits[0]}, limit_tokens={limits[1]})"

    def flow(self, now: float) -> float:
        """Tokens a minute of late, of all who share the limit as far as they are known."""
        return self._recent.tokens_a_minute(now)

    def per_minute(self, now: float) -> tuple[float, float]:
        """Requests and tokens let through a minute, of late."""
        return self._recent.requests_a_minute(now), self._recent.tokens_a_minute(now)


def _part(remaining: float | None, limit: float | None) -> float:
    """What is left of a limit, in [0, 1]; a limit that is not known has everything left."""
    return 1.0 if limit is None else min(1.0, (remaining or 0.0) / limit)
