"""The budget: never exceeded, whatever happens in whatever order; and never a wait without an end."""

from __future__ import annotations

import asyncio
import random
import threading
from decimal import Decimal
from typing import Any

import pytest
from billing_fakes import BillingProvider
from engine_fakes import (
    DAY,
    After,
    ScriptedTransport,
    all_of,
    broken,
    fault,
    ok,
    price,
    refused,
    request,
    settle,
    stack,
    virtual,
    worst,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.engine.attempts import CancelledInQueue
from trivet.engine.budget import Budget
from trivet.engine.limit import Limits
from trivet.errors import BudgetError, RequestError, TransportError
from trivet.limits.account import Account, Room
from trivet.limits.backoff import Backoff
from trivet.prices.book import standard_book
from trivet.types import HttpCall, Reply, Request, Usage


class WatchedAccount(Account):
    """Holds the invariant at every step."""

    def _check(self) -> None:
        books = self.statistics()
        assert books.budget is not None
        assert books.settled + books.reserved <= books.budget
        assert books.reserved >= 0

    def reserve(self, amount: Decimal) -> Room:
        """Check after."""
        room = super().reserve(amount)
        self._check()
        return room

    def settle(self, reserved: Decimal, actual: Decimal) -> None:
        """Check after."""
        super().settle(reserved, actual)
        self._check()


@settings(max_examples=500, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(1, 40),
    room=st.floats(0.0, 12.0),
    concurrency=st.integers(1, 12),
    cancelled=st.lists(st.tuples(st.integers(0, 39), st.floats(0.0, 20.0)), max_size=8),
)
def test_neither_the_books_nor_the_true_bill_ever_exceed_the_budget(
    seed: int, rows: int, room: float, concurrency: int, cancelled: list[tuple[int, float]]
) -> None:
    async def main() -> None:
        budget = worst(request("00")) * Decimal(room)
        account, provider = WatchedAccount(budget), BillingProvider(seed)
        layers = stack(
            provider,
            account=account,
            limits=Limits(concurrency=concurrency),
            backoff=Backoff(retries=2, refusals=2),
            draw=random.Random(seed).random,
        )
        loop = asyncio.get_running_loop()

        async def one(number: int) -> Reply:
            return await layers(request(f"{number % 30:02d}", cacheable=number % 3 > 0))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(all_of([one(number)])) for number in range(rows)]
            for number, moment in cancelled:
                if number < rows:
                    loop.call_later(moment, tasks[number].cancel)
        await layers.close(grace=1000.0)
        books = account.statistics()
        assert books.reserved == 0
        assert provider.bill <= books.settled <= budget

    virtual(main())


def test_thousands_of_interleavings_through_the_budget_layer_keep_bill_and_books_within_the_budget() -> None:
    """Calls that end in every way, at every moment, some cut off while they wait or fly."""

    async def main() -> None:
        for seed in range(3000):
            await _interleaving(random.Random(seed))

    virtual(main())


async def _interleaving(draw: random.Random) -> None:
    asked = request("00", cacheable=False)
    most = worst(asked)
    account = WatchedAccount(most * Decimal(draw.uniform(0.5, 6)))
    bill = Decimal(0)

    async def attempt(asked: Request) -> Reply:
        nonlocal bill
        if draw.random() < 0.3:
            try:
                await asyncio.sleep(draw.random())  # for a permit
            except asyncio.CancelledError:
                raise CancelledInQueue from None
        usage = Usage(input=draw.randint(1, len(asked.head) + len(asked.tail) + 256), output=draw.randint(0, 16))
        cost = standard_book().cost(usage, model=asked.model, tier="default", day=DAY)
        assert cost is not None
        end = draw.choice(["reply", "reply", "no usage", "reset", "not sent", "refused", "failed and billed"])
        if end not in ("not sent", "refused"):
            bill += cost
        await asyncio.sleep(draw.choice([0.0, 0.1, draw.random()]))
        if end in ("reset", "not sent"):
            raise TransportError(end, kind="reset", sent=end == "reset")
        if end == "refused":
            raise RequestError("refused")
        if end == "failed and billed":
            error = RequestError("failed")
            error.usage = usage
            raise error
        return Reply(
            text="x", status="completed", model=asked.model, usage=None if end == "no usage" else usage, tier="default"
        )

    layer = Budget(attempt, account, standard_book(), lambda: DAY)
    async with asyncio.TaskGroup() as group:
        crew = [group.create_task(all_of([layer(asked)])) for _ in range(draw.randint(2, 12))]
        for task in crew:
            if draw.random() < 0.2:
                asyncio.get_running_loop().call_later(draw.random() * 2, task.cancel)
    books = account.statistics()
    assert books.reserved == 0
    assert books.budget is not None
    assert bill <= books.settled <= books.budget


