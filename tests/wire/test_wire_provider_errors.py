"""Every row of the provider's table of errors, and the shapes of compatible servers and proxies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trivet.errors import ProviderError
from trivet.wire.provider_errors import failure, provider_error

RATE = (
    "Rate limit reached for gpt-4.1 in organization org-X on tokens per min (TPM): Limit 30000, Used 18928, "
    "Requested 11159. Please try again in 174ms. Visit https://platform.openai.com/account/rate-limits to "
    "learn more."
)
TOO_LARGE = (
    "Request too large for gpt-4.1 in organization org-X on tokens per min (TPM): Limit 30000, "
    "Requested 31538. The input or output tokens must be reduced in order to run successfully."
)


def body(message: str, type: str | None = None, code: str | None = None, param: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": type, "param": param, "code": code}}).encode()


def error(status: int, said: bytes = b"", **headers: str) -> ProviderError:
    return provider_error(status, {k.replace("_", "-"): v for k, v in headers.items()}, said)


# status, body, code, retryable, fatal, words of the message
TABLE: list[tuple[int, bytes, str, bool, bool, str]] = [
    (
        400,
        body("Invalid schema", "invalid_request_error", "invalid_json_schema", "text.format.schema"),
        "invalid_json_schema",
        False,
        False,
        "correct the schema",
    ),
    (
        400,
        body(
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "invalid_request_error",
            "context_length_exceeded",
            "input",
        ),
        "context_length_exceeded",
        False,
        False,
        "shorten the input",
    ),
    (
        400,
        body(
            "Invalid service_tier argument: The requested service tier is not allowed for this project.",
            "invalid_request_error",
            None,
            "service_tier",
        ),
        "invalid_request_error",
        False,
        False,
        "in service_tier",
    ),
    (
        400,
        body("Unsupported value: 'minimal'", "invalid_request_error", "unsupported_value", "reasoning.effort"),
        "unsupported_value",
        False,
        False,
        "in reasoning.effort",
    ),
    (
        400,
        body("The requested model 'gpt-9' does not exist.", "invalid_request_error", "model_not_found", "model"),
        "model_not_found",
        False,
        True,
        "the model 'gpt-9' does not exist here",
    ),
    (
        401,
        body("Incorrect API key provided: sk-abc***", "invalid_request_error", "invalid_api_key"),
        "invalid_api_key",
        False,
        True,
        "the server refused the API key (401 invalid_api_key): check OPENAI_API_KEY",
    ),
    (401, b"", "http_401", False, True, "check OPENAI_API_KEY"),
    (
        401,
        body("No such organization: org-1", "invalid_request_error", "invalid_organization"),
        "invalid_organization",
        False,
        True,
        "No such organization",
    ),
    (402, body("Insufficient Balance"), "http_402", False, True, "add credit"),
    (
        403,
        body(
            "Country, region, or territory not supported",
            "request_forbidden",
            "unsupported_country_region_territory",
        ),
        "unsupported_country_region_territory",
        False,
        True,
        "this country",
    ),
    (
        403,
        body(
            "Project `proj_1` does not have access to model `gpt-x`",
            "invalid_request_error",
            "model_not_found",
        ),
        "model_not_found",
        False,
        True,
        "the model 'gpt-x'",
    ),
    (
        403,
        body("flagged", None, "content_policy_violation"),
        "content_policy_violation",
        False,
        False,
        "policy",
    ),
    (
        404,
        body(
            "The model `gpt-9` does not exist or you do not have access to it.",
            "invalid_request_error",
            "model_not_found",
        ),
        "model_not_found",
        False,
        True,
        "the model 'gpt-9' does not exist here or this key may not use it (404 model_not_found)",
    ),
    (404, b'{"error":"model \'llama\' not found"}', "http_404", False, True, "the model 'llama'"),
    (
        404,
        body("Invalid URL (POST /responses)", "invalid_request_error"),
        "invalid_request_error",
        False,
        True,
        "/v1",
    ),
    (404, b"404 page not found", "http_404", False, True, "check base_url"),
    (
        404,
        body("Previous response with id 'resp_0123456789ab' not found.", "invalid_request_error"),
        "invalid_request_error",
        False,
        False,
        "check the ids",
    ),
    (
        404,
        body("Not found", "invalid_request_error", "previous_response_not_found", "previous_response_id"),
        "previous_response_not_found",
        False,
        False,
        "check the ids",
    ),
    (405, b'{"detail":"Method Not Allowed"}', "http_405", False, True, "check base_url"),
    (408, b"", "http_408", True, False, "try again"),
    (409, body("conflict"), "http_409", True, False, "try again"),
    (413, b"<html><body>413 Request Entity Too Large</body></html>", "http_413", False, False, "send less"),
    (
        422,
        b'{"detail":[{"loc":["body","input"],"msg":"field required"}]}',
        "http_422",
        False,
        False,
        "body.input",
    ),
    (429, body(RATE, "tokens", "rate_limit_exceeded"), "rate_limit_exceeded", True, False, "fewer requests"),
    (
        429,
        body("Rate limit reached", "requests", "rate_limit_exceeded"),
        "rate_limit_exceeded",
        True,
        False,
        "",
    ),
    (429, body(TOO_LARGE, "tokens", "rate_limit_exceeded"), "request_too_large", False, False, "shorten"),
    (429, body("Slow down", "rate_limit_error", "slow_down"), "slow_down", True, False, "grew too fast"),
    (429, b"", "http_429", True, False, "rate limit"),
    *(
        (
            429,
            body("You exceeded it", "insufficient_quota", code),
            code or "insufficient_quota",
            False,
            True,
            "credit",
        )
        for code in (
            None,
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
        )
    ),
    (429, body("Resource Unavailable"), "resource_unavailable", True, False, "default service_tier"),
    (500, body("The server had an error", "server_error"), "server_error", True, False, "the server failed"),
    (500, b"", "http_500", True, False, "the server failed"),
    (502, b"<html><head><title>502 Bad Gateway</title></head></html>", "http_502", True, False, "HTML page"),
    (
        503,
        body("Overloaded", "service_unavailable_error", "server_is_overloaded"),
        "server_is_overloaded",
        True,
        False,
        "overloaded",
    ),
    (503, b"no healthy upstream", "http_503", True, False, "no healthy upstream"),
    (504, b"", "http_504", True, False, "gateway"),
    (
        529,
        b'{"type":"error","error":{"type":"overloaded_error","message":"O"}}',
        "overloaded_error",
        True,
        False,
        "",
    ),
    (524, b"error code: 524", "http_524", True, False, ""),
    (418, b"", "http_418", False, False, ""),
]


@pytest.mark.parametrize(("status", "said", "code", "retryable", "fatal", "words"), TABLE)
def test_table(status: int, said: bytes, code: str, retryable: bool, fatal: bool, words: str) -> None:
    """Each kind of error has its code, whether a retry can help, whether the run must stop, and advice."""
    found = error(status, said, x_request_id="req_1")
    assert (found.status, found.code, found.request_id) == (status, code, "req_1")
    assert (found.retryable, found.fatal) == (retryable, fatal)
    assert words in str(found)
    assert f"({status}" in str(found)


def test_type_and_param() -> None:
    """Type and param are the server's own."""
    found = error(400, body("no", "invalid_request_error", "unknown_parameter", "bogus"))
    assert (found.type, found.param) == ("invalid_request_error", "bogus")


