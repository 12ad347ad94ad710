"""The SDK's client classes with trivet's layers below.

What is changed of the SDK's own: a note is put on every request, the layers are put under the HTTP client, and what the
layers retry the SDK does not. Everything else is inherited, its types too.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast
from urllib.parse import urlsplit

import httpx2
import openai
from openai.lib.azure import AsyncAzureOpenAI as _AsyncAzureOpenAI
from openai.lib.azure import AzureOpenAI as _AzureOpenAI

from trivet.engine.limit import Limits
from trivet.errors import SettingsError
from trivet.openai.arguments import AsyncAzureArguments, AsyncSdkArguments, AzureArguments, SdkArguments
from trivet.openai.bill import Statistics
from trivet.openai.blocking import blocking_of
from trivet.openai.fast import faster
from trivet.openai.layers import Layers
from trivet.openai.notes import EXTENSION, Note, note_of, remember, tags_here
from trivet.openai.options import Options, options
from trivet.openai.transport import put_under, put_under_async
from trivet.settings import Endpoint

T = TypeVar("T")
Cache = str | None | openai.NotGiven


class _Layered:
    """What all four have in common; the SDK's class comes after it."""

    _layers: Layers
    _own_retries: bool

    def _put_layers(self, found: Options, given: Mapping[str, Any]) -> None:
        self._own_retries = "max_retries" in given
        self._layers = Layers(found, _endpoint(str(cast(Any, self).base_url)))

    def _note(self, sdk_options: Any) -> Note:
        chosen = self._own_retries or not isinstance(sdk_options.max_retries, openai.NotGiven)
        retries = sdk_options.get_max_retries(cast(Any, self).max_retries) if chosen else None
        layers = self._layers
        tags, here = layers.options.tags, tags_here()
        return Note(layers, retries, {**tags, **here} if tags and here else tags or here)

    def statistics(self) -> Statistics:
        """What this client and its copies have done so far: calls, tokens, money, by tag as well."""
        return self._layers.statistics()

    if not TYPE_CHECKING:

        def _build_request(self, options, **more):
            request = super()._build_request(options, **more)
            request.extensions[EXTENSION] = self._note(options)
            return request

        def _should_retry(self, response):
            note = note_of(response)
            if note is not None and note.ours:
                return False
            return super()._should_retry(response)

        def _process_response_data(self, *, data, cast_to, response):
            made = super()._process_response_data(data=data, cast_to=cast_to, response=response)
            note = note_of(response)
            if note is not None and note.call is not None:
                remember(made, note)
            return made

        def copy(self, **changed):
            copied = super().copy(**changed)
            copied._layers = self._layers
            chosen = not isinstance(changed.get("max_retries", openai.NOT_GIVEN), openai.NotGiven)
            copied._own_retries = self._own_retries or chosen
            return copied

        with_options = copy


class _Blocking(_Layered):
    _client: httpx2.Client

    if not TYPE_CHECKING:

        def _process_response(self, *, response, retries_taken=0, **more):
            taken = _retries(response, retries_taken)
            return _remembered(super()._process_response(response=response, retries_taken=taken, **more), response)

        def close(self):
            super().close()
            blocking_of(self._layers).close()


class _Async(_Layered):
    _client: httpx2.AsyncClient

    if not TYPE_CHECKING:

        async def _process_response(self, *, response, retries_taken=0, **more):
            taken = _retries(response, retries_taken)
            made = await super()._process_response(response=response, retries_taken=taken, **more)
            return _remembered(made, response)

        async def close(self):
            await super().close()
            await self._layers.close()


class OpenAI(_Blocking, openai.OpenAI):
    """`openai.OpenAI` with trivet's layers: cache, single flight, pace, retries, budget, measurement.

    `cache`: as of `trivet.Client`; by default in memory, shared by all clients of the program. `ttl`: how long an
    answer lives. `limits`: requests at once and a minute. `budget`: US dollars that this client and its copies may
    spend. `tags` group the bill. Else from `TRIVET_CACHE`, `TRIVET_TTL`, `TRIVET_RPM`, `TRIVET_TPM`,
    `TRIVET_CONCURRENCY`, `TRIVET_BUDGET`. All other arguments are the SDK's.
    """

    def __init__(
        self,
        *,
        cache: Cache = openai.NOT_GIVEN,
        ttl: float | str | None = None,
        limits: Limits | None = None,
        budget: Decimal | float | str | None = None,
        tags: Mapping[str, str] | None = None,
        **arguments: Unpack[SdkArguments],
    ) -> None:
        found = options(cache=cache, ttl=ttl, limits=limits, budget=budget, tags=tags)
        super().__init__(**arguments)
        put_under(self._client)
        self._put_layers(found, arguments)


class AsyncOpenAI(_Async, openai.AsyncOpenAI):
    """`openai.AsyncOpenAI` with trivet's layers; see `OpenAI`. `fast`: trivet's own connections, not httpx2's."""

    def __init__(
        self,
        *,
        cache: Cache = openai.NOT_GIVEN,
        ttl: float | str | None = None,
        limits: Limits | None = None,
        budget: Decimal | float | str | None = None,
        tags: Mapping[str, str] | None = None,
        fast: bool = False,
        **arguments: Unpack[AsyncSdkArguments],
    ) -> None:
        found = options(cache=cache, ttl=ttl, limits=limits, budget=budget, tags=tags)
        super().__init__(**faster(arguments) if fast else arguments)
        put_under_async(self._client)
        self._put_layers(found, arguments)


class AzureOpenAI(_Blocking, _AzureOpenAI):
    """`openai.AzureOpenAI` with trivet's layers; see `OpenAI`."""

    def __init__(
        self,
        *,
        cache: Cache = openai.NOT_GIVEN,
        ttl: float | str | None = None,
        limits: Limits | None = None,
        budget: Decimal | float | str | None = None,
        tags: Mapping[str, str] | None = None,
        **arguments: Unpack[AzureArguments],
    ) -> None:
        found = options(cache=cache, ttl=ttl, limits=limits, budget=budget, tags=tags)
        super().__init__(**cast(Any, arguments))
        put_under(self._client)
        self._put_layers(found, arguments)


class AsyncAzureOpenAI(_Async, _AsyncAzureOpenAI):
    """`openai.AsyncAzureOpenAI` with trivet's layers; see `OpenAI`."""

    def __init__(
        self,
        *,
        cache: Cache = openai.NOT_GIVEN,
        ttl: float | str | None = None,
        limits: Limits | None = None,
        budget: Decimal | float | str | None = None,
        tags: Mapping[str, str] | None = None,
        fast: bool = False,
        **arguments: Unpack[AsyncAzureArguments],
    ) -> None:
        found = options(cache=cache, ttl=ttl, limits=limits, budget=budget, tags=tags)
        super().__init__(**cast(Any, faster(arguments) if fast else arguments))
        put_under_async(self._client)
        self._put_layers(found, arguments)


def _endpoint(base_url: str) -> Endpoint:
    """The server for people and statistics to name; where it can't be named, requests go there all the same."""
    parts = urlsplit(base_url)
    try:
        return Endpoint(base_url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
    except SettingsError:
        return Endpoint()


def _retries(response: httpx2.Response, taken: int) -> int:
    note = note_of(response)
    return note.call.retries if note is not None and note.ours and note.call is not None else taken


def _remembered(made: T, response: httpx2.Response) -> T:
    note = note_of(response)
    if note is not None:
        remember(made, note)
    return made
