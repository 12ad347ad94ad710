"""Calls that fail, in every way that a server, a network and an answer can."""

from __future__ import annotations

from typing import Any

import httpx2
from sdk_cases import ASK, CASES, Opened, all_of, case, items, maybe, plain, tried


@case
async def incomplete(client: Any) -> Any:
    return plain(await maybe(client.responses.create(model="incomplete", input="x")))


@case
async def failed_inside(client: Any) -> Any:
    return plain(await maybe(client.responses.create(model="failed", input="x")))


@case
async def html_for_an_answer(client: Any) -> Any:
    return await tried(lambda: client.responses.create(model="html", input="x"))


@case
async def broken_json(client: Any) -> Any:
    return await tried(lambda: client.responses.create(model="garbage", input="x"))


@case
async def empty_body(client: Any) -> Any:
    return await tried(lambda: client.responses.create(model="empty", input="x"))


def _error(model: str, retries: int = 0) -> None:
    async def run(client: Any) -> Any:
        return await tried(lambda: client.with_options(max_retries=retries).responses.create(model=model, input="x"))

    CASES[f"{model}_with_{retries}_retries"] = run


for _model in (
    "err-400",
    "err-401",
    "err-403",
    "err-404",
    "err-409",
    "err-418",
    "err-422",
    "err-429",
    "err-500",
    "err-503",
    "plain-500",
    "reset",
):
    _error(_model)
_error("err-400", 2)
_error("err-429", 2)
_error("err-500", 2)
_error("no-retry-500", 2)
_error("once-429", 1)
_error("twice-503", 2)
_error("twice-503", 1)
_error("once-reset", 1)


@case
async def error_while_streaming_begins(client: Any) -> Any:
    return await tried(
        lambda: client.with_options(max_retries=0).responses.create(model="err-503", input="x", stream=True)
    )


@case
async def error_inside_a_stream(client: Any) -> Any:
    stream = await maybe(client.responses.create(model="error-event", input="x", stream=True))
    seen = []

    async def read() -> None:
        async for event in items(stream):
            seen.append(event.type)  # noqa: PERF401 - what came before an error counts

    return await tried(read), seen


@case
async def a_stream_that_is_cut(client: Any) -> Any:
    stream = await maybe(client.responses.create(model="cut", input="x", stream=True))
    seen = []

    async def read() -> None:
        async for event in items(stream):
            seen.append(event.type)  # noqa: PERF401 - what came before an error counts

    return await tried(read), seen


@case
async def a_stream_that_ends_too_soon(client: Any) -> Any:
    async def read() -> Any:
        async with Opened(client.responses.stream(model="short", input="x")) as stream:
            return plain(await maybe(stream.get_final_response()))

    return await tried(read), await all_of(client.responses.create(model="short", input="y", stream=True))


@case
async def no_reply_in_time(client: Any) -> Any:
    impatient = client.with_options(max_retries=0, timeout=httpx2.Timeout(30, read=0.5))
    return await tried(lambda: impatient.responses.create(model="hang", input="x"))


@case
async def a_stream_that_stalls(client: Any) -> Any:
    impatient = client.with_options(max_retries=0, timeout=httpx2.Timeout(30, read=0.5))

    async def read() -> None:
        async for _ in items(await maybe(impatient.responses.create(model="stall", input="x", stream=True))):
            pass

    return await tried(read)


@case
async def nobody_at_the_address(client: Any) -> Any:
    away = client.with_options(max_retries=0, base_url="http://127.0.0.1:1/v1")
    return await tried(lambda: away.responses.create(**ASK))


@case
async def an_address_of_another_scheme(client: Any) -> Any:
    away = client.with_options(max_retries=0, base_url="gopher://127.0.0.1/v1")
    return await tried(lambda: away.responses.create(**ASK))
