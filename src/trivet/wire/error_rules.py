"""The table of errors: what each means, whether asking again can help, and what to do about it.

Source: the provider's documentation and OpenAPI file (August to November 2026), and what its own SDK
retries. Unlike the SDK, which goes by the status alone, a 429 that waits for a payment is not retried.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Retry = Literal["yes", "no", "never"]
"""`no` gives way to the server's `x-should-retry: true`; `never` is what cannot succeed as it stands."""


class Rule(Struct, frozen=True):
    """One kind of error. `fatal`: no other request of this account or server can succeed either."""

    what: str
    advice: str
    retry: Retry = "no"
    fatal: bool = False


KEY = Rule(
    "the server refused the API key",
    "check OPENAI_API_KEY, and that base_url is the server the key belongs to",
    "never",
    True,
)
ACCOUNT = Rule(
    "the server refused this account",
    "check the organization, the project and the permissions of the key",
    "never",
    True,
)
FORBIDDEN = Rule(
    "the server does not allow this",
    "check what the key, its project and this country may use",
    "never",
    True,
)
MODEL = Rule(
    "the model does not exist here or this key may not use it",
    "check the model's name, base_url and the project of the key",
    "never",
    True,
)
URL = Rule(
    "nothing answers at this URL",
    "check base_url, which usually ends in /v1, and that the server knows the Responses API",
    "never",
    True,
)
MISSING = Rule("what the request refers to does not exist", "check the ids in the request", "never")
QUOTA = Rule(
    "the account's credit or spending limit is used up",
    "add credit or raise the limit in the account's billing settings, then resume",
    "never",
    True,
)
RATE = Rule("the rate limit is reached", "send fewer requests or tokens a minute", "yes")
SLOW_DOWN = Rule("traffic grew too fast", "send more slowly, and grow by at most half in 15 minutes", "yes")
TOO_LARGE_FOR_LIMIT = Rule(
    "the request alone is larger than the limit of tokens a minute",
    "shorten the input or lower max_output_tokens",
    "never",
)
FLEX = Rule("the tier has no resources free", "try again later or use the default service_tier", "yes")
OVERLOADED = Rule("the server is overloaded", "try again later", "yes")
SERVER = Rule("the server failed", "try again", "yes")
GATEWAY = Rule("a gateway got no answer from the server behind it", "try again", "yes")
TIMEOUT = Rule("the server gave up waiting", "try again", "yes")
CONFLICT = Rule("the request met another one in progress", "try again", "yes")
CONTEXT = Rule(
    "the input does not fit the model's context window",
    "shorten the input, or let the provider drop its start with truncation = 'auto'",
    "never",
)
SCHEMA = Rule("the output schema was refused", "correct the schema of the output", "never")
BODY_TOO_LARGE = Rule("the request's body is too large", "send less in one request", "never")
UNPROCESSABLE = Rule("the server can't process the request", "correct the request's fields", "never")
INVALID = Rule("the request was refused as invalid", "correct the request's fields")
POLICY = Rule("the input was refused by the provider's policy", "change the input", "never")
IMAGE = Rule("an image in the input can't be used", "check the image and its URL", "never")
REGION = Rule(
    "the data of this request may not be processed in this region",
    "check the project's data residency and base_url",
    "never",
)
UNKNOWN = Rule("the server reported an error", "see what it said")

BY_CODE: dict[str, Rule] = {
    "invalid_api_key": KEY,
    "authentication_error": KEY,
    "account_deactivated": ACCOUNT,
    "insufficient_quota": QUOTA,
    "credit_balance_exhausted": QUOTA,
    "organization_spend_limit_exceeded": QUOTA,
    "project_spend_limit_exceeded": QUOTA,
    "organization_usage_limit_exceeded": QUOTA,
    "billing_hard_limit_reached": QUOTA,
    "billing_not_active": QUOTA,
    "rate_limit_exceeded": RATE,
    "rate_limit_error": RATE,
    "slow_down": SLOW_DOWN,
    "request_too_large": TOO_LARGE_FOR_LIMIT,
    "resource_unavailable": FLEX,
    "server_is_overloaded": OVERLOADED,
    "service_unavailable_error": OVERLOADED,
    "overloaded_error": OVERLOADED,
    "server_error": SERVER,
    "internal_error": SERVER,
    "internal_server_error": SERVER,
    "vector_store_timeout": TIMEOUT,
    "context_length_exceeded": CONTEXT,
    "invalid_json_schema": SCHEMA,
    "model_not_found": MODEL,
    "unsupported_country_region_territory": FORBIDDEN,
    "invalid_prompt": POLICY,
    "content_policy_violation": POLICY,
    "content_filter": POLICY,
    "bio_policy": POLICY,
    "misalignment_policy_violation": POLICY,
    "image_content_policy_violation": POLICY,
    "data_residency_mismatch": REGION,
    "invalid_image": IMAGE,
    "invalid_image_format": IMAGE,
    "invalid_base64_image": IMAGE,
    "invalid_image_url": IMAGE,
    "invalid_image_mode": IMAGE,
    "image_too_large": IMAGE,
    "image_too_small": IMAGE,
    "image_parse_error": IMAGE,
    "image_file_too_large": IMAGE,
    "unsupported_image_media_type": IMAGE,
    "empty_image_file": IMAGE,
    "failed_to_download_image": IMAGE,
    "image_file_not_found": IMAGE,
}
"""By the error's `code`, or by its `type` where the code says nothing."""

BY_STATUS: dict[int, Rule] = {
    400: INVALID,
    401: KEY,
    402: QUOTA,
    403: FORBIDDEN,
    404: URL,
    405: URL,
    408: TIMEOUT,
    409: CONFLICT,
    413: BODY_TOO_LARGE,
    422: UNPROCESSABLE,
    429: RATE,
    502: GATEWAY,
    503: OVERLOADED,
    504: GATEWAY,
    529: OVERLOADED,
}


def rule_for(status: int | None, code: str | None, type: str | None) -> Rule:
    """The rule by code, then type, then status; `status` is None where the error came inside an answer.

    Where the status is about the account (401, 402, 403) only a code that is as final overrules it.
    An error inside an answer that names no code at all is the server's failure.
    """
    by_code = BY_CODE.get(code or "") or BY_CODE.get(type or "")
    if status in (401, 402, 403) and not (by_code and by_code.retry == "never"):
        return ACCOUNT if status == 401 and code else BY_STATUS[status]
    if by_code is not None:
        return by_code
    if status is None:
        return UNKNOWN if code else SERVER
    if status >= 500:
        return BY_STATUS.get(status, SERVER)
    return BY_STATUS.get(status, INVALID)
