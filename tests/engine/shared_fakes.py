"""The scripts of the shared limits and budgets in a real Redis, by a clock that tests move, over a line that breaks."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import redis

from trivet.errors import MachineError
from trivet.store.redis_budget import SCRIPT as BOOKS
from trivet.store.redis_limits import SCRIPT as TURNS

EPOCH = 1_795_000_000.0


class Keeper:
    """Runs the scripts; `away`: seconds on the way to it and back; `down`: it can't be reached.

    `drops`: so many answers in a hundred get lost on their way back, by a chance of its own.
    """

    def __init__(self, url: str, *, away: float = 0.0005, drops: int = 0, seed: int = 0) -> None:
        self.client = redis.Redis.from_url(url, socket_timeout=60)
        self.away = away
        self.down = False
        self.calls = 0
        self._drops = drops
        self._random = random.Random(seed)

    def turns(self, scope: str = "scope") -> Callable[[str, bytes], Any]:
        """The exchange of shared limits."""
        return lambda line, call: self._run(TURNS, f"{scope}:{line}", call)

    def books(self, name: str = "books") -> Callable[[bytes], Any]:
        """The exchange of a shared budget."""
        return lambda call: self._run(BOOKS, name, call)

    async def _run(self, script: str, key: str, call: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.away)
        if self.down:
            raise MachineError("the Redis can't be reached")
        self.calls += 1
        now = EPOCH + loop.time()
        clock = json.dumps([int(now), int(now % 1 * 1e6)])
        script = script.replace("redis.call('TIME')", "cjson.decode(ARGV[2])")
        answer: Any = self.client.eval(script, 1, key, call, clock)
        await asyncio.sleep(self.away)
        if self._random.randrange(100) < self._drops:
            raise MachineError("the connection broke before the answer came")
        return bytes(answer)
