"""The provider's errors, in its documented words and with all four fields of the body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Refusal(Exception):
    """The provider's answer to a request that it does not carry out: HTTP status and error body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def fields(self) -> dict[str, str | None]:
        """The inside of the `error` object."""
        return {"message": self.message, "type": self.type, "param": self.param, "code": self.code}

    def body(self) -> bytes:
        """The whole body, as JSON."""
        return msgspec.json.format(msgspec.json.encode({"error": self.fields()}), indent=2)


_TOO_LARGE = "The input or output tokens must be reduced in order to run successfully."
_VISIT = "Visit https://platform.openai.com/account/rate-limits to learn more."
ORGANISATION = "org-simulated"
QUOTA_CODES = (
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
)


def duration(seconds: float) -> str:
    """As Go prints durations, and so the provider: `174ms`, `1.5s`, `6m0s`."""
    milliseconds = max(0, round(seconds * 1000))
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def missing(param: str) -> Refusal:
    """A required field is not there."""
    message = f"Missing required parameter: '{param}'."
    return Refusal(400, message, code="missing_required_parameter", param=param)


def unknown(param: str) -> Refusal:
    """A field that the API does not have."""
    return Refusal(400, f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param)


def wrong_type(param: str, expected: str, value: object) -> Refusal:
    """A field of the wrong JSON type."""
    message = f"Invalid type for '{param}': expected {expected}, but got {_a_json_type(value)} instead."
    return Refusal(400, message, code="invalid_type", param=param)


def wrong_value(param: str, value: object, supported: Iterable[str]) -> Refusal:
    """A field outside of its enumeration."""
    message = f"Invalid value: '{value}'. Supported values are: {_list(supported)}."
    return Refusal(400, message, code="invalid_value", param=param)


def unsupported_value(param: str, value: str, model: str, supported: Iterable[str]) -> Refusal:
    """A value that this model does not take."""
    message = (
        f"Unsupported value: '{value}' is not supported with the '{model}' model. "
        f"Supported values are: {_list(supported)}."
    )
    return Refusal(400, message, code="unsupported_value", param=param)


def unsupported_parameter(param: str) -> Refusal:
    """A field that this model does not take."""
    message = f"Unsupported parameter: '{param}' is not supported with this model."
    return Refusal(400, message, code="unsupported_parameter", param=param)


def out_of_range(param: str, value: float, low: float, high: float) -> Refusal:
    """A number below its minimum or above its maximum."""
    kind = "integer" if isinstance(value, int) else "decimal"
    below = value < low
    word, sign, bound = ("below minimum", ">=", low) if below else ("above maximum", "<=", high)
    message = f"Invalid '{param}': {kind} {word} value. Expected a value {sign} {bound:g}, but got {value} instead."
    code = f"{kind}_{'below_min' if below else 'above_max'}_value"
    return Refusal(400, message, code=code, param=param)


def not_json() -> Refusal:
    """The body is not JSON."""
    return Refusal(
        400,
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't "
        "using your HTTP "
        "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
    )


def no_key() -> Refusal:
    """No Authorization header."""
    return Refusal(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using "
        "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    )


def no_such_model(name: str) -> Refusal:
    """The model does not exist."""
    message = f"The model `{name}` does not exist or you do not have access to it."
    return Refusal(404, message, code="model_not_found")


def no_such_url(method: str, path: str) -> Refusal:
    """Nothing lives at that path."""
    return Refusal(404, f"Invalid URL ({method} {path})")


def no_such_response(response_id: str) -> Refusal:
    """No stored response of that id."""
    return Refusal(404, f"Response with id '{response_id}' not found.")


def not_allowed(method: str, allowed: str) -> Refusal:
    """The path exists, the method does not."""
    return Refusal(405, f"Not allowed to {method} on this path.", headers={"allow": allowed})


def too_big() -> Refusal:
    """The body is over the limit of bytes."""
    return Refusal(413, "Maximum content size limit exceeded.", code="request_too_large")


def context_overflow() -> Refusal:
    """More input than the model's context window holds."""
    return Refusal(
        400,
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        code="context_length_exceeded",
        param="input",
    )


def bad_schema(name: str, context: tuple[str, ...], what: str) -> Refusal:
    """A strict JSON Schema breaks the rules of the dialect."""
    where = "(" + ", ".join(f"'{step}'" for step in context) + ("," if len(context) == 1 else "") + ")"
    return Refusal(
        400,
        f"Invalid schema for response_format '{name}': In context={where}, {what}",
        code="invalid_json_schema",
        param="text.format.schema",
    )


def no_such_tier() -> Refusal:
    """The service tier is not offered for the model."""
    return Refusal(
        400,
        "Invalid service_tier argument: The requested service tier is not allowed for this project.",
        param="service_tier",
    )


def rate_limited(model: str, kind: str, *, limit: int, used: int, requested: int, wait: float) -> Refusal:
    """Over a limit; `kind` is `requests` or `tokens`."""
    unit = "requests per min (RPM)" if kind == "requests" else "tokens per min (TPM)"
    message = (
        f"Rate limit reached for {model} in organization {ORGANISATION} on {unit}: Limit {limit}, "
        f"Used {used}, "
        f"Requested {requested}. Please try again in {duration(wait)}. {_VISIT}"
    )
    return Refusal(429, message, type=kind, code="rate_limit_exceeded")


def too_large_for_limit(model: str, *, limit: int, requested: int) -> Refusal:
    """A single request over the limit of tokens a minute: it never succeeds."""
    message = (
        f"Request too large for {model} in organization {ORGANISATION} on tokens per min (TPM): "
        f"Limit {limit}, "
        f"Requested {requested}. {_TOO_LARGE} {_VISIT}"
    )
    return Refusal(429, message, type="tokens", code="rate_limit_exceeded")


def slow_down() -> Refusal:
    """Traffic grew too fast."""
    return Refusal(
        429,
        "Slow down: your request rate is increasing too quickly. Please reduce it to its earlier "
        "level and ramp "
        "up gradually.",
        type="rate_limit_error",
        code="slow_down",
    )


def no_quota(code: str) -> Refusal:
    """The account may not spend more."""
    return Refusal(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        type="insufficient_quota",
        code=code,
    )


def no_flex() -> Refusal:
    """The flex tier has no room; not charged."""
    return Refusal(429, "Resource Unavailable", type="rate_limit_error", code="resource_unavailable")


def server_error(request_id: str) -> Refusal:
    """Something broke at the provider."""
    return Refusal(
        500,
        "The server had an error while processing your request. Sorry about that! You can retry "
        "your request. "
        f"(Please include the request ID {request_id} in your message.)",
        type="server_error",
        code="server_error",
    )


def overloaded() -> Refusal:
    """The model is overloaded."""
    return Refusal(
        503,
        "The server is currently overloaded with other requests. Please try again later.",
        type="service_unavailable_error",
        code="server_is_overloaded",
    )


def _list(values: Iterable[str]) -> str:
    quoted = [f"'{value}'" for value in values]
    return ", ".join(quoted[:-1]) + (", and " if len(quoted) > 1 else "") + quoted[-1] if quoted else "none"


def _a_json_type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a decimal"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
