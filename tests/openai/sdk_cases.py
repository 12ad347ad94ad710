"""Calls as programs make them, written once for the blocking and the asynchronous client: what each shows, as data."""

from __future__ import annotations

import asyncio
import inspect
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import openai
import pydantic

Case = Callable[[Any], Awaitable[Any]]
CASES: dict[str, Case] = {}

ASK = {"model": "m", "input": "hello"}
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


class City(pydantic.BaseModel):
    """What the model named `json` answers with."""

    city: str
    degrees: int


def case(run: Case) -> Case:
    """Put a call on the table."""
    CASES[run.__name__] = run
    return run


async def maybe(value: Any) -> Any:
    """A result, whether or not it has to be awaited."""
    return await value if inspect.isawaitable(value) else value


async def items(source: Any) -> AsyncIterator[Any]:
    """What a stream or a page yields, whichever kind it is."""
    if hasattr(source, "__aiter__"):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item


async def all_of(source: Any) -> list[Any]:
    """The same as a list of plain data."""
    return [plain(item) async for item in items(await maybe(source))]


class Opened:
    """Either kind of context manager as an asynchronous one."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._async = hasattr(manager, "__aenter__")

    async def __aenter__(self) -> Any:
        return await self._manager.__aenter__() if self._async else self._manager.__enter__()

    async def __aexit__(self, *error: Any) -> Any:
        return await self._manager.__aexit__(*error) if self._async else self._manager.__exit__(*error)


def plain(value: Any) -> Any:
    """Anything the SDK makes, as data that can be compared."""
    if isinstance(value, pydantic.BaseModel):
        shown = value.model_dump(mode="json", warnings=False)
        return {"class": type(value).__name__, "repr": repr(value), **shown}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, httpx2.Headers):
        return sorted((k, v) for k, v in value.multi_items() if k not in ("date", "server"))
    return value


def shown(error: BaseException) -> dict[str, Any]:
    """All that a program can see of an error."""
    seen: dict[str, Any] = {"class": type(error).__name__, "bases": [base.__name__ for base in type(error).__mro__]}
    seen["text"] = re.sub(r":\d{4,5}\b", ":PORT", str(error))
    for name in ("message", "code", "param", "type", "body", "status_code", "request_id"):
        seen[name] = plain(getattr(error, name, "absent"))
    response = getattr(error, "response", None)
    if response is not None:
        seen["headers"] = plain(response.headers)
        seen["content"] = response.content.decode()
    request = getattr(error, "request", None)
    if request is not None:
        seen["asked"] = request.method, request.url.path
    seen["cause"] = type(error.__cause__).__name__
    return seen


async def tried(work: Awaitable[Any] | Callable[[], Any]) -> Any:
    """What comes of a call, or its error."""
    try:
        return plain(await maybe(work() if callable(work) else work))
    except (openai.OpenAIError, pydantic.ValidationError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        return shown(error)


@case
async def create(client: Any) -> Any:
    reply = await maybe(client.responses.create(**ASK))
    return plain(reply), reply.output_text, reply._request_id


@case
async def create_twice_with_other_words(client: Any) -> Any:
    return [plain(await maybe(client.responses.create(model="m", input=text))) for text in ("one", "two")]


@case
async def create_with_everything(client: Any) -> Any:
    return plain(
        await maybe(
            client.responses.create(
                model="m",
                input=[{"role": "user", "content": [{"type": "input_text", "text": "héllo ☃ 🎉"}]}],
                instructions="be brief",
                max_output_tokens=20,
                temperature=0.25,
                metadata={"a": "b"},
                reasoning={"effort": "low"},
                extra_headers={"x-mine": "1"},
                extra_query={"q": "2"},
                extra_body={"novel": {"z": 1, "a": [1.0, 2, None]}},
                timeout=20,
            )
        )
    )


@case
async def create_streamed(client: Any) -> Any:
    return await all_of(client.responses.create(**ASK, stream=True))


@case
async def create_streamed_in_with(client: Any) -> Any:
    async with Opened(await maybe(client.responses.create(**ASK, stream=True))) as stream:
        return [event.type async for event in items(stream)], plain(stream.response.headers)


@case
async def create_streamed_stopped_early(client: Any) -> Any:
    stream = await maybe(client.responses.create(**ASK, stream=True))
    seen = []
    async for event in items(stream):
        seen.append(event.type)
        if len(seen) == 3:
            break
    await maybe(stream.close())
    return seen, stream.response.is_closed


@case
async def stream_helper(client: Any) -> Any:
    async with Opened(client.responses.stream(**ASK)) as stream:
        seen = [event.type async for event in items(stream)]
        return seen, plain(await maybe(stream.get_final_response()))


@case
async def stream_helper_parses(client: Any) -> Any:
    async with Opened(client.responses.stream(model="json", input="x", text_format=City)) as stream:
        final = await maybe(stream.get_final_response())
        return plain(final.output_parsed), plain(final)


@case
async def parse(client: Any) -> Any:
    reply = await maybe(client.responses.parse(model="json", input="x", text_format=City))
    return plain(reply.output_parsed), plain(reply), reply._request_id


@case
async def parse_what_does_not_fit(client: Any) -> Any:
    return await tried(lambda: client.responses.parse(model="m", input="x", text_format=City))


@case
async def raw_response(client: Any) -> Any:
    raw = await maybe(client.responses.with_raw_response.create(**ASK))
    parsed = await maybe(raw.parse())
    return raw.status_code, plain(raw.headers), raw.text, plain(parsed), raw.retries_taken, raw.request_id, raw.method


@case
async def raw_response_streamed(client: Any) -> Any:
    raw = await maybe(client.responses.with_raw_response.create(**ASK, stream=True))
    return plain(raw.headers), await all_of(raw.parse())


@case
async def raw_response_retried(client: Any) -> Any:
    raw = await maybe(
        client.with_options(max_retries=2).responses.with_raw_response.create(model="once-500", input="x")
    )
    return raw.status_code, raw.retries_taken, plain(raw.parse())


@case
async def streaming_response(client: Any) -> Any:
    async with Opened(client.responses.with_streaming_response.create(**ASK)) as raw:
        headers = plain(raw.headers)
        return headers, plain(await maybe(raw.parse())), raw.status_code


@case
async def streaming_response_lines(client: Any) -> Any:
    async with Opened(client.responses.with_streaming_response.create(**ASK, stream=True)) as raw:
        return [line async for line in items(raw.iter_lines())]


@case
async def streaming_response_bytes(client: Any) -> Any:
    async with Opened(client.files.with_streaming_response.content("file_1")) as raw:
        return b"".join([part async for part in items(raw.iter_bytes())]).hex()


@case
async def compressed(client: Any) -> Any:
    raw = await maybe(client.responses.with_raw_response.create(model="gzip", input="x"))
    return plain(raw.headers), plain(raw.parse())


@case
async def redirected(client: Any) -> Any:
    raw = await maybe(client.responses.with_raw_response.create(model="redirect", input="x"))
    return plain(raw.parse()), len(raw.http_response.history)


@case
async def retrieve_cancel_delete_and_count(client: Any) -> Any:
    counted = await maybe(client.responses.input_tokens.count(**ASK))
    return plain(counted), plain(await maybe(client.responses.retrieve("resp_1")))


@case
async def models_are_listed(client: Any) -> Any:
    return await all_of(client.models.list())


@case
async def pages_follow_one_another(client: Any) -> Any:
    return [item.id async for item in items(client.files.list())]


@case
async def pages_by_hand(client: Any) -> Any:
    page = await maybe(client.files.list())
    following = await maybe(page.get_next_page())
    return plain(page.data), page.has_next_page(), plain(following.data), following.has_next_page()


@case
async def a_file_is_sent(client: Any) -> Any:
    sent = io.BytesIO(b"hello")
    made = await maybe(client.files.create(file=("a.jsonl", sent, "application/jsonl"), purpose="batch"))
    return plain(made)


@case
async def a_file_is_read_and_deleted(client: Any) -> Any:
    content = await maybe(client.files.content("file_1"))
    return content.content.hex(), plain(await maybe(client.files.delete("file_1")))


@case
async def embeddings_and_moderations(client: Any) -> Any:
    vector = await maybe(client.embeddings.create(model="e", input="x", encoding_format="float"))
    return plain(vector), plain(await maybe(client.moderations.create(model="mod", input="x")))


@case
async def embeddings_fail(client: Any) -> Any:
    return await tried(lambda: client.with_options(max_retries=1).embeddings.create(model="err-500", input="x"))


@case
async def batches(client: Any) -> Any:
    made = await maybe(client.batches.create(input_file_id="file_1", endpoint="/v1/responses", completion_window="24h"))
    return plain(made), plain(await maybe(client.batches.retrieve("batch_1")))


@case
async def not_found(client: Any) -> Any:
    return await tried(lambda: client.with_options(max_retries=0).fine_tuning.jobs.retrieve("x"))


@case
async def chat(client: Any) -> Any:
    reply = await maybe(client.chat.completions.create(**CHAT))
    return plain(reply), reply._request_id


@case
async def chat_streamed(client: Any) -> Any:
    return await all_of(client.chat.completions.create(**CHAT, stream=True))


@case
async def chat_streamed_with_usage(client: Any) -> Any:
    return await all_of(client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))


@case
async def chat_tools(client: Any) -> Any:
    asked = {**CHAT, "tools": [WEATHER]}
    streamed = await all_of(client.chat.completions.create(**{**asked, "model": "t"}, stream=True))
    return plain(await maybe(client.chat.completions.create(**asked))), streamed


@case
async def chat_parse(client: Any) -> Any:
    asked = {**CHAT, "model": "json"}
    parsed = await maybe(client.chat.completions.parse(**asked, response_format=City))
    return plain(parsed.choices[0].message.parsed), plain(parsed.usage)


@case
async def chat_stream_helper(client: Any) -> Any:
    async with Opened(client.chat.completions.stream(**CHAT)) as stream:
        seen = [event.type async for event in items(stream)]
        return seen, plain(await maybe(stream.get_final_completion()))


@case
async def options_are_those_that_were_given(client: Any) -> Any:
    changed = client.with_options(max_retries=7, timeout=3.5, default_headers={"x-a": "b"})
    again = changed.copy(organization="org", project="proj")
    reply = await maybe(again.responses.create(**ASK))
    return (
        (client.max_retries, changed.max_retries, again.max_retries, again.timeout, again.organization),
        plain(reply),
        type(again).__mro__[-2].__name__,
    )


@case
async def requests_of_ones_own(client: Any) -> Any:
    got = await maybe(client.get("/models", cast_to=httpx2.Response))
    posted = await maybe(client.post("/responses", cast_to=object, body={"model": "m", "input": "raw"}))
    return got.json(), posted


@case
async def a_missing_argument(client: Any) -> Any:
    return await tried(lambda: client.chat.completions.create(model="m"))


@case
async def closed(client: Any) -> Any:
    before = client.is_closed()
    await maybe(client.close())
    return before, client.is_closed(), await tried(lambda: client.responses.create(**ASK))


@case
async def many_at_once(client: Any) -> Any:
    async def one(number: int) -> str:
        return str((await maybe(client.responses.create(model="m", input=f"n{number}"))).output_text)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(20)]
    return [task.result() for task in tasks]
