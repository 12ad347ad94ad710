"""A run over time in a fixed number of steps, whatever its length: steps double when it goes on.

The mean number of attempts under way in a step is exact. An attempt that begins at second x adds 1 from x on, so it
adds (end of step - x) / step to the mean of its own step and 1 to each later one; its end takes both away again. Two
sums for each step, one of changes and one of those parts, hold all of it, and two steps merge into one of twice the
length without loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from trivet.records import Record
from trivet.reporting.figures import Limit, TimeLine
from trivet.types import Attempt

STEPS = 240
FINEST = 1 / 128
"""Seconds of a step to begin with."""

PAUSE = 600.0
"""Seconds without any call after which a run was not running: what lies between is cut out."""

MOST_CUTS = 12

REFUSED = 429


class Pace:
    """Counts attempts into steps. `origin`: the Unix time of second 0."""

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._step = FINEST
        self._changes = [0] * STEPS
        self._parts = [0.0] * STEPS
        self._sent = [0] * STEPS
        self._tokens = [0] * STEPS
        self._refused = [0] * STEPS
        self._failed = [0] * STEPS
        self._limits: list[Limit] = []
        self._cuts: list[tuple[float, float]] = []
        self._last = 0.0

    def second(self, at: float) -> float:
        """Where on the time line a Unix time is."""
        return max(0.0, at - self._origin)

    def add(self, record: Record) -> None:
        """Count the attempts of a call of the provider; records come in the order they were written."""
        end = record.at - self._origin
        if not -86400 < end < 1e9:  # no clock, or a broken one
            return
        turn = end - (record.latency or 0.0) - record.queued
        if turn > self._last + PAUSE and len(self._cuts) < MOST_CUTS:
            self._cut(turn)
            turn, end = self._last, end - (turn - self._last)
        if record.limits is not None:
            self._limits.append(
                Limit(second=max(0.0, end), requests=record.limits.limit_requests, tokens=record.limits.limit_tokens)
            )
        if end > self._last:
            self._last = end
        for attempt in reversed(record.attempts):
            begin = end - attempt.latency
            if attempt.began is not None:
                begin = turn + attempt.began
                end = begin + attempt.latency
            self._count(attempt, begin if begin > 0 else 0.0, end if end > 0 else 0.0)
            end = begin  # of an attempt without a beginning of its own: it came right before

    def add_plain(self, records: Sequence[Record]) -> None:
        """The same for many records, faster where a call took the one attempt."""
        changes, parts, sent, tokens = self._changes, self._parts, self._sent, self._tokens
        step, origin, last = self._step, self._origin, self._last
        for record in records:
            attempt = record.attempts[0]
            end = record.at - origin
            begin = end - attempt.latency
            usage = attempt.usage
            usual = 0 <= begin <= end < step * STEPS and begin - record.queued < last + PAUSE
            if not usual or usage is None or record.limits is not None or attempt.began is not None:
                self._last = last
                self.add(record)
                changes, parts, sent, tokens = self._changes, self._parts, self._sent, self._tokens
                step, origin, last = self._step, self._origin, self._last
                continue
            if end > last:
                last = end
            i, j = int(begin / step), int(end / step)
            changes[i] += 1
            parts[i] += (i + 1) * step - begin
            changes[j] -= 1
            parts[j] -= (j + 1) * step - end
            sent[i] += 1
            tokens[j] += usage.input + usage.output
        self._last = last

    def _count(self, attempt: Attempt, begin: float, end: float) -> None:
        step = self._step
        while end >= step * STEPS:
            step = self._coarsen()
        first, last = int(begin / step), int(end / step)
        self._changes[first] += 1
        self._parts[first] += (first + 1) * step - begin
        self._changes[last] -= 1
        self._parts[last] -= (last + 1) * step - end
        self._sent[first] += 1
        usage = attempt.usage
        if usage is not None:
            self._tokens[last] += usage.input + usage.output
        if attempt.error is not None:
            if attempt.status == REFUSED:
                self._refused[last] += 1
            else:
                self._failed[last] += 1

    def _cut(self, turn: float) -> None:
        """Leave out a pause: the records after it move up to where those before it ended."""
        pause = turn - self._last
        self._cuts.append((self._last, pause))
        self._origin += pause

    def _coarsen(self) -> float:
        step, half = self._step, STEPS // 2
        parts = self._parts
        merged = [parts[2 * i] + self._changes[2 * i] * step + parts[2 * i + 1] for i in range(half)]
        self._parts = merged + [0.0] * half
        for name in ("_changes", "_sent", "_tokens", "_refused", "_failed"):
            old: list[int] = getattr(self, name)
            setattr(self, name, [old[2 * i] + old[2 * i + 1] for i in range(half)] + [0] * half)
        self._step = 2 * step
        return self._step

    def figures(self) -> TimeLine | None:
        """The time line; None where no call was sent."""
        if not any(self._sent):
            return None
        while int(self._last / self._step) >= STEPS // 2:  # a step holds enough calls to show a rate
            self._coarsen()
        used = int(self._last / self._step) + 1
        in_flight = []
        under_way = 0
        for changes, parts in zip(self._changes[:used], self._parts[:used], strict=True):
            in_flight.append(max(0.0, under_way + parts / self._step))
            under_way += changes
        a_minute = 60 / self._step
        return TimeLine(
            at=self._origin - sum(pause for _, pause in self._cuts),
            step=self._step,
            in_flight=tuple(in_flight),
            requests=tuple(sent * a_minute for sent in self._sent[:used]),
            tokens=tuple(tokens * a_minute for tokens in self._tokens[:used]),
            refused=tuple(self._refused[:used]),
            failed=tuple(self._failed[:used]),
            limits=tuple(self._limits[:STEPS]),
            cuts=tuple(self._cuts),
        )
