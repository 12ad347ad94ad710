"""The figures of a run: counted from what is known, None where it is not."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from trivet.jobs.summary import Totals, latency_of
from trivet.records import Failure, Record
from trivet.summary import Calls, Latency, Summary, TagBill, Tokens
from trivet.types import Attempt, Usage

USAGE = Usage(input=50, cached_input=10, output=3, reasoning=1)


def sent(n: int, output: Any = "billing", **fields: Any) -> Record:
    defaults: dict[str, Any] = {
        "source": "provider",
        "model": "m",
        "usage": USAGE,
        "cost": Decimal("0.001"),
        "latency": 0.5,
        "attempts": (Attempt(latency=0.5, status=200, usage=USAGE, cost=Decimal("0.001")),),
        "input_chars": 100,
        "output_chars": 7,
    }
    return Record(n=n, id=n, output=output, **(defaults | fields))


def hit(n: int, output: Any = "billing", **fields: Any) -> Record:
    defaults: dict[str, Any] = {
        "source": "cache",
        "model": "m",
        "usage": USAGE,
        "saved": Decimal("0.001"),
        "latency": 0.00001,
        "stored_at": 900.0,
        "input_chars": 100,
        "output_chars": 7,
    }
    return Record(n=n, id=n, output=output, **(defaults | fields))


def failed(n: int, code: str, **fields: Any) -> Record:
    return Record(n=n, id=n, error=Failure(code=code, message="no"), **fields)


def summary_of(records: Iterable[Record], replaced: Iterable[Record] = (), **options: Any) -> Summary:
    fields: dict[str, Any] = {
        "run": "r", "task": "t.toml", "model": "m", "provider": "simulated", "wall_s": 2.0, "now": 1000.0,
    }  # fmt: skip
    totals = Totals()
    for record in records:
        totals.add(record)
    for record in replaced:
        totals.add_replaced(record)
    return totals.summary(**(fields | options))


def test_rows_calls_tokens_and_money_add_up() -> None:
    retried = (
        Attempt(latency=0.1, status=429, error="rate_limit_exceeded"),
        Attempt(latency=0.9, error="transport_reset", possibly_billed=True),
        Attempt(latency=0.5, status=200, usage=USAGE, cost=Decimal("0.001")),
    )
    summary = summary_of(
        [
            sent(0),
            sent(1, "account", attempts=retried, latency=1.5),
            hit(2),
            hit(3, source="coalesced", stored_at=None, latency=0.5),
            failed(4, "bad_row"),
        ]
    )
    assert (summary.rows, summary.ok, summary.failed, summary.rows_per_s) == (5, 4, 1, 2.5)
    assert summary.calls == Calls(sent=2, cache_hits=1, coalesced=1, attempts=4, retries=2, rate_limited=1)
    assert summary.cache_hit_rate == 0.4
    assert summary.tokens == Tokens(input=100, cached_input=20, output=6, reasoning=2)
    assert summary.cost_usd == Decimal("0.002")
    assert summary.saved_usd == Decimal("0.002")
    assert summary.counts == {"billing": 3, "account": 1}
    assert summary.failures == {"bad_row": 1}
    assert summary.latency_s == Latency(mean=1.0, p50=0.5, max=1.5)
    assert summary.ttft_s is None
    assert (summary.input_chars_mean, summary.output_chars_mean) == (100, 7)
    assert summary.oldest_hit_s == 100.0
    assert summary.possibly_billed == 1


def test_the_bill_by_tag_has_all_that_was_spent_under_it() -> None:
    search, other = {"team": "search", "env": "test"}, {"team": "ads"}
    replaced = failed(1, "invalid_output", source="provider", model="m", cost=Decimal("0.003"), tags=search)
    records = [sent(0, tags=search), sent(1, tags=search), sent(2, tags=other, cost=None), hit(3, tags=other), sent(4)]
    bills = {
        "env=test": TagBill(rows=2, cost_usd=Decimal("0.005")),
        "team=ads": TagBill(rows=2, cost_usd=None),
        "team=search": TagBill(rows=2, cost_usd=Decimal("0.005")),
    }
    summary = summary_of(records, replaced=[replaced])
    assert summary.by_tag == bills
    assert list(summary.by_tag) == list(bills)
    assert "team=search $0.005000 for 2 rows" in str(summary)
    assert summary_of([sent(0)]).by_tag == {}
    plain = Totals()
    plain.add_plain([sent(0, tags=search), sent(1, tags=search), sent(2)])
    one = Totals()
    for record in (sent(0, tags=search), sent(1, tags=search), sent(2)):
        one.add(record)
    fields: dict[str, Any] = {"run": "r", "task": "t", "model": "m", "provider": "p", "wall_s": 1.0, "now": 0.0}
    assert plain.summary(**fields) == one.summary(**fields)


def test_nothing_gives_no_figures() -> None:
    summary = summary_of([], wall_s=0.0)
    assert (summary.rows, summary.rows_per_s, summary.cache_hit_rate) == (0, None, None)
    assert summary.latency_s == Latency()
    assert (summary.cost_usd, summary.saved_usd) == (Decimal(0), Decimal(0))
    assert (summary.input_chars_mean, summary.output_chars_mean, summary.oldest_hit_s) == (None, None, None)
    assert (summary.counts, summary.failures) == ({}, {})


def test_one_unknown_cost_makes_the_sum_unknown() -> None:
    assert summary_of([sent(0), sent(1, cost=None), sent(2)]).cost_usd is None
    assert summary_of([failed(0, "timeout", source="provider", cost=None), sent(1)]).cost_usd is None
    assert summary_of([hit(0, saved=None)]).saved_usd is None
    assert summary_of([hit(0, saved=None)]).cost_usd == 0


def test_what_failed_and_was_asked_again_is_paid_for_but_is_no_row() -> None:
    replaced = failed(
        0,
        "invalid_output",
        source="provider",
        model="m",
        cost=Decimal("0.003"),
        latency=2.5,
        attempts=(Attempt(latency=2.5, status=200, usage=USAGE, cost=Decimal("0.003")),),
    )
    summary = summary_of([sent(0)], replaced=[replaced])
    assert (summary.rows, summary.failed, summary.failures) == (1, 0, {})
    assert summary.cost_usd == Decimal("0.004")
    assert summary.tokens.input == 100
    assert summary.calls.attempts == 2
    assert summary.latency_s.mean == 1.5


def test_latency_is_of_replies_of_the_provider_alone() -> None:
    no_reply = failed(1, "transport_timeout", source="provider", latency=600.0)
    not_accepted = failed(2, "refused", source="provider", model="m", latency=1.5)
    summary = summary_of([sent(0), no_reply, not_accepted, hit(3, latency=9.0)])
    assert (summary.latency_s.mean, summary.latency_s.max) == (1.0, 1.5)


@pytest.mark.parametrize(("rows", "known"), [(1, ""), (2, "p50"), (10, "p50 p90"), (100, "p50 p90 p95 p99")])
def test_a_percentile_that_the_sample_can_not_support_is_none(rows: int, known: str) -> None:
    latency = latency_of([n / 100 for n in range(1, rows + 1)])
    assert " ".join(p for p in ("p50", "p90", "p95", "p99") if getattr(latency, p) is not None) == known


def test_time_to_first_token_is_there_when_replies_were_streamed() -> None:
    summary = summary_of([sent(0, ttft=0.2), sent(1, ttft=0.4), sent(2)])
    assert summary.ttft_s is not None
    assert summary.ttft_s.mean == pytest.approx(0.3)


def test_outputs_are_counted_when_they_can_be_labels() -> None:
    assert summary_of([sent(0, True), sent(1, False), sent(2, True)]).counts == {"true": 2, "false": 1}
    assert summary_of([sent(n, f"label {n % 100}") for n in range(300)]).counts["label 7"] == 3
    for never in ("x" * 65, 7, {"a": 1}, None, ["x"]):
        assert summary_of([sent(0), sent(1, never)]).counts == {}
    assert summary_of([sent(n, f"label {n}") for n in range(101)]).counts == {}


def test_too_many_different_outputs_are_not_held() -> None:
    totals = Totals()
    for n in range(1000):
        totals.add(sent(n, f"text {n}"))
    assert totals._outputs is None


def test_the_rate_counts_the_rows_of_this_stretch_alone() -> None:
    assert summary_of([sent(n) for n in range(10)], resumed=6).rows_per_s == 2.0


def test_tokens_of_a_reply_without_attempts_are_its_own() -> None:
    assert summary_of([sent(0, attempts=())]).tokens.input == 50


def test_tokens_that_a_server_did_not_count_are_unknown() -> None:
    """A reply without usage makes the sum unknown, not smaller."""
    found = summary_of([sent(0), sent(1, usage=None, attempts=(Attempt(latency=0.5, status=200),))])
    assert found.tokens.input is None
    assert "unknown" in str(found)


def test_a_doubtful_attempt_is_counted_apart_and_does_not_hide_the_cost() -> None:
    """What may have been billed without an answer is a count of its own beside the known cost."""
    doubtful = Attempt(latency=1.0, error="transport_reset", cost=None, possibly_billed=True)
    record = sent(0)
    found = summary_of([msgspec.structs.replace(record, cost=None, attempts=(doubtful, *record.attempts))])
    assert found.cost_usd == record.cost
    assert found.possibly_billed == 1
