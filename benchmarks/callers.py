"""What trivet is held against, each as a process of its own.

    python benchmarks/callers.py raw|sdk|litellm|langchain URL CALLS IN_FLIGHT

It prints the seconds from the first request to the last reply. LiteLLM and LangChain have a Python of their own
(requirements/bench.txt), because they pin what trivet pins too.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import uvloop
from null_server import REPLY

PROMPT = "Classify the support ticket into one of: billing, technical_support, account_access, general_inquiry."
TICKET = "I was charged twice for my subscription this month and need the second payment back. " * 5


class Calling(asyncio.Protocol):
    """A connection of the raw loop: writes ready bytes, counts the bytes of a reply whose length is known."""

    def __init__(self, request: bytes, book: Book) -> None:
        self._request = request
        self._book = book
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if self._book.begin():
            self._missing = len(REPLY)
            self._transport.write(self._request)
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._missing -= len(data)
        if self._missing == 0:
            self._book.end()
            self._next()


class Book:
    """How many calls are still to be made, and to be answered."""

    def __init__(self, calls: int) -> None:
        self._unsent = self._unanswered = calls
        self.over = asyncio.Event()

    def begin(self) -> bool:
        self._unsent -= 1
        return self._unsent >= 0

    def end(self) -> None:
        self._unanswered -= 1
        if not self._unanswered:
            self.over.set()


async def raw(url: str, calls: int, in_flight: int) -> None:
    """The floor: no HTTP, no JSON, the same bytes again and again."""
    parts, loop, book = urlsplit(url), asyncio.get_running_loop(), Book(calls)
    body = f'{{"model":"gpt-5.4-mini","input":"{PROMPT} {TICKET}","max_output_tokens":16}}'.encode()
    head = f"POST {parts.path}/responses HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer key\r\n"
    request = head.encode() + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(loop.create_connection(lambda: Calling(request, book), parts.hostname, parts.port))
    await book.over.wait()


async def sdk(url: str, calls: int, in_flight: int) -> None:
    """The official SDK as its documentation shows it, with room for as many connections."""
    import httpx2
    from openai import AsyncOpenAI, DefaultAsyncHttpx2Client

    client = AsyncOpenAI(
        base_url=url,
        api_key="key",
        max_retries=0,
        timeout=600,
        http_client=DefaultAsyncHttpx2Client(limits=httpx2.Limits(max_connections=None)),
    )

    async def ask(text: str) -> None:
        await client.responses.create(model="gpt-5.4-mini", input=text, max_output_tokens=16)

    await _workers(ask, calls, in_flight)
    await client.close()


async def litellm(url: str, calls: int, in_flight: int) -> None:
    """LiteLLM's asynchronous Responses call, as its documentation shows it."""
    library: Any = importlib.import_module("litellm")

    async def ask(text: str) -> None:
        await library.aresponses(
            model="openai/gpt-5.4-mini", input=text, max_output_tokens=16, api_base=url, api_key="key", num_retries=0
        )

    await _workers(ask, calls, in_flight)


async def langchain(url: str, calls: int, in_flight: int) -> None:
    """LangChain's chat model over the Responses API, as its documentation shows it."""
    library: Any = importlib.import_module("langchain_openai")
    model = library.ChatOpenAI(
        model="gpt-5.4-mini", base_url=url, api_key="key", use_responses_api=True, max_retries=0, max_tokens=16
    )
    await _workers(model.ainvoke, calls, in_flight)


async def _workers(ask: Callable[[str], Awaitable[Any]], calls: int, in_flight: int) -> None:
    """So many tasks, each asking one question after the other."""
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            await ask(f"{PROMPT} {TICKET} {number}")

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())


async def timed(way: str, url: str, calls: int, in_flight: int) -> float:
    """Seconds that the way takes; what a library loads, and loads at its first call, is there before."""
    call = {"raw": raw, "sdk": sdk, "litellm": litellm, "langchain": langchain}[way]
    if way != "raw":
        await call(url, 1, 1)
    clock = asyncio.get_running_loop().time
    began = clock()
    await call(url, calls, in_flight)
    return clock() - began


if __name__ == "__main__":
    print(uvloop.run(timed(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
