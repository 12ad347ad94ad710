"""The official OpenAI SDK with trivet's layers underneath: the import line is all that changes.

    from trivet.openai import OpenAI  # instead of: from openai import OpenAI

Everything else of the SDK can be imported from here, too, and is the SDK's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import openai as _sdk
except ImportError as _missing:
    if _missing.name not in ("openai", "httpx2"):
        raise
    from trivet.errors import MissingExtra

    raise MissingExtra("trivet.openai", "openai") from None

from trivet.openai.bill import Call as Call
from trivet.openai.bill import Statistics as Statistics
from trivet.openai.clients import AsyncAzureOpenAI as AsyncAzureOpenAI
from trivet.openai.clients import AsyncOpenAI as AsyncOpenAI
from trivet.openai.clients import AzureOpenAI as AzureOpenAI
from trivet.openai.clients import OpenAI as OpenAI
from trivet.openai.failures import BudgetError as BudgetError
from trivet.openai.notes import last as last
from trivet.openai.notes import tags as tags

if TYPE_CHECKING:
    from openai import DEFAULT_CONNECTION_LIMITS as DEFAULT_CONNECTION_LIMITS
    from openai import DEFAULT_MAX_RETRIES as DEFAULT_MAX_RETRIES
    from openai import DEFAULT_TIMEOUT as DEFAULT_TIMEOUT
    from openai import NOT_GIVEN as NOT_GIVEN
    from openai import APIConnectionError as APIConnectionError
    from openai import APIError as APIError
    from openai import APIResponseValidationError as APIResponseValidationError
    from openai import APIStatusError as APIStatusError
    from openai import APITimeoutError as APITimeoutError
    from openai import AsyncBedrockOpenAI as AsyncBedrockOpenAI
    from openai import AsyncStream as AsyncStream
    from openai import AuthenticationError as AuthenticationError
    from openai import BadRequestError as BadRequestError
    from openai import BaseModel as BaseModel
    from openai import BedrockOpenAI as BedrockOpenAI
    from openai import ConflictError as ConflictError
    from openai import ContentFilterFinishReasonError as ContentFilterFinishReasonError
    from openai import DataResidency as DataResidency
    from openai import DefaultAioHttpClient as DefaultAioHttpClient
    from openai import DefaultAsyncHttpx2Client as DefaultAsyncHttpx2Client
    from openai import DefaultAsyncHttpxClient as DefaultAsyncHttpxClient
    from openai import DefaultHttpx2Client as DefaultHttpx2Client
    from openai import DefaultHttpxClient as DefaultHttpxClient
    from openai import InternalServerError as InternalServerError
    from openai import InvalidWebhookSignatureError as InvalidWebhookSignatureError
    from openai import LengthFinishReasonError as LengthFinishReasonError
    from openai import NoneType as NoneType
    from openai import NotFoundError as NotFoundError
    from openai import NotGiven as NotGiven
    from openai import OAuthError as OAuthError
    from openai import Omit as Omit
    from openai import OpenAIError as OpenAIError
    from openai import PermissionDeniedError as PermissionDeniedError
    from openai import ProxiesTypes as ProxiesTypes
    from openai import RateLimitError as RateLimitError
    from openai import ReconnectingEvent as ReconnectingEvent
    from openai import ReconnectingOverrides as ReconnectingOverrides
    from openai import RequestOptions as RequestOptions
    from openai import Stream as Stream
    from openai import Timeout as Timeout
    from openai import Transport as Transport
    from openai import UnprocessableEntityError as UnprocessableEntityError
    from openai import WebSocketConnectionClosedError as WebSocketConnectionClosedError
    from openai import WebSocketQueueFullError as WebSocketQueueFullError
    from openai import file_from_path as file_from_path
    from openai import not_given as not_given
    from openai import omit as omit
    from openai import types as types

Client = OpenAI
AsyncClient = AsyncOpenAI


def __getattr__(name: str) -> Any:
    return getattr(_sdk, name)
