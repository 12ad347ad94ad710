"""What is answered from here, in which form, and what never is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

openai = pytest.importorskip("openai")

from scripted_provider import Provider, provider  # noqa: E402
from sdk_cases import ASK, CHAT, WEATHER, City, Opened, all_of, items, maybe, plain  # noqa: E402

from trivet.openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI, last  # noqa: E402


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture(params=[OpenAI, AsyncOpenAI])
async def client(request: pytest.FixtureRequest, server: Provider) -> Any:
    made = request.param(base_url=server.url, api_key="sk-any", cache="memory://")
    yield made
    server.hold.set()
    await maybe(made.close())


def words(listed: list[Any]) -> str:
    """The text that a stream's events come to."""
    if listed and "choices" in listed[0]:
        return "".join(c["delta"].get("content") or "" for chunk in listed for c in chunk["choices"])
    return "".join(event["delta"] for event in listed if event["type"] == "response.output_text.delta")


async def test_the_second_time_is_answered_from_here(client: Any, server: Provider) -> None:
    """The same object, marked as a hit, with the id of the request that was paid for."""
    one, two = [await maybe(client.responses.create(**ASK)) for _ in range(2)]
    assert plain(one) == plain(two)
    assert two._request_id == "req_1"
    assert (last(one).source, last(two).source) == ("provider", "cache")
    assert last(two).hit
    assert last(two).cost == 0
    assert len(server.seen) == 1


@pytest.mark.parametrize("first", ["whole", "stream"])
@pytest.mark.parametrize("second", ["whole", "stream", "helper", "raw", "lines"])
async def test_either_form_answers_the_other(client: Any, server: Provider, first: str, second: str) -> None:
    """A response that came whole is replayed as a stream in the documented order, and the other way round."""
    if first == "whole":
        expected = plain(await maybe(client.responses.create(**ASK)))
    else:
        expected = (await all_of(client.responses.create(**ASK, stream=True)))[-1]["response"]
    expected = {key: value for key, value in expected.items() if key not in ("class", "repr")}
    found: Any
    if second == "whole":
        found = plain(await maybe(client.responses.create(**ASK)))
    elif second == "stream":
        listed = await all_of(client.responses.create(**ASK, stream=True))
        assert [event["sequence_number"] for event in listed] == list(range(len(listed)))
        assert listed[0]["type"] == "response.created"
        assert listed[-1]["type"] == "response.completed"
        assert words(listed) == "echo:hello"
        found = listed[-1]["response"]
    elif second == "helper":
        async with Opened(client.responses.stream(**ASK)) as stream:
            found = plain(await maybe(stream.get_final_response()))
            assert last(stream).source == "cache"
    elif second == "raw":
        raw = await maybe(client.responses.with_raw_response.create(**ASK))
        assert raw.headers["x-trivet-source"] == "cache"
        assert last(raw).source == "cache"
        found = plain(raw.parse())
    else:
        async with Opened(client.responses.with_streaming_response.create(**ASK, stream=True)) as answer:
            lines = [line async for line in items(answer.iter_lines())]
        assert lines[0] == "event: response.created"
        found = expected
    assert {key: found[key] for key in expected if key != "output"} == {
        k: v for k, v in expected.items() if k != "output"
    }
    assert found["output"][0]["content"][0]["text"] == "echo:hello"
    assert len(server.seen) == 1


async def test_a_chat_that_came_whole_answers_a_streamed_one(client: Any, server: Provider) -> None:
    """With its usage only where that was asked for, as the provider does it."""
    whole = await maybe(client.chat.completions.create(**CHAT))
    bare = await all_of(client.chat.completions.create(**CHAT, stream=True))
    asked = await all_of(client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))
    assert words(bare) == words(asked) == whole.choices[0].message.content == "echo:hello"
    assert bare[-1]["choices"][0]["finish_reason"] == "stop"
    assert not any(chunk["usage"] for chunk in bare)
    assert asked[-1]["usage"]["prompt_tokens"] == 7
    assert asked[-1]["choices"] == []
    async with Opened(client.chat.completions.stream(**CHAT)) as stream:
        final = await maybe(stream.get_final_completion())
    assert final.choices[0].message.content == "echo:hello"
    assert len(server.seen) == 1


async def test_a_streamed_chat_answers_a_whole_one_if_it_told_its_usage(client: Any, server: Provider) -> None:
    """Without it, it answers streams only, for a whole completion has to tell it."""
    options = {"include_usage": True}
    await all_of(client.chat.completions.create(**CHAT, stream=True, stream_options=options))
    whole = await maybe(client.chat.completions.create(**CHAT))
    assert last(whole).source == "cache"
    assert whole.usage.completion_tokens == 3
    other = {**CHAT, "model": "n"}
    await all_of(client.chat.completions.create(**other, stream=True))
    assert len(server.seen) == 2
    await all_of(client.chat.completions.create(**other, stream=True))
    assert len(server.seen) == 2
    again = await maybe(client.chat.completions.create(**other))
    assert last(again).source == "provider"
    assert again.usage.completion_tokens == 3


