"""Retries, pace, budget and measurement under the SDK; threads, loops, forks; what the environment says."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

openai = pytest.importorskip("openai")

import httpx2  # noqa: E402
from scripted_provider import Provider, provider  # noqa: E402
from sdk_cases import ASK, CHAT, maybe  # noqa: E402

from trivet import Limits, errors, sim  # noqa: E402
from trivet.openai import AsyncOpenAI, BudgetError, OpenAI, last, tags  # noqa: E402

PRICED = {"model": "gpt-5.4-mini", "input": "hello", "max_output_tokens": 16}


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture
def client(server: Provider) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="sk-any", cache="memory://") as made:
        yield made
        server.hold.set()


def test_a_call_says_what_it_took(client: OpenAI) -> None:
    """Attempts with their status, tokens, cost, latency; of a hit, what it saved; the same through any object."""
    first = client.responses.create(**PRICED)
    hit = client.responses.create(**PRICED)
    call = last(first)
    assert call is not None
    assert call.usage is not None
    assert (call.usage.input, call.usage.output, call.usage.cached_input) == (7, 3, 2)
    assert call.cost == (5 * Decimal("0.75") + 2 * Decimal("0.075") + 3 * Decimal("4.5")) / 10**6
    assert [attempt.status for attempt in call.attempts] == [200]
    assert call.request_id == "req_1"
    assert call.latency > 0
    again = last(hit)
    assert again is not None
    assert (again.saved, again.cost, again.stored_at is not None) == (call.cost, 0, True)
    assert last("no response") is None
    assert last(openai.OpenAI(api_key="x")) is None


def test_retries_are_counted_and_paid_once(client: OpenAI, server: Provider) -> None:
    """Ours are the only ones."""
    reply = client.with_options(max_retries=3).responses.create(model="twice-503", input="x")
    call = last(reply)
    assert call is not None
    assert [attempt.status for attempt in call.attempts] == [503, 503, 200]
    assert call.retries == 2
    assert len(server.seen) == 3
    with pytest.raises(openai.InternalServerError) as failed:
        client.with_options(max_retries=1).responses.create(model="err-503", input="x")
    assert len(server.seen) == 5
    assert last(failed.value) is not None


def test_a_quota_that_is_used_up_is_not_asked_for_again() -> None:
    """The SDK alone would try three times for a payment to arrive."""
    from scripted_provider import ERRORS

    ERRORS["quota"] = (429, {"message": "pay", "type": "insufficient_quota", "code": "insufficient_quota"})
    with provider() as server, OpenAI(base_url=server.url, api_key="k") as client:
        with pytest.raises(openai.RateLimitError) as refused:
            client.responses.create(model="quota", input="x")
        assert refused.value.code == "insufficient_quota"
        assert len(server.seen) == 1


def test_refusals_for_pace_are_waited_out_where_nobody_chose_a_number(client: OpenAI, server: Provider) -> None:
    """A number that somebody chose holds for them as well."""
    assert client.responses.create(model="once-429", input="x").output_text == "echo:x"
    with pytest.raises(openai.RateLimitError):
        client.with_options(max_retries=0).responses.create(model="err-429", input="x")
    assert len(server.seen) == 3


def test_a_pause_longer_than_any_call_waits_is_told_as_the_refusal(server: Provider) -> None:
    """And the next call of that model is told without being sent."""
    from scripted_provider import _Handler

    class Paused(_Handler):
        def _fault(self, model: str) -> bool:
            self._json(
                {"error": {"message": "day", "type": "requests", "code": "rate_limit_exceeded"}},
                429,
                retry_after="9000",
            )
            return True

    from http.server import ThreadingHTTPServer

    http = ThreadingHTTPServer(("127.0.0.1", 0), Paused)
    http.provider = server  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with OpenAI(base_url=f"http://127.0.0.1:{http.server_port}/v1", api_key="k", cache=None) as client:
            for message in ("day", "asks to wait"):
                with pytest.raises(openai.RateLimitError, match=message) as refused:
                    client.responses.create(**ASK)
                assert int(refused.value.response.headers["retry-after"]) > 8000
        assert len(server.seen) == 1
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.mark.parametrize("kind", [OpenAI, AsyncOpenAI])
async def test_a_budget_is_not_exceeded(server: Provider, kind: Any) -> None:
    """The error is one of the SDK's and one of ours, and nothing was sent; what is free still goes."""
    client = kind(base_url=server.url, api_key="k", budget="0.0006", cache=None)
    with pytest.raises(openai.APIError) as stopped:
        for number in range(50):
            await maybe(client.responses.create(**{**PRICED, "input": f"n{number}"}))
    assert isinstance(stopped.value, BudgetError)
    assert isinstance(stopped.value, errors.BudgetError)
    assert stopped.value.code == "budget"
    assert 0 < len(server.seen) < 50
    spent = client.statistics().budget
    assert spent.budget >= spent.settled > 0
    assert (await maybe(client.models.list())).data[0].id == "a"
    with pytest.raises(BudgetError, match="not known"):
        await maybe(client.responses.create(model="nobody-knows", input="x"))
    await maybe(client.close())


def test_copies_share_the_layers(client: OpenAI, server: Provider) -> None:
    """Cache, budget and bill; only their options differ."""
    client.responses.create(**ASK)
    copied = client.with_options(timeout=7, max_retries=9)
    assert last(copied.responses.create(**ASK)).source == "cache"  # type: ignore[union-attr]
    assert copied.statistics().calls == client.statistics().calls
    assert (copied.max_retries, client.max_retries) == (9, 2)