def test_calls_wait_for_reservations_and_all_get_through_one_by_one() -> None:
    async def main() -> None:
        transport = ScriptedTransport(answer=lambda _: After(1.0, ok()))
        account = WatchedAccount(worst(request("00")) + 8 * price())
        layers = stack(transport, account=account)
        replies = await all_of(layers(request(f"{n:02d}")) for n in range(8))
        assert [reply.text for reply in replies] == ["billing"] * 8
        assert transport.most_open == 1
        assert [reply.queued for reply in replies] == pytest.approx(list(range(8)))
        assert [reply.latency for reply in replies] == pytest.approx([1.0] * 8)

    virtual(main())


def test_a_large_call_is_not_overtaken_for_ever_by_small_ones() -> None:
    async def main() -> None:
        transport = ScriptedTransport(answer=lambda _: After(1.0, ok()))
        large = request("x" * 3000)
        account = WatchedAccount(worst(large) + 30 * price())
        layers = stack(transport, account=account)
        async with asyncio.TaskGroup() as group:
            small = [group.create_task(layers(request(f"{n:02d}"))) for n in range(3)]
            await settle()
            waiting = group.create_task(layers(large))
            await settle()
            later = [group.create_task(layers(request(f"{n:02d}"))) for n in range(10, 20)]
        assert [b"xxx" in call.body for call in transport.calls].index(True) == 3
        assert waiting.result().queued == pytest.approx(1.0)
        assert all(task.done() for task in small + later)

    virtual(main())


def test_a_waiter_is_woken_by_every_kind_of_end() -> None:
    """A cancelled, refused, failed or unsent call frees its reservation, and the next in line gets it."""

    async def main() -> None:
        for outcome in (fault(400), broken("connect", sent=False), refused(1), ok()):
            transport = ScriptedTransport(After(1.0, outcome), After(1.0, ok()))
            account = WatchedAccount(worst(request("1")) + price())
            layers = stack(transport, account=account, backoff=Backoff(retries=0))
            _, second = await all_of([layers(request("1")), layers(request("2"))])
            assert isinstance(second, Reply)

        transport = ScriptedTransport(After(1.0, ok()))
        account = WatchedAccount(2 * worst(request("1")))
        layers = stack(transport, account=account, limits=Limits(concurrency=1))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(layers(request(str(n), cacheable=False))) for n in range(3)]
            await settle()
            tasks[1].cancel()  # waits for its permit, with its reservation
        assert [task.cancelled() for task in tasks] == [False, True, False]

    virtual(main())


def test_a_waiter_that_is_cancelled_does_not_take_the_wake_up_with_it() -> None:
    async def main() -> None:
        transport = ScriptedTransport(answer=lambda _: After(1.0, ok()))
        account = WatchedAccount(worst(request("1")) + 5 * price())
        layers = stack(transport, account=account)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(layers(request(str(n), cacheable=False))) for n in range(4)]
            await settle()
            loop.call_at(loop.time() + 1.0, tasks[1].cancel)  # the moment the first one settles
        assert [task.cancelled() for task in tasks] == [False, True, False, False]

    virtual(main())


def test_a_spent_budget_stops_with_what_to_do_and_before_sending() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok())
        account = Account(worst(request()) + price() / 2)
        layers = stack(transport, account=account)
        await layers(request())
        with pytest.raises(BudgetError) as raised:
            await layers(request("a locket"))
        text = str(raised.value)
        assert "raise the budget" in text
        assert "max_output_tokens" in text
        assert f"${worst(request()):f}" in text
        assert "E-" not in text
        assert raised.value.fatal
        assert raised.value.cost == 0
        assert len(transport.calls) == 1

    virtual(main())


def test_waiters_are_stopped_when_what_they_waited_for_was_spent() -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(1.0, broken("reset")))
        account = WatchedAccount(worst(request("1")))
        layers = stack(transport, account=account, backoff=Backoff(retries=0))
        first, *others = await all_of(layers(request(str(n))) for n in range(5))
        assert isinstance(first, RequestError)
        assert first.cost is None
        assert all(isinstance(other, BudgetError) for other in others)
        assert len(transport.calls) == 1

    virtual(main())