async def test_tool_calls_of_a_stream_are_whole_afterwards(client: Any, server: Provider) -> None:
    """Pieces of their arguments are joined by index."""
    asked = {**CHAT, "tools": [WEATHER]}
    await all_of(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    whole = await maybe(client.chat.completions.create(**asked))
    assert last(whole).source == "cache"
    call = whole.choices[0].message.tool_calls[0]
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city":"Oslo"}')
    assert len(server.seen) == 1


async def test_a_parsed_answer_comes_from_here_too(client: Any, server: Provider) -> None:
    """`parse` sends a schema, and finds what an earlier one was answered."""
    for _ in range(2):
        parsed = await maybe(client.responses.parse(model="json", input="x", text_format=City))
        assert parsed.output_parsed == City(city="Oslo", degrees=7)
    assert last(parsed).source == "cache"
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"background": True},
        {"previous_response_id": "resp_0"},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x.example/a.png"}]}]},
        {"input": [{"type": "item_reference", "id": "msg_9"}]},
    ],
    ids=str,
)
async def test_what_the_body_does_not_decide_is_asked_again(client: Any, server: Provider, more: Any) -> None:
    """The list and its reasons are in `trivet.wire.cacheable`."""
    for _ in range(2):
        await maybe(client.responses.create(**{**ASK, **more}))
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"web_search_options": {}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example"}}]}]},
        {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}, {"role": "user", "content": "x"}]},
    ],
    ids=str,
)
async def test_nor_is_a_chat_kept_that_the_body_does_not_decide(client: Any, server: Provider, more: Any) -> None:
    """Pictures by their address, the web, audio that lies on the server."""
    for _ in range(2):
        await maybe(client.chat.completions.create(**{**CHAT, **more}))
    assert len(server.seen) == 2


@pytest.mark.parametrize("model", ["incomplete", "failed", "html", "garbage"])
async def test_what_is_no_answer_is_not_kept(client: Any, server: Provider, model: str) -> None:
    """Cut, failed or unreadable: handed on as it came, and asked again."""
    for _ in range(2):
        try:
            await maybe(client.responses.create(model=model, input="x"))
        except ValueError:
            assert model == "garbage"
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"extra_headers": {"x-route": "b"}},
        {"extra_headers": {"OpenAI-Beta": "b"}},
        {"extra_query": {"q": "1"}},
        {"extra_body": {"novel": 1}},
        {"temperature": 0.5},
        {"extra_headers": {"OpenAI-Project": "other"}},
    ],
    ids=str,
)
async def test_anything_that_may_change_the_answer_asks_again(client: Any, server: Provider, more: Any) -> None:
    """Fields, headers and queries that nobody has heard of, too."""
    await maybe(client.responses.create(**ASK))
    await maybe(client.responses.create(**ASK, **more))
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"metadata": {"a": "b"}},
        {"user": "me"},
        {"prompt_cache_key": "k"},
        {"timeout": 5},
        {"extra_headers": {"x-request-id": "1", "traceparent": "00-1"}},
    ],
    ids=str,
)
async def test_what_cannot_change_it_does_not(client: Any, server: Provider, more: Any) -> None:
    """Labels, ids of requests, where the provider keeps its own cache."""
    await maybe(client.responses.create(**ASK))
    again = await maybe(client.responses.create(**ASK, **more))
    assert last(again).source == "cache"


async def test_without_a_cache_everything_is_asked(server: Provider) -> None:
    """`cache=None`."""
    with OpenAI(base_url=server.url, api_key="k", cache=None) as client:
        for _ in range(2):
            client.responses.create(**ASK)
    assert len(server.seen) == 2


async def test_identical_calls_at_once_are_one(server: Provider) -> None:
    """And each has an object of its own; whole ones and streams share it."""
    client = AsyncOpenAI(base_url=server.url, api_key="k", cache="memory://")
    async with client, asyncio.TaskGroup() as group:
        whole = [group.create_task(client.responses.create(model="stall", input="x", stream=True))]
        await asyncio.wait_for(_until(lambda: len(server.seen) == 1), 60)
        streams = [group.create_task(all_of(client.responses.create(model="stall", input="x", stream=True)))] * 3
        replies = [group.create_task(client.responses.create(model="stall", input="x")) for _ in range(3)]
        await asyncio.wait_for(_until(lambda: client.statistics().layers.coalesce.joined >= 3), 60)
        server.hold.set()
        listed = await all_of(whole[0])
    assert len(server.seen) == 1
    assert words(listed) == "echo:x"
    assert all(task.result() == listed for task in streams)
    assert {task.result().output_text for task in replies} == {"echo:x"}
    assert len({id(task.result()) for task in replies}) == 3
    assert {last(task.result()).source for task in replies} == {"coalesced"}


