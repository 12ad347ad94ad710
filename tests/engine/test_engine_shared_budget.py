"""One budget for several processes, by the real script in a real Redis, in virtual time: never exceeded."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest
from billing_fakes import BillingProvider
from engine_fakes import After, ScriptedTransport, all_of, broken, ok, price, request, settle, stack, virtual, worst
from shared_fakes import Keeper

from trivet.engine.limit import Limits
from trivet.engine.shared_account import SharedAccount
from trivet.errors import BudgetError, MachineError, SettingsError
from trivet.limits.backoff import Backoff
from trivet.testing.virtual_time import run
from trivet.types import Reply

CENT = Decimal("0.01")


def account(
    keeper: Keeper, budget: Decimal, part: str, *, token: str = "", session: str = "", earlier: Decimal = Decimal(0)
) -> SharedAccount:
    return SharedAccount(
        keeper.books(), budget, part=part, token=token or part, session=session or part, earlier=earlier
    )


TOTAL = """
local sum = 0
for _, part in pairs(cmsgpack.unpack(redis.call('GET', KEYS[1]))) do sum = sum + part.settled + part.reserved end
return string.format('%.0f', sum)
"""


def total(keeper: Keeper) -> Decimal:
    """Settled and reserved by all, the dead among them, in dollars."""
    sum_: Any = keeper.client.eval(TOTAL, 1, "books")
    return Decimal(int(sum_)) / 10**9


async def dying(keeper: Keeper, crew: list[asyncio.Task[Any]], moment: float) -> None:
    """Kill a process: it says nothing more, to anybody."""
    await asyncio.sleep(moment)
    keeper.down = True
    for task in crew:
        task.cancel()


@pytest.mark.parametrize("seeds", [range(start, start + 40) for start in range(0, 160, 40)], ids=str)
def test_no_interleaving_of_processes_that_ask_settle_and_die_makes_the_bill_exceed_the_budget(
    redis_server: Any, seeds: range
) -> None:
    """Through every layer: answers that get lost on the way, failures that are billed without a word, kills."""

    async def main(seed: int) -> None:
        draw = random.Random(seed)
        budget = worst(request("00")) * Decimal(draw.uniform(0.5, 20))
        provider = BillingProvider(seed)
        keepers = [Keeper(redis_server.url, drops=draw.choice([0, 0, 10]), seed=n) for n in range(draw.randint(2, 4))]
        keepers[0].client.flushall()
        async with asyncio.TaskGroup() as group:
            for number, keeper in enumerate(keepers):
                layers = stack(
                    provider,
                    account=account(keeper, budget, str(number)),  # type: ignore[arg-type]
                    limits=Limits(concurrency=draw.randint(1, 8)),
                    backoff=Backoff(retries=1, refusals=1),
                    draw=draw.random,
                )
                crew = [
                    group.create_task(all_of([layers(request(f"{number}{n:02d}", cacheable=False))]))
                    for n in range(draw.randint(1, 15))
                ]
                if draw.random() < 0.4:
                    group.create_task(dying(keeper, crew, draw.uniform(0, 6)))
        assert provider.bill <= total(keepers[0]) <= budget

    for seed in seeds:
        _until_all_is_quiet(main(seed))


def _until_all_is_quiet(main: Any) -> None:
    """In virtual time; the flights of the killed may be left behind, as they are by a kill."""

    async def whole() -> None:
        await main
        await asyncio.sleep(30)  # what was settled last is booked by then

    run(whole())


def test_thousands_of_random_steps_of_several_accounts_keep_the_books_within_the_budget(redis_server: Any) -> None:
    """Against a model: what each has reserved, settled and lost is what the books say, step after step."""

    async def main(seed: int) -> None:
        draw = random.Random(seed)
        budget = Decimal(draw.randint(100, 5000)) / 1000
        keepers = [Keeper(redis_server.url, drops=draw.choice([0, 20]), seed=n) for n in range(3)]
        keepers[0].client.flushall()
        accounts = [account(keeper, budget, f"{n}") for n, keeper in enumerate(keepers)]
        bill = Decimal(0)

        async def spend(number: int) -> None:
            nonlocal bill
            while True:
                amount = Decimal(draw.randint(0, 10**8)) / 10**9
                try:
                    await accounts[number].set_aside(amount)
                except BudgetError:
                    return
                actual = (amount * Decimal(draw.random())).quantize(Decimal("1e-12"))
                bill += actual
                assert bill <= budget
                await asyncio.sleep(draw.choice([0, 0.001, 0.01]))
                accounts[number].settle(amount, actual)
                if draw.random() < 0.02:
                    return

        async with asyncio.TaskGroup() as group:
            crews = [[group.create_task(spend(n)) for _ in range(6)] for n in range(3)]
            if draw.random() < 0.5:
                group.create_task(dying(keepers[2], crews[2], draw.uniform(0, 0.5)))
        await asyncio.sleep(20)
        assert bill <= total(keepers[0]) <= budget

    for seed in range(30):
        _until_all_is_quiet(main(seed))


def test_processes_wait_for_each_others_reservations_and_spend_it_all(redis_server: Any) -> None:
    async def main() -> None:
        keepers = [Keeper(redis_server.url) for _ in range(3)]
        budget = worst(request("00")) + 7 * price()
        transport = ScriptedTransport(answer=lambda _: After(1.0, ok()))
        layers = [
            stack(transport, account=account(keeper, budget, str(n)))  # type: ignore[arg-type]
            for n, keeper in enumerate(keepers)
        ]
        replies = await all_of(layers[n % 3](request(f"{n:02d}")) for n in range(8))
        assert all(isinstance(reply, Reply) for reply in replies)
        assert transport.most_open == 1
        for one in layers:
            await one.close()
        assert total(keepers[0]) == 8 * price()

    virtual(main())


def test_what_a_killed_process_had_reserved_stays_spent_and_then_stops_the_others(redis_server: Any) -> None:
    async def main() -> None:
        one, other = (Keeper(redis_server.url) for _ in range(2))
        killed, living = account(one, CENT, "killed"), account(other, CENT, "living")
        await killed.set_aside(CENT)
        await killed._flights.close()  # type: ignore[attr-defined]
        began = asyncio.get_running_loop().time()
        with pytest.raises(BudgetError, match=r"\$0\.01 has \$0(\.0*)? left"):
            await living.set_aside(CENT / 2)
        assert 10 <= asyncio.get_running_loop().time() - began <= 30
        await living.close()

    virtual(main())


def test_money_reserved_for_a_long_call_is_not_taken_for_lost(redis_server: Any) -> None:
    async def main() -> None:
        one, other = (account(Keeper(redis_server.url), CENT, part) for part in "ab")
        await one.set_aside(CENT)
        asyncio.get_running_loop().call_later(300, lambda: one.settle(CENT, CENT / 2))
        await other.set_aside(CENT / 2)
        assert asyncio.get_running_loop().time() >= 300
        other.settle(CENT / 2, Decimal(0))
        await one.close()
        await other.close()

    virtual(main())


def test_a_run_taken_up_again_counts_its_earlier_spend_once(redis_server: Any) -> None:
    async def main() -> None:
        keeper = Keeper(redis_server.url)
        dollar = Decimal(1)
        first = account(keeper, dollar, "1/2", token="run", session="s1")
        await first.set_aside(Decimal("0.3"))
        first.settle(Decimal("0.3"), Decimal("0.2"))
        await first.set_aside(Decimal("0.3"))  # killed with this in flight
        await settle(50)
        await first._flights.close()  # type: ignore[attr-defined]
        again = account(keeper, dollar, "1/2", token="run", session="s2", earlier=Decimal("0.45"))
        await again.open()
        assert total(keeper) == Decimal("0.45")
        second = account(keeper, dollar, "2/2", token="other", session="s3", earlier=Decimal("0.5"))
        await second.open()
        assert total(keeper) == Decimal("0.95")
        with pytest.raises(BudgetError):
            await second.set_aside(Decimal("0.06"))
        with pytest.raises(MachineError, match="another process has taken"):
            await first.set_aside(Decimal("0.01"))
        await again.close()
        await second.close()

    virtual(main())


def test_a_run_started_over_counts_anew(redis_server: Any) -> None:
    async def main() -> None:
        keeper = Keeper(redis_server.url)
        for turn in ("first", "second"):
            for part in ("1/2", "2/2"):
                one = account(keeper, Decimal(1), part, token=f"{turn} {part}", session=f"{turn} {part}")
                await one.open()
                await one.set_aside(Decimal("0.4"))
                one.settle(Decimal("0.4"), Decimal("0.4"))
                await one.close(done=True)
        assert total(keeper) == Decimal("0.8")

    virtual(main())


def test_without_its_books_nothing_is_sent_and_the_reason_is_told(redis_server: Any) -> None:
    async def main() -> None:
        keeper = Keeper(redis_server.url)
        transport = ScriptedTransport(answer=lambda _: ok())
        layers = stack(transport, account=account(keeper, Decimal(1), "a"))  # type: ignore[arg-type]
        await layers(request("1"))
        keeper.down = True
        with pytest.raises(MachineError, match="books can't be reached, so nothing more is sent: the Redis"):
            await layers(request("2"))
        assert len(transport.calls) == 1
        keeper.down = False
        assert (await layers(request("3"))).text == "billing"
        await layers.close()
        assert total(keeper) == 2 * price()

    virtual(main())


def test_a_redis_that_comes_back_empty_is_not_taken_for_an_unspent_budget(redis_server: Any) -> None:
    async def main() -> None:
        keeper = Keeper(redis_server.url)
        one = account(keeper, Decimal(1), "a")
        await one.open()
        keeper.client.flushall()
        with pytest.raises(MachineError, match="books are gone"):
            await one.set_aside(CENT)
        await one.close()

    virtual(main())


def test_a_short_break_costs_a_wait_and_books_nothing_twice(redis_server: Any) -> None:
    async def main() -> None:
        keeper = Keeper(redis_server.url, drops=50)
        one = account(keeper, Decimal(1), "a")
        for _ in range(50):
            await one.set_aside(CENT)
            one.settle(CENT, CENT / 2)
        await one.close()
        assert total(keeper) == 50 * CENT / 2

    virtual(main())


def test_a_caller_that_is_cancelled_while_it_asks_keeps_no_money(redis_server: Any) -> None:
    async def main(steps: int) -> None:
        keeper = Keeper(redis_server.url)
        keeper.client.flushall()
        one = account(keeper, Decimal(1), "a")
        await one.open()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(one.set_aside(CENT))
            await settle(steps)
            await asyncio.sleep(0.0005 * steps)
            asking.cancel()
        await one.close()
        # whoever got it in time holds it, and nobody else does
        assert total(keeper) == (Decimal(0) if asking.cancelled() else CENT)

    for steps in range(6):
        virtual(main(steps))


def test_a_thousand_calls_at_once_make_a_few_round_trips(redis_server: Any) -> None:
    async def main() -> None:
        keeper = Keeper(redis_server.url)
        one = account(keeper, Decimal(1000), "a")

        async def spend() -> None:
            await one.set_aside(CENT)
            one.settle(CENT, CENT)

        async with asyncio.TaskGroup() as group:
            for _ in range(1000):
                group.create_task(spend())
        await one.close()
        assert keeper.calls <= 10
        assert total(keeper) == 1000 * CENT

    virtual(main())


def test_fractions_of_a_nano_dollar_are_counted_up_and_no_budget_beyond_the_books_is_taken(redis_server: Any) -> None:
    async def main() -> None:
        keeper = Keeper(redis_server.url)
        one = account(keeper, Decimal("1e-9"), "a")
        await one.set_aside(Decimal("1e-15"))
        one.settle(Decimal("1e-15"), Decimal("1e-15"))
        await settle(50)
        with pytest.raises(BudgetError):
            await one.set_aside(Decimal("1e-12"))
        await one.close()
        with pytest.raises(SettingsError, match="9,000,000"):
            account(keeper, Decimal(10**8), "b")

    virtual(main())


def test_possibly_billed_keeps_its_reservation(redis_server: Any) -> None:
    async def main() -> None:
        keeper = Keeper(redis_server.url)
        transport = ScriptedTransport(broken("reset"))
        layers = stack(
            transport,
            account=account(keeper, Decimal(1), "a"),  # type: ignore[arg-type]
            backoff=Backoff(retries=0),
        )
        await all_of([layers(request("1"))])
        await layers.close()
        assert total(keeper) == worst(request("1")).quantize(Decimal("1e-9"), rounding="ROUND_CEILING")

    virtual(main())
