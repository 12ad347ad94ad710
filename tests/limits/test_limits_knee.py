"""The knee of servers whose every answer is known: so many at a time, the rest waits."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable

import pytest

from trivet.limits.knee import START, Knee


class Server:
    """Answers `slots` requests at a time, each in `seconds(active)`; a queue before them. No clock but its own."""

    def __init__(self, slots: int, seconds: Callable[[int], float], spread: float = 0.3) -> None:
        self.slots, self.seconds, self.spread = slots, seconds, spread
        self.draw = random.Random(7)
        self.now = 0.0
        self._active: list[tuple[float, int, float, int]] = []
        self._queue: list[tuple[float, int]] = []
        self._number = self.done = 0

    def send(self, in_flight: int) -> None:
        self._queue.append((self.now, in_flight))
        self._start()

    def _start(self) -> None:
        while self._queue and len(self._active) < self.slots:
            sent, in_flight = self._queue.pop(0)
            self._number += 1
            took = self.seconds(len(self._active) + 1) * math.exp(self.draw.gauss(0, self.spread))
            heapq.heappush(self._active, (self.now + took, self._number, sent, in_flight))

    def next(self) -> tuple[float, int]:
        """The next reply: when it was sent, and with how many in flight."""
        self.now, _, sent, in_flight = heapq.heappop(self._active)
        self.done += 1
        self._start()
        return sent, in_flight


def drive(knee: Knee, server: Server, replies: int) -> list[int]:
    """`n` after each reply, with more requests waiting than may go."""
    in_flight, seen = 0, []
    for _ in range(replies):
        while in_flight < knee.n:
            in_flight += 1
            server.send(in_flight)
        sent, with_ = server.next()
        in_flight -= 1
        knee.answered(server.now - sent, sent, with_, server.now)
        seen.append(knee.n)
    return seen


@pytest.mark.parametrize("slots", [4, 32, 256])
def test_it_finds_the_number_a_server_can_do_at_once_and_stays_there(slots: int) -> None:
    server = Server(slots, lambda _: 0.2)
    knee = Knee(5000)
    drive(knee, server, 120 * slots + 1000)
    began, done = server.now, server.done
    seen = drive(knee, server, 60 * slots + 500)
    assert 0.75 * slots <= sorted(seen)[len(seen) // 2] <= 1.6 * slots
    assert max(seen) <= 2.5 * slots
    best = slots / 0.2 / math.exp(0.3**2 / 2)
    assert (server.done - done) / (server.now - began) >= 0.85 * best


def test_a_server_that_gets_slower_with_each_request_is_taken_to_the_best_power() -> None:
    """latency = 1 + n / 100: throughput / latency is highest at 100."""
    server = Server(10_000, lambda active: 1 + active / 100, spread=0.1)
    knee = Knee(5000)
    drive(knee, server, 30_000)
    seen = drive(knee, server, 10_000)
    assert 60 <= sorted(seen)[len(seen) // 2] <= 170


def test_a_server_that_does_not_mind_is_given_all_that_is_allowed() -> None:
    knee = Knee(2000)
    seen = drive(knee, Server(10**6, lambda _: 0.2), 40_000)
    assert seen[-1] >= 1500
    assert max(seen) == 2000


def test_a_server_that_becomes_slower_for_all_is_no_reason_to_send_less() -> None:
    server = Server(64, lambda _: 0.2)
    knee = Knee(5000)
    drive(knee, server, 12_000)
    server.seconds = lambda _: 0.8
    seen = drive(knee, server, 8_000)
    assert 40 <= sorted(seen[4_000:])[2_000] <= 110


def test_too_little_demand_teaches_nothing() -> None:
    knee = Knee(5000)
    for n in range(1000):
        knee.answered(0.2, n * 1.0, 1, n + 0.2)
    assert knee.n == START


def test_drops_lower_it_once_a_flight_and_it_recovers() -> None:
    knee = Knee(5000)
    server = Server(64, lambda _: 0.2)
    drive(knee, server, 5_000)
    before = knee.n
    now = server.now
    for _ in range(before):
        knee.dropped(now, before, now)
    lowered = knee.n
    assert 0.5 * before <= lowered < before
    for _ in range(100):
        knee.dropped(now - 1.0, before, now)
    assert knee.n == lowered
    seen = drive(knee, server, 20_000)
    assert seen[-1] >= 0.7 * 64


def test_a_few_drops_among_many_replies_change_nothing() -> None:
    knee = Knee(64, chosen=True)
    server = Server(10**6, lambda _: 0.2)
    for _ in range(100):
        drive(knee, server, 50)
        knee.dropped(server.now, 64, server.now)
    assert knee.n == 64


def test_a_number_that_somebody_chose_holds_from_the_start() -> None:
    knee = Knee(500, chosen=True)
    assert knee.n == 500
    assert set(drive(knee, Server(8, lambda _: 0.2), 20_000)) == {500}


def test_it_never_falls_below_one() -> None:
    knee = Knee(3)
    for n in range(200):
        knee.dropped(n * 10.0, 3, n * 10.0)
    assert knee.n == 1