def test_tags_divide_the_bill(server: Provider) -> None:
    """Those of the client, and those of the context that a call is made in."""
    with OpenAI(base_url=server.url, api_key="k", cache="memory://", tags={"team": "a"}) as client:
        client.responses.create(**PRICED)
        with tags(feature="search"), tags(step="1"):
            client.responses.create(**PRICED)
            hit = last(client.chat.completions.create(**CHAT))
        bill = client.statistics()
    assert hit is not None
    assert hit.tags == {"team": "a", "feature": "search", "step": "1"}
    assert bill.calls.calls == bill.tags["team=a"].calls == 3
    assert bill.tags["feature=search"].calls == bill.tags["step=1"].calls == 2
    assert bill.tags["feature=search"].cache_hits == 1


async def test_a_stream_tells_when_its_first_text_came(server: Provider) -> None:
    """Its record is there once it has been read."""
    async with AsyncOpenAI(base_url=server.url, api_key="k", cache="memory://") as client:
        for _ in range(2):
            stream = await client.responses.create(**PRICED, stream=True)
            assert [event.type async for event in stream][-1] == "response.completed"
            call = last(stream)
            assert call is not None
            assert (call.ttft is not None) == (call.source == "provider")
        assert client.statistics().calls.cache_hits == 1


def test_a_client_of_ones_own_is_used_and_left_alone(server: Provider) -> None:
    """Its transport carries what is sent, and what the plain SDK sends through it is not looked at."""
    carried: list[str] = []

    class Counting(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            carried.append(request.url.path)
            return super().handle_request(request)

    own = openai.DefaultHttpxClient(transport=Counting(), mounts={"all://never.example": Counting()})
    with OpenAI(base_url=server.url, api_key="k", http_client=own, cache="memory://") as client:
        plain = openai.OpenAI(base_url=server.url, api_key="k", http_client=own)
        for made in (client, client, plain, plain):
            made.responses.create(**ASK)
        assert last(plain.responses.create(**ASK)) is None
        assert client.statistics().calls.calls == 2
    assert len(carried) == len(server.seen) == 4


def test_whatever_a_transport_raises_reaches_the_program(server: Provider) -> None:
    """As it would with the SDK alone."""

    class Odd(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            raise LookupError("odd")

    own = httpx2.Client(transport=Odd())
    with OpenAI(base_url=server.url, api_key="k", http_client=own) as client, pytest.raises(LookupError, match="odd"):
        client.responses.create(**ASK)


def test_many_threads_share_a_client(client: OpenAI, server: Provider) -> None:
    """Each gets the answer to its own question."""
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        found[number] = client.responses.create(model="m", input=f"n{number % 10}").output_text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: f"echo:n{number % 10}" for number in range(40)}
    assert len(server.seen) == 10


async def test_a_blocking_client_works_where_a_loop_runs(client: OpenAI) -> None:
    """In a notebook."""
    assert client.responses.create(**ASK).output_text == "echo:hello"


def test_an_asynchronous_client_serves_one_loop_after_another(server: Provider) -> None:
    """What the first has learned the second finds."""
    client = AsyncOpenAI(base_url=server.url, api_key="k", cache="memory://")

    async def ask() -> str:
        reply = await client.responses.create(**ASK)
        found = last(reply)
        assert found is not None
        return found.source

    assert [asyncio.run(ask()) for _ in range(2)] == ["provider", "cache"]

    async def ask_anew() -> str:
        return (await client.responses.create(model="m", input="other")).output_text

    assert asyncio.run(ask_anew()) == "echo:other"
    asyncio.run(client.close())


def test_a_client_that_is_let_go_leaves_nothing(server: Provider) -> None:
    """Neither do its answers, nor what is remembered of them."""
    from trivet.openai import notes

    before = len(notes._calls)
    client = OpenAI(base_url=server.url, api_key="k", cache="memory://")
    reply = client.responses.create(**ASK)
    seen = weakref.ref(client._layers)
    assert last(reply) is not None
    client.close()
    del client, reply
    gc.collect()
    assert len(notes._calls) <= before
    assert seen() is None


def test_limits_are_those_of_the_client(server: Provider) -> None:
    """What is not a `Limits` is refused when the client is made."""
    with OpenAI(base_url=server.url, api_key="k", limits=Limits(concurrency=2, rpm=600_000)) as client:
        assert client.responses.create(**ASK).output_text == "echo:hello"
        layers = client.statistics().layers
        assert layers is not None
        assert layers.limit.concurrency == 2
    with pytest.raises(errors.SettingsError, match="limits"):
        OpenAI(api_key="k", limits={"rpm": 1})  # type: ignore[arg-type]


def test_streams_that_lie_unread_keep_nobody_out(server: Provider) -> None:
    """A place in the line is held until a stream begins, not until somebody has read it."""
    with OpenAI(base_url=server.url, api_key="k", cache=None, limits=Limits(concurrency=2)) as client:
        streams = [client.responses.create(model="m", input=f"n{n}", stream=True) for n in range(8)]
        assert [list(stream)[-1].type for stream in streams] == ["response.completed"] * 8


def test_it_answers_over_the_simulated_provider(simulator: sim.Simulator) -> None:
    """Usage and prices are those of the simulator's tokens."""
    with OpenAI(base_url=simulator.url, api_key="any", cache="memory://") as client:
        replies = [client.responses.create(**PRICED) for _ in range(2)]
        calls = [last(reply) for reply in replies]
    assert [call.source for call in calls if call is not None] == ["provider", "cache"]
    assert replies[0].output_text == replies[1].output_text