@pytest.mark.parametrize(
    ("status", "billed"),
    [
        (400, False),
        (401, False),
        (408, False),
        (429, False),
        (500, True),
        (502, True),
        (503, False),
        (504, True),
        (529, False),
    ],
)
def test_possibly_billed(status: int, billed: bool) -> None:
    """Refusals cost nothing; behind a broken server or gateway a model may have run."""
    assert error(status).possibly_billed is billed


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Sun, 22 Nov 2026 06:30:10 GMT", "date": "Sun, 22 Nov 2026 06:30:00 GMT"}, 10.0),
        ({"retry-after": "Sun, 22 Nov 2026 06:30:10 GMT"}, 4.0),
        ({"retry-after": "0"}, 0.174),
        ({"retry-after": "soon"}, 0.174),
        ({}, 0.174),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float) -> None:
    """Milliseconds, then seconds or a date, then what the message says."""
    now = 1795329006.0
    found = provider_error(429, headers, body(RATE, "tokens", "rate_limit_exceeded"), now)
    assert found.retry_after == pytest.approx(expected)


def test_no_wait_without_a_retry() -> None:
    """What is not to be retried has no time after which to do so."""
    assert error(401, b"", retry_after="5").retry_after is None


@pytest.mark.parametrize(
    ("status", "said", "asked", "retryable"),
    [
        (400, b"", "true", True),
        (400, b"", "false", False),
        (429, b"", "false", False),
        (500, b"", "false", False),
        (500, b"", "nonsense", True),
        (401, b"", "true", False),
        (429, body("q", "insufficient_quota"), "true", False),
        (429, body(TOO_LARGE), "true", False),
        (400, body("c", None, "context_length_exceeded"), "true", False),
    ],
)
def test_x_should_retry(status: int, said: bytes, asked: str, retryable: bool) -> None:
    """The server's word is taken, but what cannot succeed is never retried."""
    assert error(status, said, x_should_retry=asked).retryable is retryable


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"error": "it broke"}, "it broke"),
        ({"error": {"message": "it broke"}}, "it broke"),
        ({"error": {"error": {"message": "it broke"}}}, "it broke"),
        ({"message": "it broke"}, "it broke"),
        ({"Message": "it broke"}, "it broke"),
        ({"detail": "it broke"}, "it broke"),
        ({"detail": {"message": "it broke"}}, "it broke"),
        ({"detail": [{"loc": ["body", 0], "msg": "it broke", "input": "PROMPT"}, 3]}, "body.0: it broke"),
        ({"object": "error", "message": "it broke", "type": "BadRequestError", "code": 400}, "it broke"),
        ([{"error": {"code": 400, "message": "it broke", "status": "INVALID"}}], "it broke"),
        ({"error": {"message": "it broke", "code": "400"}}, "it broke"),
        ("it broke", "it broke"),
    ],
)
def test_compatible_shapes(said: Any, words: str) -> None:
    """The words are found wherever compatible servers put them; a number for a code is no code."""
    found = error(400, json.dumps(said).encode())
    assert str(found).endswith(words)
    assert found.code in ("http_400", "BadRequestError")
    assert "PROMPT" not in str(found)


def test_inside_an_answer() -> None:
    """An error of a stream has no status, may be billed, and may be retried as its code says."""
    found = failure(body(RATE, "tokens", "rate_limit_exceeded"), status=None, request_id="req_1")
    assert (found.status, found.code, found.request_id) == (None, "rate_limit_exceeded", "req_1")
    assert (found.retryable, found.possibly_billed, found.retry_after) == (True, True, pytest.approx(0.174))
    assert not failure(body(TOO_LARGE, "tokens", "rate_limit_exceeded"), status=None).retryable
