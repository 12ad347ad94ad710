"""The SDK's own classes replaced by ours in the SDK itself, for programs whose import line stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openai
from openai import _AzureModuleClient as _SdkAzureModuleClient
from openai import _client as _sdk_clients
from openai import _ModuleClient as _SdkModuleClient
from openai._constants import DEFAULT_MAX_RETRIES
from openai.lib import azure as _sdk_azure

from trivet.openai.clients import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI
from trivet.openai.options import Options

_OURS = {
    "OpenAI": OpenAI,
    "Client": OpenAI,
    "AsyncOpenAI": AsyncOpenAI,
    "AsyncClient": AsyncOpenAI,
    "AzureOpenAI": AzureOpenAI,
    "AsyncAzureOpenAI": AsyncAzureOpenAI,
}


def _chosen(client: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The module's settings are always given; a number of retries that is the SDK's own was chosen by nobody."""
    return given if client.max_retries != DEFAULT_MAX_RETRIES else {}


class _ModuleClient(_SdkModuleClient, OpenAI):  # pyright: ignore[reportIncompatibleVariableOverride]
    """The client behind `openai.responses.create(...)`; its settings are attributes of the SDK's module."""

    def _put_layers(self, found: Options, given: Mapping[str, Any]) -> None:
        super()._put_layers(found, _chosen(self, given))


class _AzureModuleClient(_SdkAzureModuleClient, AzureOpenAI):  # pyright: ignore[reportIncompatibleVariableOverride]
    """The same where the module is set up for Azure."""

    def _put_layers(self, found: Options, given: Mapping[str, Any]) -> None:
        super()._put_layers(found, _chosen(self, given))


def replace_classes() -> None:
    """From here on, whoever imports a client class of the SDK gets ours. What was imported before stays as it is."""
    for module in (openai, _sdk_clients, _sdk_azure):
        for name, ours in _OURS.items():
            if hasattr(module, name):
                setattr(module, name, ours)
    setattr(openai, "_ModuleClient", _ModuleClient)  # noqa: B010 - a class is no variable to type checkers
    setattr(openai, "_AzureModuleClient", _AzureModuleClient)  # noqa: B010