async def test_the_first_of_several_readers_may_leave(server: Provider) -> None:
    """Those who joined its stream read on to the end; when all have left, the provider is let go."""
    async with AsyncOpenAI(base_url=server.url, api_key="k", cache="memory://") as client:
        first = await client.responses.create(model="stall", input="x", stream=True)
        second = await client.responses.create(model="stall", input="x", stream=True)
        await first.close()
        server.hold.set()
        assert words(await all_of(second)) == "echo:x"
        assert last(first) is None or last(first).error is None
    assert len(server.seen) == 1


@pytest.mark.parametrize("kind", [OpenAI, AsyncOpenAI])
async def test_a_stream_that_nobody_reads_any_more_is_closed(server: Provider, kind: Any) -> None:
    """It is on the bill as cancelled, and possibly billed."""
    client = kind(base_url=server.url, api_key="k", cache="memory://")
    stream = await maybe(client.responses.create(model="stall", input="x", stream=True))
    await maybe(stream.close())
    call = last(stream)
    assert call.error == "cancelled"
    assert call.cost is None
    assert client.statistics().calls.unpriced == 1
    server.hold.set()
    again = await maybe(client.responses.create(model="stall", input="x"))
    assert last(again).source == "provider"
    await maybe(client.close())


async def test_cancelling_one_caller_leaves_the_others_theirs(server: Provider) -> None:
    """The flight belongs to all of them."""
    client = AsyncOpenAI(base_url=server.url, api_key="k", cache="memory://")
    async with client, asyncio.TaskGroup() as group:
        calls = [group.create_task(client.responses.create(model="hang", input="x")) for _ in range(2)]
        await asyncio.wait_for(_until(lambda: len(server.seen) == 1), 60)
        calls[0].cancel()
        await asyncio.wait(calls[:1])
        assert calls[0].cancelled()
        calls[1].cancel()
        await asyncio.wait(calls)


async def _until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("kind", [OpenAI, AsyncOpenAI])
async def test_who_leaves_after_the_answer_loses_nothing(server: Provider, kind: Any) -> None:
    """Many programs stop at the terminal event, without reading to the end of the stream."""
    client = kind(base_url=server.url, api_key="k", cache="memory://")
    stream = await maybe(client.responses.create(**ASK, stream=True))
    async for event in items(stream):
        if event.type == "response.completed":
            break
    await maybe(stream.close())
    assert last(stream).error is None
    assert last(await maybe(client.responses.create(**ASK))).source == "cache"
    await maybe(client.close())


def test_threads_share_a_flight_and_a_stream(server: Provider) -> None:
    """One request, whether they ask for it whole or streamed, and nobody waits for another to read."""
    found: list[Any] = []
    with OpenAI(base_url=server.url, api_key="k", cache="memory://") as client:
        leader = client.responses.create(model="m", input="x", stream=True)  # read by nobody yet

        def whole() -> None:
            found.append(client.responses.create(model="m", input="x").output_text)

        def stream() -> None:
            events = client.responses.create(model="m", input="x", stream=True)
            found.append("".join(e.delta for e in events if e.type == "response.output_text.delta"))

        threads = [threading.Thread(target=each) for each in (whole, stream) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert found == ["echo:x"] * 8
        assert "".join(e.delta for e in leader if e.type == "response.output_text.delta") == "echo:x"
    assert len(server.seen) == 1


@pytest.mark.parametrize("kind", [AzureOpenAI, AsyncAzureOpenAI])
async def test_azure_is_the_same(server: Provider, kind: Any) -> None:
    """The deployment is in the path and the version in the query, and both are part of the key."""
    options = {"azure_endpoint": server.url.removesuffix("/v1"), "api_key": "k", "api_version": "2026-01-01"}
    client = kind(**options, cache="memory://")
    for model in ("m", "m", "n"):
        await maybe(client.chat.completions.create(**{**CHAT, "model": model}))
    paths = [path for _, path, _, _ in server.seen]
    assert paths == [f"/openai/deployments/{model}/chat/completions?api-version=2026-01-01" for model in ("m", "n")]
    assert client.statistics().calls.cache_hits == 1
    await maybe(client.close())
