"""The figures of a run: the same as its summary, and money, time and samples that add up."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from trivet.jobs.intents import Sent, encoded, mark_of
from trivet.jobs.ledger import Ledger
from trivet.jobs.summary import Totals
from trivet.prices.book import standard_book
from trivet.records import Record
from trivet.reporting.bill import Bill
from trivet.reporting.reading import read_run
from trivet.reporting.sample import distribution
from trivet.reporting.tally import tally
from trivet.reporting.timeline import PAUSE, STEPS, Pace
from trivet.stats.percentiles import Percentiles
from trivet.summary import Summary
from trivet.types import Attempt, RateLimits, Request, Usage

START = 1_795_000_000.0
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A machine under load may take its time."""


def several(make: Any) -> list[Record]:
    """Rows of every sort: at once, retried, refused, failed, from the cache, shared, bad, asked again."""
    refused = Attempt(latency=0.02, status=429, error="rate_limit_exceeded", began=0.0)
    lost = Attempt(latency=0.4, error="transport_reset", cost=None, possibly_billed=True, began=0.1)
    first = make.sent(3).attempts[0]
    return [
        *(make.sent(n, ("billing", "account_access")[n % 2]) for n in range(40)),
        make.failure(40),
        replace(make.sent(41), attempts=(refused, refused, replace(first, began=1.5)), latency=1.7, queued=0.4),
        replace(make.sent(42), attempts=(lost, replace(first, began=0.9)), cost=None),
        Record(
            n=43, id=43, output="billing", source="cache", model="m", saved=Decimal("0.01"), stored_at=5.0, at=START
        ),
        Record(n=44, id=44, output="billing", source="coalesced", model="m", saved=Decimal("0.02"), at=START),
        make.failure(45, "bad_row", source=None, attempts=(), usage=Usage(), model=None),
        make.sent(40, at=START + 60),  # asked again, with a result
    ]


def last_and_replaced(records: list[Record]) -> tuple[list[Record], list[Record]]:
    last = {record.n: record for record in records}
    return list(last.values()), [record for record in records if last[record.n] is not record]


def summarise(records: list[Record], replaced: list[Record], **fields: Any) -> Summary:
    """The figures as a run itself sums them up."""
    totals = Totals()
    for record in records:
        totals.add(record)
    for record in replaced:
        totals.add_replaced(record)
    return totals.summary(**fields)


def test_the_figures_are_those_of_the_summary(make: Any, run_folder: Any) -> None:
    """One pass over the ledger comes to what the run itself has summed up, row by row."""
    records = several(make)
    last, replaced = last_and_replaced(records)
    shown = read_run(run_folder(records), with_text=True).summary
    theirs = summarise(
        last, replaced, run="one", task="t.toml", model="gpt-5.4-mini", provider="simulated",
        wall_s=shown.wall_s, now=START + 60,
    )  # fmt: skip
    assert shown == theirs


outputs = st.sampled_from(["a", "b", "x" * 70, 7, True])


@SLOW
@given(drawn=st.lists(st.tuples(st.integers(0, 5000), outputs, st.floats(0, 9)), max_size=40))
def test_many_at_once_count_as_one_by_one(make: Any, drawn: list[tuple[int, Any, float]]) -> None:
    """What is counted in batches is what would have been counted singly."""
    records = [make.sent(n, output, latency=latency) for n, output, latency in drawn]
    fields: dict[str, Any] = {"run": "", "task": "", "model": "", "provider": "", "wall_s": 1.0, "now": 0.0}
    single, many = Totals(), Totals()
    bills, paces = (Bill(standard_book()), Bill(standard_book())), (Pace(START), Pace(START))
    for record in records:
        single.add(record)
        bills[0].add(record)
        paces[0].add(record)
    many.add_plain(records)
    bills[1].add_plain(records)
    paces[1].add_plain(records)
    assert single.summary(**fields) == many.summary(**fields)
    assert bills[0].figures(None) == bills[1].figures(None)
    assert paces[0].figures() == paces[1].figures()


def test_what_is_damaged_or_torn_is_counted_and_left_out(make: Any, run_folder: Any) -> None:
    """A broken line is told of; a last line that is still being written is not there yet."""
    folder = run_folder([make.sent(n) for n in range(5)], finished=False)
    path: Path = folder / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    broken = [b'{"n": 1, "id"\n', b"\xff\x00\n", b'{"n": -3}\n', b'{"n": 99999999999}\n', b"[" * 100_000 + b"\n", b"\n"]
    path.write_bytes(b"".join([*lines[:2], *broken, *lines[2:], lines[0][:40]]))
    run = read_run(folder, with_text=False)
    assert (run.summary.rows, run.damaged, run.state) == (5, len(broken), "unfinished")


