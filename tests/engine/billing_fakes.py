"""A provider that keeps the true bill, whatever it says of it."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from engine_fakes import DAY, After, Outcome, ScriptedTransport, broken, fault, ok, refused

from trivet.errors import TransportError
from trivet.prices.book import standard_book
from trivet.types import HttpCall, HttpReply, Usage


class BillingProvider(ScriptedTransport):
    """Draws every outcome, and keeps the true bill: some failures are billed without saying so."""

    def __init__(self, seed: int) -> None:
        super().__init__(answer=self._draw)
        self._random = random.Random(seed)
        self.bill = Decimal(0)

    def _draw(self, call: HttpCall) -> Outcome:
        draw = self._random
        most_in, most_out = len(call.body) + 256, 16
        usage = Usage(input=draw.choice([1, draw.randint(1, most_in), most_in]), output=draw.choice([0, 3, most_out]))
        cost = standard_book().cost(usage, model="gpt-5.4-mini", tier="default", day=DAY)
        assert cost is not None
        counts: dict[str, Any] = {"input_tokens": usage.input, "output_tokens": usage.output}
        outcomes: list[tuple[HttpReply | TransportError, bool]] = [
            (ok(**counts), True),
            (ok(**counts), True),
            (ok("", **counts), True),
            (ok(usage=None), True),
            (ok(status="failed", error={"code": "server_error", "message": "x"}, **counts), True),
            (ok(status="incomplete", incomplete_details={"reason": "max_output_tokens"}, **counts), True),
            (broken("reset"), True),
            (broken("connect", sent=False), False),
            (fault(500), True),
            (fault(503), False),
            (refused(draw.choice([1, 7])), False),
            (fault(400), False),
        ]
        outcome, billed = draw.choice(outcomes)
        if billed:
            self.bill += cost
        return After(draw.choice([0.0, 0.1, 1.0, 5.0]), outcome)
