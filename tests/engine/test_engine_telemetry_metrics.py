"""The metrics of calls, seen through the official SDK's reader in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engine_fakes import After, ScriptedTransport, all_of, fault, ok, price, refused, request, stack, virtual
from telemetry_fakes import Seen, looking

from trivet.engine.limit import Limits


@pytest.fixture
def seen() -> Iterator[Seen]:
    with looking() as found:
        yield found


def test_metrics_count_what_was_billed_and_time_without_the_queue(seen: Seen) -> None:
    async def main() -> None:
        transport = ScriptedTransport(After(2.0, ok()))
        layers = stack(transport, limits=Limits(concurrency=1))
        asked = [request(str(n)) for n in range(2)]
        replies = await all_of(layers(one) for one in asked)
        await layers(asked[0])
        assert sorted(reply.queued for reply in replies) == [0.0, pytest.approx(2.0)]

    virtual(main())
    points = {point.attributes["trivet.source"]: point for point in seen.points("gen_ai.client.operation.duration")}
    assert (points["provider"].count, points["provider"].sum) == (2, pytest.approx(4.0))
    assert (points["cache"].count, points["cache"].sum) == (1, pytest.approx(0.0))
    tokens = {
        (point.attributes["gen_ai.token.type"], point.attributes["trivet.source"]): point.sum
        for point in seen.points("gen_ai.client.token.usage")
    }
    assert tokens == {("input", "provider"): 40, ("output", "provider"): 6}


def test_metrics_count_money_retries_and_refusals(seen: Seen) -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(refused(1), fault(500), ok()))
        await layers(request("1"))
        await layers(request("2"))
        await layers(request("2"))

    virtual(main())
    names = ("trivet.cost", "trivet.saved", "trivet.retries", "trivet.refusals", "trivet.unpriced")
    assert {name: seen.total(name) for name in names} == {
        "trivet.cost": pytest.approx(float(price())),
        "trivet.saved": pytest.approx(float(price())),
        "trivet.retries": 2,
        "trivet.refusals": 1,
        "trivet.unpriced": 1,
    }


def test_a_failure_is_timed_with_its_code(seen: Seen) -> None:
    async def main() -> None:
        await all_of([stack(ScriptedTransport(After(3.0, fault(400, code="invalid_prompt"))))(request())])

    virtual(main())
    (point,) = seen.points("gen_ai.client.operation.duration")
    assert point.attributes["error.type"] == "invalid_prompt"
    assert (point.count, point.sum) == (1, pytest.approx(3.0))


def test_stacks_of_one_program_share_their_instruments(seen: Seen, caplog: pytest.LogCaptureFixture) -> None:
    """Every event loop has a stack of its own; the SDK warns of an instrument that is made twice."""

    async def main() -> None:
        await all_of(stack(ScriptedTransport(ok()))(request()) for _ in range(3))

    virtual(main())
    (point,) = seen.points("gen_ai.client.operation.duration")
    assert point.count == 3
    assert caplog.records == []
