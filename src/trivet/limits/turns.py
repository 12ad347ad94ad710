"""A governor whose pace is shared: what several processes on one key may send, in turns. Pure: times are passed in.

    pace of all = limit / 60 * share * MARGIN           as for one process: one limit, one share, one ramp, one pause
    turn        = a moment of that pace, handed out by whoever keeps it for all (`store.redis_limits`)

A process says what it would send next and is given moments of the next fifth of a second; it keeps to them by its own
clock, set by the keeper's. Handing out moments rather than parts of the rate keeps the whole even: processes that
each keep an even pace of their own coincide now and then, which a provider that counts by the second refuses.

What is learned is shared: the headers of every reply feed one mirror; a `Retry-After` holds all; a refusal cuts the
share of all, once. Whoever lowers a rate had seen the latest, or is told it instead: two processes that were refused
in one burst would cut twice.

Where the keeper is lost, the process goes on by itself at its part of the pace, one over the number of processes last
seen, and takes up turns again when it is back.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trivet.errors import RequestError
from trivet.limits.governor import Governor, Permit
from trivet.limits.recent import Recent
from trivet.types import RateLimits

GAP_S = 0.02
"""Seconds between two questions at least; more requests than that need are asked for at once."""

LEAD_S = 0.1
"""A question goes out so long before the last turn is over."""

REST_S = 0.25
"""Seconds between two questions at most, while there is anything to ask or tell."""

LAG_S = 0.4
"""Until all have heard of a cut, and sent what they had turns for: what is refused of that says nothing new."""

LAPSE_S = 0.5
"""A turn that is so late was slept through: this process stood still, and others went on."""

SCOUT_S = 5.0
"""Seconds that a process waits for its first reply, where no limit is known, before it sends more."""

MOST = 256


class Learned(Struct, kw_only=True, frozen=True):
    """What refusals taught, times by the keeper's clock. `shares`: six figures, three for requests and for tokens."""

    shares: tuple[float, ...]
    bursts: tuple[float, float]
    ceiling: float
    floor: float
    moved: float


class _Said(Struct, kw_only=True):
    """One limit, in a call: the pace that the caller believes in, and what headers told of it since the last call.

    `extra`: units sent without a turn, or not sent with one; `shift`: those of them that the pace is to be moved by.
    """

    rate: float | None = None
    burst: float = 0.1
    extra: float = 0.0
    shift: float = 0.0
    limit: float | None = None
    remaining: float | None = None
    reset: float = 0.0
    mark: float = 0.0
    at: float = 0.0


class Call(Struct, kw_only=True):
    """What a process tells and asks. `wants`: the tokens of each request that waits, in order."""

    id: str
    wants: list[float]
    requests: _Said
    tokens: _Said
    pause: float
    base: int
    learned: Learned | None = None


class Answer(Struct, kw_only=True, frozen=True):
    """What the keeper says. `moments`: seconds from `now` at which the first of `wants` may go; `again`: from
    when on the next of them might. `first_requests`, `first_tokens`: the marks before the first of them."""

    now: float
    again: float
    count: int
    pause: float
    version: int
    busiest: float
    first_requests: float
    first_tokens: float
    learned: Learned | None = None
    moments: tuple[float, ...] = ()
    limit_requests: float | None = None
    limit_tokens: float | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class _Turn(Struct, frozen=True):
    at: float
    tokens: float
    request_mark: float
    token_mark: float