def test_a_request_larger_than_the_whole_budget_is_refused_before_sending() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok())
        for budget in (Decimal(0), worst(request()) - Decimal("0.000000001")):
            with pytest.raises(BudgetError):
                await stack(transport, account=Account(budget))(request())
        assert transport.calls == []
        assert (await stack(transport, account=Account(worst(request())))(request())).text == "billing"

    virtual(main())


def test_a_model_without_a_known_price_is_refused_under_a_budget_and_unpriced_without_one() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok(model="nobody-knows"))
        asked = request(model="nobody-knows")
        with pytest.raises(BudgetError, match=r"nobody-knows.*run without a budget"):
            await stack(transport, account=Account(Decimal(1_000_000)))(asked)
        assert transport.calls == []
        reply = await stack(transport)(asked)
        assert reply.cost is None
        assert reply.attempts[0].cost is None

    virtual(main())


@pytest.mark.parametrize("cap", [-1, 0, -(10**9)])
def test_a_cap_that_is_none_does_not_shrink_the_reservation(cap: int) -> None:
    async def main() -> None:
        transport, account = ScriptedTransport(After(1.0, ok())), WatchedAccount(Decimal(10))
        layers = stack(transport, account=account)
        async with asyncio.TaskGroup() as group:
            group.create_task(layers(request(max_output=cap)))
            await settle()
            assert account.statistics().reserved == worst(request(max_output=None))

    virtual(main())


def test_a_reply_without_usage_keeps_its_reservation_as_spent() -> None:
    async def main() -> None:
        account = WatchedAccount(Decimal(1))
        reply = await stack(ScriptedTransport(ok(usage=None)), account=account)(request())
        assert reply.cost is None
        assert account.statistics().settled == worst(request())

    virtual(main())


def test_the_model_that_served_is_priced_and_one_without_a_price_is_unknown() -> None:
    async def main() -> None:
        for served, cost in (("gpt-5.4-mini-2026-03-17", price()), ("", price()), ("my-deployment", None)):
            assert (await stack(ScriptedTransport(ok(model=served)))(request())).cost == cost

    virtual(main())


def test_a_bug_below_keeps_the_reservation_as_spent() -> None:
    class Bug(ScriptedTransport):
        async def fetch(self, call: HttpCall) -> Any:
            raise ZeroDivisionError

    async def main() -> None:
        account = WatchedAccount(Decimal(1))
        with pytest.raises(ZeroDivisionError):
            await stack(Bug(), account=account)(request())
        assert account.statistics().settled == worst(request())
        assert account.statistics().reserved == 0

    virtual(main())


def test_a_thousand_waiters_cost_no_more_than_a_turn_each() -> None:
    async def main() -> None:
        transport = ScriptedTransport(answer=lambda _: After(1.0, ok()))
        account = Account(worst(request("0000")) + 1000 * price())
        layers = stack(transport, account=account)
        asked = 0
        reserve = account.reserve

        def counted(amount: Decimal) -> Room:
            nonlocal asked
            asked += 1
            return reserve(amount)

        account.reserve = counted  # type: ignore[method-assign]
        await all_of(layers(request(f"{n:04d}")) for n in range(1000))
        assert asked <= 3000

    virtual(main())


def test_loops_of_several_threads_share_one_account_without_losing_a_wake_up_or_a_cent() -> None:
    """Each thread has a loop and a stack of its own; together they hold the one budget, and all finish."""
    threads, calls = 3, 12
    account = WatchedAccount(worst(request("0 00")) * 2 + threads * calls * price())
    results: list[Any] = []

    async def main(name: int) -> None:
        layers = stack(ScriptedTransport(answer=lambda _: After(0.001, ok())), account=account, draw=lambda: 0.0)
        results.extend(await all_of(layers(request(f"{name} {n:02d}")) for n in range(calls)))

    crew = [threading.Thread(target=lambda n=n: asyncio.run(main(n)), daemon=True) for n in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(20.0)
    assert not any(thread.is_alive() for thread in crew)
    assert [type(result) for result in results] == [Reply] * (threads * calls)
    assert account.statistics().settled == threads * calls * price()
    assert account.statistics().reserved == 0
