"""The progress line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trivet.cli.progress import Moment, line, pace
from trivet.engine.limit import LimitStatistics


def limit(**changes: Any) -> LimitStatistics:
    fields = {"in_flight": 30, "waiting": 64, "permits": 900, "refused": 0, "concurrency": 5000}
    return LimitStatistics(**(fields | changes))


def test_the_rate_is_shown_against_the_limit_that_binds() -> None:
    told = {"limit_requests": 3000, "limit_tokens": 2_000_000, "tokens_a_minute": 90_000.0}
    assert pace(limit(requests_a_minute=2951.2, **told)) == "2,951 of 3,000 requests/min"
    assert pace(limit(requests_a_minute=100.0, **told)) == "90,000 of 2,000,000 tokens/min"


def test_refusals_are_shown_beside_it() -> None:
    assert pace(limit(requests_a_minute=60.0, limit_requests=60, refused=2)) == "60 of 60 requests/min, 2 refused"


def test_a_limit_that_nobody_knows_is_not_invented() -> None:
    assert pace(limit(requests_a_minute=2951.2)) == ""


def test_the_line_says_how_far_and_how_fast() -> None:
    moment = Moment(
        finished=500,
        before=0,
        total=1000,
        failed=0,
        hits=0,
        in_flight=30,
        waiting=64,
        spent=Decimal("0.05"),
        elapsed=10.0,
        pace="2,951 of 3,000 requests/min",
    )
    assert "500/1,000 rows · 50.0 rows/s · 30 in flight, 64 waiting · 2,951 of 3,000 requests/min" in line(moment)
