"""The books of a budget."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.limits.account import Account, Room

MONEY = st.decimals(0, 100, places=9, allow_nan=False, allow_infinity=False)


@given(
    budget=MONEY,
    steps=st.lists(st.tuples(st.sampled_from(["reserve", "settle"]), MONEY, st.floats(0, 1)), max_size=60),
)
def test_settled_and_reserved_never_exceed_the_budget(budget: Decimal, steps: list[tuple[str, Decimal, float]]) -> None:
    account = Account(budget)
    held: list[Decimal] = []
    spent = Decimal(0)
    for kind, amount, share in steps:
        if kind == "reserve":
            room = account.reserve(amount)
            total = sum(held, Decimal(0))
            assert room is (
                Room.STOP
                if spent + amount > budget
                else Room.WAIT
                if spent + total + amount > budget
                else Room.RESERVED
            )
            if room is Room.RESERVED:
                held.append(amount)
        elif held:
            reserved = held.pop()
            actual = (reserved * Decimal(share)).quantize(Decimal("1e-9"), rounding="ROUND_DOWN")
            account.settle(reserved, actual)
            spent += actual
        books = account.statistics()
        assert (books.settled, books.reserved) == (spent, sum(held, Decimal(0)))
        assert books.settled + books.reserved <= budget
        assert account.left() == budget - spent


def test_the_whole_budget_can_be_spent_to_the_last_cent_and_not_beyond() -> None:
    account = Account(Decimal("0.01"))
    for _ in range(10):
        assert account.reserve(Decimal("0.001")) is Room.RESERVED
        account.settle(Decimal("0.001"), Decimal("0.001"))
    assert account.left() == 0
    assert account.reserve(Decimal("0.000000001")) is Room.STOP
    assert account.reserve(Decimal(0)) is Room.RESERVED


def test_without_a_budget_everything_fits_and_is_counted() -> None:
    account = Account(None)
    assert account.reserve(Decimal(10**9)) is Room.RESERVED
    account.settle(Decimal(10**9), Decimal(5))
    assert account.left() is None
    assert account.statistics().settled == 5


def test_what_an_earlier_run_spent_counts() -> None:
    account = Account(Decimal(1), settled=Decimal("0.4"))
    account.spend(Decimal("0.5"))
    assert account.left() == Decimal("0.1")
    assert account.reserve(Decimal("0.2")) is Room.STOP
    assert repr(account) == "Account(budget=1, settled=0.9, reserved=0)"


def test_listeners_are_told_of_each_settlement_while_they_listen() -> None:
    account, heard = Account(Decimal(1)), []
    with account.settlements(lambda: heard.append("a")):
        account.settle(Decimal(0), Decimal(0))
        with account.settlements(lambda: heard.append("b")):
            account.settle(Decimal(0), Decimal(0))
        account.spend(Decimal(0))
    account.settle(Decimal(0), Decimal(0))
    assert heard == ["a", "a", "b", "a"]


def test_a_listener_leaves_when_its_wait_fails() -> None:
    account, heard = Account(Decimal(1)), []
    with pytest.raises(ZeroDivisionError), account.settlements(lambda: heard.append("a")):
        raise ZeroDivisionError
    account.settle(Decimal(0), Decimal(0))
    assert heard == []


def test_threads_lose_no_cent() -> None:
    account = Account(Decimal(10**6))
    cent = Decimal("0.01")

    def spend() -> None:
        for _ in range(3000):
            assert account.reserve(cent) is Room.RESERVED
            account.settle(cent, cent)

    crew = [threading.Thread(target=spend) for _ in range(4)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert account.statistics().settled == 12_000 * cent
    assert account.statistics().reserved == 0