class Turns(Governor):
    """The pace of one model (and tier), shared with other processes. `id` names this one among them."""

    def __init__(self, id: str) -> None:
        super().__init__()
        self._id = id
        self._turns: deque[_Turn] = deque()
        self._clock = _Offset()
        self._met = self._apart = self._replied = False
        self._first_at: float | None = None
        self._count = 1
        self._version = 0
        self._known: tuple[float, ...] | None = None
        self._all = Recent()
        self._seen_tokens: float | None = None
        self._said = {"requests": _Said(), "tokens": _Said()}
        self._asked: list[float] = []
        self._asked_at = self._again_at = self._told_at = -math.inf
        self._news = False
        self._marks = (0.0, 0.0)

    @property
    def met(self) -> bool:
        """Whether the keeper has ever answered."""
        return self._met

    @property
    def processes(self) -> int:
        """How many share the limit, this one included."""
        return self._count

    def wait(self, tokens: float, now: float) -> float:
        """Seconds until a request of so many tokens may go; infinite where the keeper is to be asked first."""
        if self._apart or (self._met and not self.told):
            scouting = 0.0
            if self._count > 1 and self._first_at is not None and not self._replied:
                # others ask too, and nobody knows the limit: one reply tells it
                scouting = self._first_at + SCOUT_S - now
            return max(scouting, super().wait(tokens, now))
        while self._turns and self._turns[0].at < now - LAPSE_S:
            self._return(self._turns.popleft())
        if not self._turns:
            return math.inf
        return max(0.0, self.open_at - now, self._turns[0].at - now)

    def take(self, tokens: float, now: float) -> Permit:
        """Let a request go."""
        own = super().take(tokens, now)
        if self._turns:
            turn = self._turns.popleft()
            self._charge(0.0, tokens - turn.tokens, shift=True)
            marks = turn.request_mark, turn.token_mark
        else:
            turn = None
            self._first_at = now if self._first_at is None else self._first_at
            self._charge(1.0, tokens, shift=False)
            self._marks = marks = self._marks[0] + 1.0, self._marks[1] + tokens
        return Permit(tokens=tokens, at=now, request_mark=marks[0], token_mark=marks[1], own=own, turn=turn is not None)

    def give_back(self, permit: Permit, now: float) -> None:
        """The request was not sent after all."""
        super().give_back(permit.own or permit, now)
        if not self._replied:
            self._first_at = None
        self._charge(-1.0, -permit.tokens, shift=permit.turn)

    def _charge(self, requests: float, tokens: float, *, shift: bool) -> None:
        for kind, amount in (("requests", requests), ("tokens", tokens)):
            self._said[kind].extra += amount
            self._said[kind].shift += amount if shift else 0.0

    def told_by(self, permit: Permit, limits: RateLimits | None) -> None:
        """What the headers of a reply, or of an error, said."""
        self._replied = True
        if limits is None:
            return
        super().told_by(permit.own or permit, limits)
        self._hear("requests", permit.request_mark, permit, limits.remaining_requests, limits.reset_requests)
        self._hear("tokens", permit.token_mark, permit, limits.remaining_tokens, limits.reset_tokens)

    def _hear(self, kind: str, mark: float, permit: Permit, remaining: float | None, reset: float | None) -> None:
        said = self._said[kind]
        if remaining is None or mark < said.mark:
            return
        said.remaining, said.reset, said.mark, said.at = float(remaining), reset or 0.0, mark, permit.at
        self._news = True

    def refused(self, permit: Permit, error: RequestError, now: float, draw: float) -> None:
        """A refusal for pace: a pause for all, and a lower rate where it was about the rate."""
        own = permit.own or permit
        super().refused(replace(own, at=own.at - LAG_S) if self.told else own, error, now, draw)
        self._hold()
        self._asked_at = -math.inf  # the others are told at once
        self._news = True

    def flow(self, now: float) -> float:
        """Tokens a minute of late, of all processes."""
        return max(super().flow(now), self._all.tokens_a_minute(now))

    def _hold(self) -> None:
        """No turn holds that is within a pause."""
        while self._turns and self._turns[0].at < self.open_at:
            self._return(self._turns.popleft())

    def due(self, waiting: int, now: float) -> float:
        """Seconds until the keeper is to be asked, or told, something; infinite for not at all."""
        if not self._met and (waiting or not self._apart):
            return 0.0
        if not waiting and not self._news:
            return math.inf
        if waiting > len(self._turns) and (self.told or self._apart):
            last = self._turns[-1].at if self._turns else -math.inf
            when = max(self._asked_at + GAP_S, self._again_at, last - LEAD_S)
        else:
            when = self._asked_at + REST_S
        return max(0.0, min(when, self._asked_at + REST_S) - now)

    def ask(self, waiting: Sequence[float], now: float) -> bytes:
        """A call to the keeper. `waiting`: the tokens of the requests that wait, those first that go first."""
        rates = self.requests.rate(now), self.tokens.rate(now, self.ramp.ceiling(now))
        if self._apart:
            rates = rates[0] / self.requests.part, rates[1] / self.tokens.part
        for kind, meter, rate in zip(("requests", "tokens"), (self.requests, self.tokens), rates, strict=True):
            said = self._said[kind]
            said.rate = None if math.isinf(rate) else rate
            said.burst = meter.burst_s
            said.limit = meter.mirror.limit
        beyond = list(waiting)[len(self._turns) : len(self._turns) + MOST] if self.told and self._met else []
        known = self._memory()
        call = Call(
            id=self._id,
            wants=beyond,
            requests=self._abroad(self._said["requests"], now),
            tokens=self._abroad(self._said["tokens"], now),
            pause=self._clock.there(self.open_at) if self.open_at > now else 0.0,
            base=self._version,
            learned=self._learned() if known not in (self._known, _NOTHING) else None,
        )
        self._said = {"requests": _Said(), "tokens": _Said()}
        self._asked, self._asked_at, self._news = beyond, now, False
        return _encode(call)

    def _abroad(self, said: _Said, now: float) -> _Said:
        said.at = self._clock.there(said.at)
        return said

    def answered(self, answer: bytes, now: float) -> None:
        """The keeper answered the last call at `now`."""
        said = _decode(answer)
        self._clock.set(said.now, self._asked_at, now)
        if self._apart or not self._met:
            self._rejoin()
        self._count, self._version = max(1, said.count), said.version
        if said.pause > said.now:
            self.open_at = max(self.open_at, self._clock.here(said.pause))
            self._hold()
        self._learn(said)
        if self._seen_tokens is not None:
            self._all.add(max(0.0, said.first_tokens - self._seen_tokens), now)
        self._seen_tokens = said.first_tokens
        marks = said.first_requests, said.first_tokens
        for moment, tokens in zip(said.moments, self._asked, strict=False):
            marks = marks[0] + 1.0, marks[1] + tokens
            self._turns.append(_Turn(self._clock.here(said.now + moment), tokens, *marks))
        self._marks = marks
        self._again_at = now + said.again if said.again else -math.inf

    def lost(self, processes: int) -> None:
        """The keeper can't be reached: go on at our part of the pace, one of so many."""
        self._turns.clear()
        self._count = processes
        self._known, self._seen_tokens = None, None
        if not self._apart:
            self._apart = True
            for meter in (self.requests, self.tokens):
                meter.take_part(1.0 / self._count)

    def _rejoin(self) -> None:
        self._met, self._apart = True, False
        for meter in (self.requests, self.tokens):
            meter.take_part(1.0)

    def _return(self, turn: _Turn) -> None:
        self._charge(-1.0, -turn.tokens, shift=False)
        self._news = True

    def _memory(self) -> tuple[float, ...]:
        """All that refusals and the rule of growth taught, by our clock."""
        return _memory(self)

    def _learned(self) -> Learned:
        """The same by the keeper's clock."""
        figures = self._memory()
        there = self._clock.there
        begun = not math.isinf(figures[8])
        cuts = [there(figures[place]) if figures[place] > -1e8 else 0.0 for place in (2, 5)]
        return Learned(
            shares=(*figures[0:2], cuts[0], *figures[3:5], cuts[1]),
            bursts=(figures[6], figures[7]),
            ceiling=figures[8] if begun else -1.0,
            floor=figures[9],
            moved=there(figures[10]) if begun else 0.0,
        )

    def _learn(self, said: Answer) -> None:
        """Know what all know; the limits too, before a reply has told them here."""
        for meter, limit in ((self.requests, said.limit_requests), (self.tokens, said.limit_tokens)):
            if limit is not None:
                meter.mirror.limit = limit
        if said.learned is None:
            return
        learned = said.learned
        for place, meter in ((0, self.requests), (3, self.tokens)):
            refused_at, after_cut, cut = learned.shares[place : place + 3]
            meter.share.recall(refused_at, after_cut, self._clock.here(cut) if cut > 0 else -1e9)
            meter.burst_s = learned.bursts[place // 3]
        if learned.ceiling > 0:
            self.ramp.recall(learned.ceiling, learned.floor, self._clock.here(learned.moved), said.busiest)
        self._known = self._memory()


def _memory(governor: Governor) -> tuple[float, ...]:
    requests, tokens = governor.requests, governor.tokens
    return (
        *requests.share.memory(),
        *tokens.share.memory(),
        requests.burst_s,
        tokens.burst_s,
        *governor.ramp.memory(),
    )


_NOTHING = _memory(Governor())


class _Offset:
    """How far the keeper's clock is ahead of ours: from the quickest exchange, and anew where that must be wrong."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._error = math.inf

    def set(self, keeper: float, asked: float, answered: float) -> None:
        ahead, error = keeper - (asked + answered) / 2, (answered - asked) / 2
        self._error *= 1.001  # clocks drift
        if error < self._error or abs(ahead - self._ahead) > error + self._error:
            self._ahead, self._error = ahead, error

    def there(self, moment: float) -> float:
        return moment + self._ahead

    def here(self, moment: float) -> float:
        return moment - self._ahead
