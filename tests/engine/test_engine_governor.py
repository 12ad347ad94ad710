"""The layers against the simulated provider in virtual time: every way a limit comes back, told to nobody."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from engine_fakes import DAY, ENDPOINT, After, Outcome, ScriptedTransport, all_of, ok, refused, request, stack, virtual

from trivet.engine.limit import Limits, LimitStatistics
from trivet.engine.stack import Clocks, Stack, StackConfig
from trivet.errors import TrivetError
from trivet.limits.account import Account
from trivet.prices.book import standard_book
from trivet.sim.inprocess import InProcess
from trivet.sim.scenario import Latency, Refill, Scenario
from trivet.types import HttpCall

RPM = 1200
LATENCY = Latency(ttft=0.6, tokens_per_s=1e6, spread=0.1)


def simulated(scenario: Scenario, limits: Limits | None = None) -> tuple[Stack, InProcess]:
    transport = InProcess(scenario)
    layers = Stack(
        StackConfig(endpoint=ENDPOINT, limits=limits or Limits()),
        transport=transport,
        store=None,
        account=Account(None),
        prices=standard_book(),
        clocks=Clocks(now=lambda: 1_795_000_000.0, today=lambda: DAY, draw=lambda: 0.5),
    )
    return layers, transport


async def asked_without_end(
    layers: Stack, seconds: list[float], look: InProcess, **changes: object
) -> list[tuple[int, int]]:
    """Admitted and refused requests of each stretch of time, with always more to ask than the limit allows."""
    numbers = itertools.count()
    seen = []

    async def ask() -> None:
        while True:
            try:
                await layers(request(f"Say {next(numbers)}.", cacheable=False, **changes))
            except TrivetError:
                continue

    async with asyncio.TaskGroup() as group:
        crew = [group.create_task(ask()) for _ in range(150)]
        for stretch in seconds:
            before = look.core.books.statement()
            await asyncio.sleep(stretch)
            after = look.core.books.statement()
            refusals = sum(after.refused.values()) - sum(before.refused.values())
            seen.append((after.requests - before.requests - refusals, refusals))
        for one in crew:
            one.cancel()
    return seen


@pytest.mark.parametrize("refill", ["continuous", "window"])
@pytest.mark.parametrize("burst_s", [60.0, 1.0])
def test_the_limit_is_used_up_and_next_to_nothing_refused(refill: Refill, burst_s: float) -> None:
    async def main() -> None:
        scenario = Scenario(rpm=RPM, refill=refill, burst_s=burst_s, latency=LATENCY)
        layers, transport = simulated(scenario)
        _, (admitted, refusals) = await asked_without_end(layers, [10, 60], transport)
        assert admitted >= 0.97 * RPM
        assert refusals <= 0.01 * (admitted + refusals)
        limit = layers.statistics().limit
        assert limit.limit_requests == RPM
        assert limit.requests_a_minute == pytest.approx(RPM, rel=0.05)

    virtual(main())


@pytest.mark.parametrize("refill", ["continuous", "window"])
@pytest.mark.parametrize("burst_s", [60.0, 1.0])
def test_what_a_stranger_on_the_key_leaves_is_used_up(refill: Refill, burst_s: float) -> None:
    async def main() -> None:
        scenario = Scenario(rpm=RPM, refill=refill, burst_s=burst_s, stranger=0.4, latency=LATENCY)
        layers, transport = simulated(scenario)
        _, (admitted, refusals) = await asked_without_end(layers, [10, 120], transport)
        assert admitted >= 0.9 * 0.6 * 2 * RPM
        assert refusals <= 0.03 * (admitted + refusals)

    virtual(main())


@pytest.mark.parametrize("refill", ["continuous", "window"])
def test_the_limit_of_tokens_is_used_up_too(refill: Refill) -> None:
    async def main() -> None:
        scenario = Scenario(tpm=600_000, rpm=30_000, refill=refill, burst_s=60.0, latency=LATENCY)
        layers, transport = simulated(scenario)
        body = request("x", max_output=1000)
        encoded = body.head.replace(b'"max_output_tokens":16', b'"max_output_tokens":1000')
        assert encoded != body.head
        numbers = itertools.count()

        async def ask() -> None:
            while True:
                head = encoded.replace(b'"x"', b'"Say %d."' % next(numbers))
                await layers(request(head=head, max_output=1000, cacheable=False))

        async with asyncio.TaskGroup() as group:
            crew = [group.create_task(ask()) for _ in range(50)]
            await asyncio.sleep(10)
            before = transport.core.books.statement()
            await asyncio.sleep(60)
            after = transport.core.books.statement()
            for one in crew:
                one.cancel()
        assert 0.97 * 600 <= after.requests - before.requests <= 606
        assert not after.refused

    virtual(main())


def test_a_run_of_few_rows_wastes_nothing_at_its_start() -> None:
    async def main() -> None:
        layers, transport = simulated(Scenario(rpm=3000, refill="continuous", burst_s=1.0, latency=LATENCY))
        began = asyncio.get_running_loop().time()
        await all_of(layers(request(f"Say {n}.", cacheable=False)) for n in range(400))
        books = transport.core.books.statement()
        assert sum(books.refused.values()) <= 0.01 * books.requests
        assert asyncio.get_running_loop().time() - began <= 400 / 50 + 1.5

    virtual(main())


def test_large_accounts_grow_as_the_provider_asks() -> None:
    """From a million tokens a minute on, by half in fifteen minutes: nobody is told to slow down."""

    async def main() -> None:
        scenario = Scenario(tpm=4_000_000, rpm=5000, ramp_from=1_000_000, latency=LATENCY)
        layers, transport = simulated(scenario)
        head = request("x").head.replace(b'"max_output_tokens":16', b'"max_output_tokens":40000')
        asks = {"head": head, "max_output": 40_000}
        first, second = await asked_without_end(layers, [900, 900], transport, **asks)
        assert first[0] * 40_000 == pytest.approx(15 * 985_000, rel=0.1)
        assert second[0] == pytest.approx(1.45 * first[0], rel=0.1)
        assert not transport.core.books.statement().refused

    virtual(main())


def test_a_slow_down_lowers_the_rate_for_a_quarter_of_an_hour() -> None:
    async def main() -> None:
        scenario = Scenario(tpm=900_000, rpm=5000, ramp_from=400_000, latency=LATENCY)
        layers, transport = simulated(scenario)
        head = request("x").head.replace(b'"max_output_tokens":16', b'"max_output_tokens":20000')
        _, steady = await asked_without_end(layers, [120, 600], transport, head=head, max_output=20_000)
        assert transport.core.books.statement().refused.keys() == {"slow_down"}
        assert steady[1] == 0
        assert steady[0] * 20_000 / 10 >= 200_000

    virtual(main())


def test_the_user_s_caps_stand_above_what_is_learned() -> None:
    async def main() -> None:
        scenario = Scenario(rpm=RPM, latency=LATENCY)
        layers, transport = simulated(scenario, Limits(rpm=300, concurrency=2))
        _, (admitted, _) = await asked_without_end(layers, [10, 60], transport)
        assert transport.core.books.statement().max_in_flight <= 2
        assert admitted <= 2 / 0.5 * 60
        assert layers.statistics().limit.limit_requests == 300

    virtual(main())


def test_a_model_that_must_wait_holds_up_no_other() -> None:
    def answer(call: HttpCall) -> Outcome:
        return refused(30) if b"slow one" in call.body else After(0.1, ok())

    async def main() -> None:
        layers = stack(ScriptedTransport(answer=answer), limits=Limits(concurrency=2))
        async with asyncio.TaskGroup() as group:
            held = [group.create_task(layers(request("slow one", model="a", cacheable=False))) for _ in range(9)]
            await asyncio.sleep(1)
            began = asyncio.get_running_loop().time()
            await all_of(layers(request(str(n), model="b")) for n in range(10))
            assert asyncio.get_running_loop().time() - began < 2
            for one in held:
                one.cancel()

    virtual(main())


def test_a_server_that_tells_no_limits_is_taken_to_what_it_can_do_at_once() -> None:
    """Twelve at a time, half a second each, the others wait their turn."""

    async def main() -> LimitStatistics:
        slots = asyncio.Semaphore(12)

        class Server(ScriptedTransport):
            async def fetch(self, call: HttpCall):  # type: ignore[no-untyped-def]
                async with slots:
                    return await super().fetch(call)

        layers = stack(Server(answer=lambda _: After(0.5, ok())))
        await all_of(layers(request(str(n), cacheable=False)) for n in range(3000))
        assert asyncio.get_running_loop().time() <= 1.15 * 3000 * 0.5 / 12
        return layers.statistics().limit

    assert 9 <= virtual(main()).concurrency <= 24
