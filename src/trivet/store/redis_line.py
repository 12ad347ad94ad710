"""Commands to one Redis: many in one round trip, and none while it is known to be away.

A command waits while another caller's are under way, and goes with all that came meanwhile in one pipeline:
no task and no timer, the first of those who wait sends for all. What fails is reported once, and for the
time of a back-off nobody asks again; then one caller tries.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trivet.errors import MachineError
from trivet.store.redis_connection import ANSWER_SECONDS, PerLoop, RedisConnection

if TYPE_CHECKING:
    from redis.asyncio import Redis

BATCH_COMMANDS = 500
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

log = logging.getLogger("trivet.store")


class Away(Exception):
    """Redis did not do what it was asked; the user has been told, or need not be."""


class Undelivered(Exception):
    """The error of a whole pipeline: no command in it has an answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class Outage:
    """When to ask a Redis that failed again: after 0.1 s, doubling up to 5 s, half of it by chance."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._failures = 0
        self._next = 0.0
        self.lost = 0

    @property
    def is_on(self) -> bool:
        """Whether the last that was heard is a failure."""
        return self._failures > 0

    def may_ask(self, now: float) -> bool:
        """Whether to send a command; in an outage one caller may, and the others once it has failed."""
        if not self._failures:
            return True
        if now < self._next:
            return False
        self._next = now + ANSWER_SECONDS
        return True

    def failed(self, now: float) -> None:
        """A command could not be delivered, or had no answer."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._next = now + pause * (0.5 + 0.5 * self._draw())

    def ended(self) -> None:
        """An answer came."""
        self._failures = 0


class _Turn:
    """A command on its way: `ready` when it is answered, or when its caller is to send."""

    def __init__(self, command: tuple[Any, ...]) -> None:
        self.command = command
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answer: Any = None
        self.answered = False

    def end(self, answer: Any) -> None:
        self.answer, self.answered = answer, True
        if not self.ready.done():
            self.ready.set_result(None)


class Batch:
    """The commands of one event loop."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._waiting: list[_Turn] = []
        self._sending = False

    async def run(self, command: tuple[Any, ...]) -> Any:
        """The answer, which may be an error. A command may run twice, so it must be one that may."""
        turn = _Turn(command)
        self._waiting.append(turn)
        if self._sending:
            try:
                await turn.ready
            except asyncio.CancelledError:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                if turn.ready.done() and not turn.ready.cancelled() and not turn.answered:
                    self._pass_on()  # it was this one's turn to send
                raise
        if not turn.answered:
            self._sending = True
            try:
                await self._send()
            finally:
                self._pass_on()
        return turn.answer

    async def _send(self) -> None:
        turns, self._waiting = self._waiting[:BATCH_COMMANDS], self._waiting[BATCH_COMMANDS:]
        try:
            pipeline = self._client.pipeline(transaction=False)
            for turn in turns:
                pipeline.execute_command(*turn.command)
            answers = await pipeline.execute(raise_on_error=False)
        except asyncio.CancelledError:
            # the others did not ask for that: the first of them sends again
            self._waiting[:0] = [turn for turn in turns[1:] if not turn.ready.cancelled()]
            raise
        except Exception as error:  # noqa: BLE001 - it is each caller's, who tell the client's own from bugs
            # nor would those who wait fare better
            answers = [Undelivered(error)] * (len(turns) + len(self._waiting))
            turns, self._waiting = turns + self._waiting, []
        for turn, answer in zip(turns, answers, strict=True):
            turn.end(answer)

    def _pass_on(self) -> None:
        while self._waiting:
            following = self._waiting[0]
            if not following.ready.done():
                following.ready.set_result(None)
                return
            self._waiting.pop(0)
        self._sending = False


class Line:
    """Commands to one Redis from any number of loops, with its outages. `why`: the last error."""

    def __init__(self, connection: RedisConnection) -> None:
        self.connection = connection
        self.outage = Outage()
        self._batches: PerLoop[Batch] = PerLoop(lambda: Batch(connection.client()))
        self.was_reached = False
        self.why: Exception | None = None
        self._told: set[str] = set()
        self._failure: Undelivered | None = None

    async def run(self, *command: Any) -> Any:
        """The answer, or `Away`. MachineError as long as this Redis has never answered at all."""
        if not self.outage.may_ask(time.monotonic()):
            raise Away
        answer = await self._batches.get().run(command)
        if isinstance(answer, Undelivered):
            if not isinstance(answer.error, self.connection.errors):
                raise answer.error
            self.why = answer.error
            self._lost(answer)
            raise Away
        self._found()
        if isinstance(answer, self.connection.errors):
            self.why = answer
            self._tell_once(answer)
            raise Away
        return answer

    async def reach(self) -> None:
        """Ask for a sign of life; SettingsError or MachineError where none comes."""
        try:
            await self.connection.client().execute_command("PING")  # type: ignore[no-untyped-call]
        except self.connection.errors as error:
            raise self.connection.explain(error) from None
        self.was_reached = True

    def _lost(self, failure: Undelivered) -> None:
        sentence = str(self.connection.explain(failure.error))
        if not self.was_reached:
            raise MachineError(sentence) from None
        if failure is self._failure:  # it befell many callers, and counts once
            return
        self._failure = failure
        if not self.outage.is_on:
            log.warning("%s; going on without it, and trying again", sentence)
        self.outage.failed(time.monotonic())

    def _found(self) -> None:
        self.was_reached = True
        if self.outage.is_on:
            self.outage.ended()
            log.warning(
                "the Redis at %s is back; %d answers could not be kept there", self.connection.place, self.outage.lost
            )
            self.outage.lost = 0

    def _tell_once(self, error: Exception) -> None:
        kind = str(error).partition(" ")[0]
        if kind not in self._told:
            self._told.add(kind)
            log.warning("%s; going on without what it refuses", self.connection.explain(error))
