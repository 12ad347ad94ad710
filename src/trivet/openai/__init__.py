"""The official OpenAI SDK with trivet's layers underneath: the import line is all that changes.

    from trivet.openai import OpenAI  # instead of: from openai import OpenAI

Everything else of the SDK can be imported from here, too, and is the SDK's own.
"""

from __future__ import annotations

try:
    import openai as _sdk
except ImportError as _missing:
    if _missing.name not in ("openai", "httpx2"):
        raise
    from trivet.errors import MissingExtra

    raise MissingExtra("trivet.openai", "openai") from None

from openai import *  # noqa: F403

from trivet.openai.bill import Call as Call
from trivet.openai.bill import Statistics as Statistics
from trivet.openai.clients import AsyncAzureOpenAI as AsyncAzureOpenAI
from trivet.openai.clients import AsyncOpenAI as AsyncOpenAI
from trivet.openai.clients import AzureOpenAI as AzureOpenAI
from trivet.openai.clients import OpenAI as OpenAI
from trivet.openai.failures import BudgetError as BudgetError
from trivet.openai.notes import last as last
from trivet.openai.notes import tags as tags

globals().update(Client=OpenAI, AsyncClient=AsyncOpenAI)  # other names of the SDK for the two


def __getattr__(name: str) -> object:
    return getattr(_sdk, name)