def test_a_folder_without_records_is_a_run_of_no_rows(run_folder: Any) -> None:
    """A run that was cut off before its first answer is drawn, too."""
    folder = run_folder([], finished=False)
    assert read_run(folder, with_text=False).summary.rows == 0
    (folder / "ledger.jsonl").unlink()
    run = read_run(folder, with_text=False)
    assert (run.latency, run.timeline, run.slowest, run.failed) == (None, None, (), ())


def test_a_printed_summary_of_other_records_is_not_believed(make: Any, run_folder: Any) -> None:
    """A run that was taken up again has more records than the summary of its first part."""
    records = [make.sent(n) for n in range(5)]
    folder = run_folder(records, finished=False)
    fields: dict[str, Any] = {"run": "one", "task": "t", "model": "m", "provider": "p", "wall_s": 77.0, "now": 0.0}
    for known, wall in ((records, 77.0), (records[:3], pytest.approx(1.4))):
        written = msgspec.json.Encoder(decimal_format="number").encode(summarise(known, [], **fields))
        (folder / "summary.json").write_bytes(written)
        assert read_run(folder, with_text=False).summary.wall_s == wall


def test_the_kinds_of_cost_add_up_to_the_bill(make: Any, run_folder: Any) -> None:
    """To the last digit, failed attempts and long requests included; what was saved stands apart."""
    usage = Usage(input=9000, cached_input=4000, cache_write=1000, output=300, reasoning=200)
    billed = Attempt(latency=0.1, status=500, error="server_error", usage=usage, cost=Decimal("0.5"), began=0.0)
    first = make.sent(1, usage=usage)
    records = [
        make.sent(0, usage=usage),
        replace(first, attempts=(billed, *first.attempts), cost=first.cost + Decimal("0.5")),
        make.sent(2, usage=usage, tier="flex"),
        Record(n=3, output="billing", source="cache", saved=Decimal("0.25"), at=START),
    ]
    costs = read_run(run_folder(records), with_text=False).costs
    assert sum(kind.usd for kind in costs.kinds) == costs.usd == sum(r.cost for r in records if r.cost)
    kinds = {kind.name: kind for kind in costs.kinds}
    assert kinds["failed attempts"].usd == Decimal("0.5")
    assert (kinds["cached input"].tokens, kinds["reasoning"].tokens, kinds["output"].tokens) == (12000, 600, 300)
    savings = {saving.name: saving.usd for saving in costs.savings}
    assert savings["answers from the cache"] == Decimal("0.25")
    assert savings["tier flex instead of standard"] == make.sent(0, usage=usage).cost - records[2].cost  # type: ignore[operator]
    assert costs.tiers == {"standard": 2, "flex": 1}


def test_a_price_of_the_users_own_is_not_split(make: Any) -> None:
    """Where the recorded cost is not what the table says, no kind is made up."""
    bill = Bill(standard_book())
    own = make.sent(0)
    attempt = replace(own.attempts[0], cost=Decimal("7"))
    bill.add(replace(own, attempts=(attempt,), cost=Decimal("7")))
    costs = bill.figures(Decimal(7))
    assert [(kind.name, kind.usd) for kind in costs.kinds] == [("at prices that this table lacks", Decimal("7"))]


spans = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 250)), min_size=1, max_size=30)


@SLOW
@given(spans)
def test_attempts_in_flight_are_the_exact_mean_of_each_step(drawn: list[tuple[float, float]]) -> None:
    """However often steps were doubled on the way."""
    pace = Pace(START)
    ended = sorted((begin + latency, latency) for begin, latency in drawn)
    for end, latency in ended:
        attempt = Attempt(latency=latency, status=200)
        pace.add(Record(n=0, source="provider", at=START + end, latency=latency, attempts=(attempt,)))
    line = pace.figures()
    assert line is not None
    assert not line.cuts
    assert len(line.in_flight) <= STEPS
    for k, shown in enumerate(line.in_flight):
        low, high = k * line.step, (k + 1) * line.step
        true = sum(max(0.0, min(high, end) - max(low, end - took)) for end, took in ended) / line.step
        assert shown == pytest.approx(true, abs=1e-3)


