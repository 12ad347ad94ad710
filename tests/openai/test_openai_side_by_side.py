"""The same calls with the SDK's classes and with ours, against one provider: what a program sees is the same."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

openai = pytest.importorskip("openai")

import sdk_fault_cases  # noqa: E402, F401
from scripted_provider import Provider, provider  # noqa: E402
from sdk_cases import CASES, maybe  # noqa: E402

import trivet.openai  # noqa: E402
from trivet.errors import SettingsError  # noqa: E402

KINDS = {
    "blocking": (openai.OpenAI, trivet.openai.OpenAI),
    "async": (openai.AsyncOpenAI, trivet.openai.AsyncOpenAI),
}
TOGETHER = ("many_at_once",)
"""Cases whose requests arrive in no order of their own."""


@pytest.fixture
def pair() -> Iterator[tuple[Provider, Provider]]:
    with provider() as one, provider() as other:
        yield one, other


async def observed(made: type[Any], server: Provider, name: str, **options: Any) -> tuple[Any, list[Any]]:
    """What a case shows with a client of this class, and the requests that the provider saw."""
    client = made(base_url=server.url, api_key="sk-any", **options)
    try:
        shown = await CASES[name](client)
    finally:
        server.hold.set()
        await maybe(client.close())
    return shown, server.seen


def comparable(seen: list[tuple[str, str, dict[str, str], bytes]]) -> list[Any]:
    """Requests without what differs from one to the next: the port, the boundary of a form."""
    found = []
    for method, path, headers, body in seen:
        kind = headers.get("content-type", "").partition("; boundary=")
        kept = {name: value for name, value in headers.items() if name not in ("host", "content-type")}
        found.append((method, path, kept, kind[0], body.replace(kind[2].encode() or b"\0", b"boundary")))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
async def test_a_program_sees_the_same(pair: tuple[Provider, Provider], name: str, kind: str) -> None:
    """Results, errors and their attributes, headers, events in order, and the very requests that are sent."""
    sdk, ours = KINDS[kind]
    expected, expected_requests = await observed(sdk, pair[0], name)
    found, found_requests = await observed(ours, pair[1], name, cache="memory://")
    assert found == expected
    one, other = comparable(found_requests), comparable(expected_requests)
    if name in TOGETHER:
        one, other = (sorted(requests, key=str) for requests in (one, other))
    assert one == other


@pytest.mark.parametrize(
    "name", ["create", "create_streamed", "raw_response", "err-500_with_2_retries", "chat_streamed"]
)
async def test_the_faster_engine_shows_the_same(pair: tuple[Provider, Provider], name: str) -> None:
    """But for the headers that its connections have for themselves."""
    expected, _ = await observed(openai.AsyncOpenAI, pair[0], name)
    found, _ = await observed(trivet.openai.AsyncOpenAI, pair[1], name, fast=True, cache="memory://")
    without = ("content-length", "transfer-encoding")
    assert _drop(found, without) == _drop(expected, without)


def test_the_faster_engine_takes_no_other_client() -> None:
    """It would have to choose one of the two."""
    with pytest.raises(SettingsError, match="fast"):
        trivet.openai.AsyncOpenAI(api_key="any", fast=True, http_client=openai.DefaultAsyncHttpxClient())


def _drop(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, list | tuple):
        return [_drop(item, names) for item in value if not (isinstance(item, tuple) and item and item[0] in names)]
    if isinstance(value, dict):
        return {key: _drop(item, names) for key, item in value.items() if key not in names}
    return value


@pytest.mark.parametrize(
    ("sdk", "ours"),
    [
        (openai.OpenAI, trivet.openai.OpenAI),
        (openai.AsyncOpenAI, trivet.openai.AsyncOpenAI),
        (openai.AzureOpenAI, trivet.openai.AzureOpenAI),
        (openai.AsyncAzureOpenAI, trivet.openai.AsyncAzureOpenAI),
    ],
)
def test_every_argument_of_the_sdk_is_known_to_ours(sdk: Any, ours: Any) -> None:
    """So that a type checker takes what the SDK takes."""
    expected = set(inspect.signature(sdk.__init__).parameters) - {"self"}
    unpacked = ours.__init__.__annotations__["arguments"]
    module = inspect.getmodule(ours)
    named = eval(unpacked, vars(module)).__args__[0]
    assert expected == set(named.__annotations__)
    assert issubclass(ours, sdk)


def test_the_rest_of_the_sdk_can_be_imported_from_here() -> None:
    """`from trivet.openai import OpenAI, RateLimitError` is one changed word."""
    assert trivet.openai.RateLimitError is openai.RateLimitError
    assert trivet.openai.DefaultHttpxClient is openai.DefaultHttpxClient
    assert trivet.openai.types is openai.types
    assert trivet.openai.Client is trivet.openai.OpenAI
    assert set(openai.__all__) <= {name for name in openai.__all__ if hasattr(trivet.openai, name)}
