"""The SDK's own arguments, with their types, for our classes to pass on; a test holds them to the SDK's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypedDict

import httpx2
import openai


class _Common(TypedDict, total=False):
    admin_api_key: str | None
    organization: str | None
    project: str | None
    webhook_secret: str | None
    websocket_base_url: str | httpx2.URL | None
    timeout: float | openai.Timeout | openai.NotGiven | None
    max_retries: int
    default_headers: Mapping[str, str] | None
    default_query: Mapping[str, object] | None
    _strict_response_validation: bool
    _enforce_credentials: bool


class _Direct(_Common, total=False):
    workload_identity: Any
    provider: Any
    base_url: str | httpx2.URL | openai.NotGiven | None
    data_residency: Any


class SdkArguments(_Direct, total=False):
    """Of `openai.OpenAI`."""

    api_key: str | Callable[[], str] | None
    http_client: httpx2.Client | None


class AsyncSdkArguments(_Direct, total=False):
    """Of `openai.AsyncOpenAI`."""

    api_key: str | Callable[[], Awaitable[str]] | None
    http_client: httpx2.AsyncClient | None


class _Azure(_Common, total=False):
    api_version: str | None
    azure_endpoint: str | None
    azure_deployment: str | None
    workload_identity: Any
    azure_ad_token: str | None
    base_url: Any


class AzureArguments(_Azure, total=False):
    """Of `openai.AzureOpenAI`."""

    api_key: str | Callable[[], str] | None
    azure_ad_token_provider: Callable[[], str] | None
    http_client: httpx2.Client | None


class AsyncAzureArguments(_Azure, total=False):
    """Of `openai.AsyncAzureOpenAI`."""

    api_key: str | Callable[[], Awaitable[str]] | None
    azure_ad_token_provider: Callable[[], str | Awaitable[str]] | None
    http_client: httpx2.AsyncClient | None
