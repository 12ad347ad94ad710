"""The progress line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trivet.cli.progress import Moment, Rate, about, line, pace
from trivet.engine.limit import LimitStatistics


def limit(**changes: Any) -> LimitStatistics:
    fields = {"in_flight": 30, "waiting": 64, "permits": 900, "refused": 0, "concurrency": 5000}
    return LimitStatistics(**(fields | changes))


TOLD = {"limit_requests": 3000.0, "limit_tokens": 2_000_000.0, "requests_a_minute": 2951.2}


def moment(**changes: Any) -> Moment:
    fields: dict[str, Any] = {
        "finished": 500,
        "before": 0,
        "total": 1000,
        "failed": 0,
        "hits": 0,
        "rate": 50.0,
        "retries": 0,
        "backing_off": 0,
        "limit": limit(**TOLD),
        "spent": Decimal("0.12"),
        "budget": None,
        "cost": Decimal("0.12"),
        "unpriced": 0,
    }
    return Moment(**(fields | changes))


BUSY = moment(
    failed=3,
    hits=125,
    retries=12,
    backing_off=2,
    budget=Decimal(5),
    limit=limit(**TOLD, refused=7, oldest_wait=2.2),
)


def test_the_rate_is_shown_against_the_limit_that_binds() -> None:
    told = {"limit_requests": 3000, "limit_tokens": 2_000_000, "tokens_a_minute": 90_000.0}
    assert pace(limit(requests_a_minute=2951.2, **told)) == "2,951/3,000 rpm"
    assert pace(limit(requests_a_minute=100.0, **told)) == "90,000/2.0M tpm"


def test_a_limit_that_nobody_knows_is_not_invented() -> None:
    assert pace(limit(requests_a_minute=2951.2)) == ""


def test_a_wide_line_says_everything() -> None:
    assert line(BUSY) == (
        "500/1,000 rows · 3 failed · 50.0 rows/s · 10 s left · 2,951/3,000 rpm · 30 in flight · "
        "66 waiting, up to 2 s · 25 % hits · 7 refused · 12 retries · $0.12 of $5.00 · ~$0.24 in all"
    )


def test_a_narrow_line_keeps_what_matters_most_in_the_same_order() -> None:
    assert line(BUSY, 80) == "500/1,000 rows · 3 failed · 50.0 rows/s · 10 s left · $0.12 of $5.00"
    parts = line(BUSY).split(" · ")
    for width in range(200):
        kept = line(BUSY, width).split(" · ")
        assert len(" · ".join(kept)) <= width or kept == parts[:1]
        assert [part for part in parts if part in kept] == kept


def test_at_120_columns_the_pace_the_calls_and_the_waiting_are_there() -> None:
    shown = line(BUSY, 120)
    for part in ("2,951/3,000 rpm", "30 in flight", "50.0 rows/s", "$0.12 of $5.00", "10 s left"):
        assert part in shown


def test_a_pause_is_said_however_narrow() -> None:
    paused = moment(limit=limit(**TOLD, paused=58.9), rate=0.0)
    assert line(paused, 60) == "500/1,000 rows · paused by the provider for 59 s · $0.12"
    assert "left" not in line(paused), "nobody knows at a rate of nought"


def test_a_moment_between_two_requests_is_no_pause() -> None:
    assert "paused" not in line(moment(limit=limit(paused=0.3)))


def test_time_and_cost_to_come_follow_the_present_rate() -> None:
    """Half an hour's pause adds to the time; what was spent before adds to the cost."""
    resumed = moment(
        before=200, finished=100, cost=Decimal("0.10"), spent=Decimal("0.50"), rate=10.0, limit=limit(paused=30.0)
    )
    assert "100 s left" in line(resumed)
    assert "~$1.20 in all" in line(resumed)


def test_what_is_not_known_is_not_projected() -> None:
    """Too few rows, an unknown price, an unknown end."""
    assert "in all" not in line(moment(finished=5))
    assert "in all" not in line(moment(unpriced=2))
    assert "2 unpriced" in line(moment(unpriced=2))
    endless = line(moment(total=None))
    assert "in all" not in endless
    assert "left" not in endless
    assert endless.startswith("500 rows · ")


def test_a_finished_run_has_nothing_left() -> None:
    done = line(moment(finished=1000))
    assert "left" not in done
    assert "in all" not in done


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    """A fast start does not colour the present: 100 rows/s for a minute, then 10."""
    rate = Rate()
    assert rate.of(0, 0.0) == 0
    for now in range(1, 61):
        fast = rate.of(100 * now, float(now))
    assert 99 < fast < 101
    for now in range(61, 121):
        slow = rate.of(6000 + 10 * (now - 60), float(now))
    assert 9.9 < slow < 10.1


def test_the_rate_keeps_few_moments() -> None:
    rate = Rate()
    for tick in range(100_000):
        rate.of(tick, tick * 0.125)
    assert len(rate._seen) < 100


def test_durations_take_few_characters() -> None:
    shown = [about(s) for s in (0.4, 59.4, 119.0, 150.0, 7100.0, 86_400.0, 600_000.0)]
    assert shown == ["0 s", "59 s", "119 s", "2 min", "118 min", "24.0 h", "6.9 days"]
