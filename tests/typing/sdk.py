"""What type checkers see of the drop-in: the SDK's own types."""

from __future__ import annotations

from typing import assert_type

from openai import AsyncStream, Stream
from openai.types.chat import ChatCompletion
from openai.types.responses import Response, ResponseStreamEvent

import trivet.openai
from trivet.openai import AsyncOpenAI, Call, OpenAI, Statistics, last


def blocking(client: OpenAI) -> None:
    """A response, a stream, a completion, a copy."""
    assert_type(client.responses.create(model="m", input="x"), Response)
    assert_type(client.responses.create(model="m", input="x", stream=True), Stream[ResponseStreamEvent])
    assert_type(client.chat.completions.create(model="m", messages=[]), ChatCompletion)
    assert_type(client.with_options(timeout=1).copy(max_retries=3), OpenAI)
    assert_type(client.statistics(), Statistics)
    assert_type(last(client), Call | None)
    made: trivet.openai.RateLimitError | None = None
    assert made is None


async def asynchronous(client: AsyncOpenAI) -> None:
    """The same, awaited."""
    assert_type(await client.responses.create(model="m", input="x"), Response)
    assert_type(await client.responses.create(model="m", input="x", stream=True), AsyncStream[ResponseStreamEvent])
    OpenAI(api_key="k", cache="memory://", budget="5.00", tags={"a": "b"}, max_retries=1, timeout=3.0)
    AsyncOpenAI(api_key="k", cache=None, fast=True)
