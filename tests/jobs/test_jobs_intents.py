"""What was in flight at a crash is known afterwards, and so is the most that it can have cost."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.jobs.intents import Failed, InFlight, Mark, Sent, TakenUp, decoded, encoded, spent
from trivet.jobs.ledger import Ledger
from trivet.records import Failure, Record
from trivet.types import Attempt


def ok(n: int, *attempts: Attempt) -> Record:
    return Record(n=n, output="billing", source="provider", attempts=attempts)


def sent(ledger: Ledger, n: int, size: int = 100) -> None:
    ledger.mark(Sent(n=n, size=size, cap=16, after=ledger.size))


def failed(ledger: Ledger, n: int, attempt: Attempt | None = None) -> None:
    ledger.mark(Failed(n=n, attempt=attempt or REFUSED, after=ledger.size))


PAID = Attempt(latency=0.1, status=200, cost=Decimal("0.001"))
REFUSED = Attempt(latency=0.1, status=429)
PERHAPS = Attempt(latency=0.1, error="transport_reset", cost=None, possibly_billed=True)


def a_cent_a_byte(mark: Sent) -> Decimal:
    return Decimal(mark.size) / 100


@pytest.mark.parametrize(
    "mark", [Sent(n=3, size=812, cap=16, tier="flex", after=9), Failed(n=0, attempt=PAID), TakenUp(taken_up=1.5)]
)
def test_a_mark_is_read_back_as_it_was_written(mark: Mark) -> None:
    assert decoded(encoded(mark)) == mark


@pytest.mark.parametrize("line", [b"\x00" * 40, b"{}\n", b'{"mark":"sent"}\n', b'{"mark":"x","n":1}\n', b"[" * 100_000])
def test_a_damaged_mark_is_no_mark(line: bytes) -> None:
    assert decoded(line) is None


def test_what_has_no_record_when_the_run_is_taken_up_again_is_lost(tmp_path: Path) -> None:
    """Rows 1 and 3 were in flight; row 0 has its record, and row 2 came back with a refusal and was not sent again."""
    ledger = Ledger.open(tmp_path)
    for n in range(4):
        sent(ledger, n)
    ledger.append(ok(0, PAID))
    failed(ledger, 2)
    assert [mark.n for mark in ledger.in_flight.open()] == [1, 3]
    ledger.close()
    for _ in range(2):  # once lost, always lost, and counted once
        again = Ledger.open(tmp_path)
        assert [mark.n for mark in again.in_flight.lost] == [1, 3]
        assert again.in_flight.open() == []
        again.close()


def test_a_later_record_does_not_settle_what_was_lost_before(tmp_path: Path) -> None:
    """The row is asked again and answered: the first call may have been billed all the same."""
    first = Ledger.open(tmp_path)
    sent(first, 5)
    first.close()
    second = Ledger.open(tmp_path)
    sent(second, 5)
    second.append(ok(5, PAID))
    second.close()
    third = Ledger.open(tmp_path)
    assert len(third.in_flight) == 1
    third.close()


def test_a_row_asked_again_is_in_flight_though_it_has_an_old_record(tmp_path: Path) -> None:
    """A failed row that was being asked again at the crash has an older record, which settles nothing of it."""
    ledger = Ledger.open(tmp_path)
    sent(ledger, 0)
    ledger.append(Record(n=0, error=Failure(code="refused", message="no"), source="provider", attempts=(PAID,)))
    sent(ledger, 0)
    ledger.close()
    again = Ledger.open(tmp_path)
    assert [mark.n for mark in again.in_flight.lost] == [0]
    again.close()


def test_a_torn_mark_was_never_sent(tmp_path: Path) -> None:
    """The write of a mark comes back before its call is sent, so half a mark stands for no call."""
    ledger = Ledger.open(tmp_path)
    sent(ledger, 0)
    sent(ledger, 1)
    ledger.close()
    marks = tmp_path / "sent.jsonl"
    whole = marks.read_bytes()
    end = whole.index(b"\n") + 1
    for cut in range(end + 1, len(whole)):
        marks.write_bytes(whole[:cut])
        again = Ledger.open(tmp_path)
        assert [mark.n for mark in again.in_flight.lost] == [0]
        again.close()


def test_a_run_folder_without_marks_can_be_taken_up(tmp_path: Path) -> None:
    """Folders of before there were marks have no file of them."""
    ledger = Ledger.open(tmp_path)
    ledger.append(ok(0, PAID))
    ledger.close()
    (tmp_path / "sent.jsonl").unlink()
    again = Ledger.open(tmp_path)
    assert (list(again.done), len(again.in_flight)) == ([0], 0)
    again.close()


def test_a_closed_ledger_takes_no_marks(tmp_path: Path) -> None:
    """A call that is shared with another run may outlive the one that began it."""
    ledger = Ledger.open(tmp_path)
    ledger.close()
    sent(ledger, 0)
    assert (tmp_path / "sent.jsonl").read_bytes() == b""


def test_spend_counts_what_is_known_and_the_worst_case_of_what_is_not(tmp_path: Path) -> None:
    """Known costs of all attempts, a refusal for nothing, a reset and two lost calls at their worst case."""
    ledger = Ledger.open(tmp_path)
    sent(ledger, 0)
    ledger.append(ok(0, PAID))  # 0.001
    sent(ledger, 1, size=300)
    sent(ledger, 1, size=300)
    ledger.append(ok(1, PERHAPS, PAID))  # 3 + 0.001
    sent(ledger, 2)
    failed(ledger, 2)
    sent(ledger, 2, size=200)  # 2
    sent(ledger, 3, size=400)  # 4
    failed(ledger, 3)
    ledger.append(Record(n=4, output="billing", source="cache"))
    ledger.append(ok(5, REFUSED, PAID))  # 0.001
    assert spent(ledger.lines(), a_cent_a_byte) == Decimal("5.003")
    ledger.close()
    again = Ledger.open(tmp_path)
    assert spent(again.lines(), a_cent_a_byte) == Decimal("5.003")
    assert spent(again.lines(), lambda mark: None) == Decimal("0.003")
    again.close()


EVENTS = st.lists(st.tuples(st.sampled_from(["sent", "failed", "record", "crash"]), st.integers(0, 5)), max_size=60)


def test_a_failed_attempt_of_a_row_without_a_record_costs_what_it_cost_once(tmp_path: Path) -> None:
    """The run stopped over row 0 after two billed failures and one in doubt; another start asks it again."""
    billed = Attempt(latency=0.1, status=200, error="server_error", cost=Decimal("0.02"))
    ledger = Ledger.open(tmp_path)
    for attempt in (billed, REFUSED, PERHAPS, billed):
        sent(ledger, 0, size=300)
        failed(ledger, 0, attempt)
    ledger.close()
    for records in range(1, 3):
        again = Ledger.open(tmp_path)
        assert (len(again.in_flight), list(again.done)) == (0, [0][: records - 1])
        (known,) = again.in_flight.unfinished()
        assert (known.attempts, known.billed()) == ((billed, REFUSED, PERHAPS, billed), Decimal("0.04"))
        assert spent(again.lines(), a_cent_a_byte) == Decimal("3.04") + Decimal("0.001") * (records - 1)
        sent(again, 0)
        again.append(ok(0, PAID))
        assert list(again.in_flight.unfinished()) == [known], "the record tells of the later attempt alone"
        assert spent(again.lines(), a_cent_a_byte) == Decimal("3.04") + Decimal("0.001") * records
        again.close()


@given(EVENTS)
def test_in_flight_is_what_a_plain_count_says(events: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order, lost and open attempts are those without an end, failed ones those with."""
    flying = InFlight()
    now, failed = Counter[int](), Counter[int]()
    lost = failed_before = 0
    for what, n in events:
        if what == "sent":
            flying.mark(Sent(n=n))
            now[n] += 1
        elif what == "failed":
            flying.mark(Failed(n=n, attempt=REFUSED))
            now[n] = max(0, now[n] - 1)
            failed[n] += 1
        elif what == "record":
            assert len(flying.settle(n)) == now.pop(n, 0) + failed.pop(n, 0)
        else:
            flying.mark(TakenUp(taken_up=0.0))
            lost += now.total()
            failed_before += failed.total()
            now.clear()
            failed.clear()
        assert (len(flying.lost), len(flying)) == (lost, lost + now.total())
        assert sum(len(record.attempts) for record in flying.unfinished()) == failed_before + failed.total()


@given(EVENTS, st.integers(0, 30))
def test_the_files_say_after_a_crash_what_memory_said_before(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int]], reopen: int
) -> None:
    """Two files read together give the order in which they were written."""
    folder = tmp_path_factory.mktemp("run")
    ledger = Ledger.open(folder)
    for place, (what, n) in enumerate(events):
        if what == "sent":
            sent(ledger, n)
        elif what == "failed":
            failed(ledger, n)
        elif what == "record":
            ledger.append(ok(n, PAID))
        if place == reopen or what == "crash":
            before, done = len(ledger.in_flight), list(ledger.done)
            failures = list(ledger.in_flight.unfinished())
            ledger.close()
            ledger = Ledger.open(folder)
            assert (len(ledger.in_flight.lost), list(ledger.done)) == (before, done)
            assert list(ledger.in_flight.unfinished()) == failures
    ledger.close()