def test_refusals_failures_limits_and_rates_are_where_they_happened(make: Any) -> None:
    """An attempt that began at a known second is placed there, an old one right before the next."""
    told = RateLimits(limit_requests=500, limit_tokens=30_000)
    refused = Attempt(latency=0.1, status=429, error="rate_limit_exceeded", began=0.0)
    broken = Attempt(latency=1.0, error="transport_reset")
    pace = Pace(START)
    good = make.sent(0).attempts[0]
    pace.add(make.sent(0, at=START + 10, latency=9.0, attempts=(refused, replace(good, began=8.5)), limits=told))
    pace.add(make.sent(1, at=START + 20, latency=2.0, attempts=(broken, replace(good, latency=1.0))))
    line = pace.figures()
    assert line is not None

    def when(values: Any) -> list[float]:
        return [k * line.step for k, value in enumerate(values) if value]

    assert when(line.refused) == [pytest.approx(1.1, abs=line.step)]
    assert when(line.failed) == [pytest.approx(19.0, abs=line.step)]
    assert when(line.requests) == [pytest.approx(second, abs=line.step) for second in (1.0, 9.5, 18.0, 19.0)]
    assert [(limit.requests, limit.tokens) for limit in line.limits] == [(500, 30_000)]


def test_a_long_pause_is_cut_out(make: Any) -> None:
    """A run that was taken up the day after is shown without the night."""
    pace = Pace(START)
    records = [make.sent(n, at=START + n) for n in range(1, 10)]
    records += [make.sent(n, at=START + 86_400 + n) for n in range(10, 20)]
    for record in records:
        pace.add(record)
    line = pace.figures()
    assert line is not None
    assert len(line.cuts) == 1
    assert line.cuts[0][1] == pytest.approx(86_400, abs=5)
    assert line.step * len(line.in_flight) < PAUSE
    assert line.at == START


@SLOW
@given(st.lists(st.floats(0.0001, 1000), min_size=1, max_size=300))
def test_bars_hold_every_value_once(values: list[float]) -> None:
    """Whatever the sample, its bars count all of it, and its curve ends at all of it."""
    sample = distribution(values)
    assert sample is not None
    assert sum(count for _, _, count in sample.bars) == len(values)
    assert sample.curve[-1] == (max(values), 1.0)
    known = {name: Percentiles(values).at(p) for name, p in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))}
    shown = {p.name: p.seconds for p in sample.percentiles}
    assert {name: shown.get(name) for name in known} == known


def test_times_without_a_clock_leave_the_line_out(make: Any, run_folder: Any) -> None:
    """Records that know no time, or an impossible one, are in every figure but the time line."""
    for place, at in enumerate((0.0, -1e300, 1e300)):
        folder = run_folder([make.sent(n, at=at) for n in range(3)], name=f"r{place}")
        run = read_run(folder, with_text=False)
        assert (run.timeline, run.summary.rows) == (None, 3)


def test_the_folder_is_only_read(make: Any, run_folder: Any) -> None:
    """Drawing a run that a process is writing takes no lock and leaves no trace."""
    folder: Path = run_folder([make.sent(n) for n in range(3)])
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    tally(folder, standard_book(), START)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_what_a_cut_off_run_tried_in_vain_is_counted(make: Any, run_folder: Any) -> None:
    """Failed attempts of rows without a record, and calls whose end nobody knows, as the run's own ledger has them."""
    folder = run_folder([make.sent(n) for n in range(3)], finished=False)
    asked = Request(head=b"{", tail=b"}", model="m", accept=lambda _: None, label="3")
    failed = Attempt(latency=0.1, status=500, error="server_error")
    size = (folder / "ledger.jsonl").stat().st_size
    marks = [Sent(n=0), mark_of(asked, None, size), mark_of(asked, failed, size), Sent(n=4, after=size)]
    (folder / "sent.jsonl").write_bytes(b"".join(map(encoded, marks)))
    shown = read_run(folder, with_text=False).summary
    ledger = Ledger.open(folder)
    fields: dict[str, Any] = {"run": "one", "task": "t.toml", "model": shown.model, "provider": "simulated"}
    theirs = summarise(
        list(ledger.ordered()), list(ledger.spent_in_vain()), **fields, wall_s=shown.wall_s, now=0.0,
        interrupted=True, lost=len(ledger.in_flight),
    )  # fmt: skip
    ledger.close()
    assert shown == theirs
    assert (shown.calls.attempts, shown.possibly_billed) == (4, 1)
