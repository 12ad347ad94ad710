"""From a whole HTTP reply to a `Reply` or to the one error that fits."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import ProtocolError, ProviderError, RequestError
from trivet.types import RateLimits, Reply, Usage
from trivet.wire.openai_responses import decode

MakeBody = Callable[..., bytes]
JSON_TYPE = {"content-type": "application/json"}


def message(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(parts), **more}


def text(words: str) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": []}


def test_full_body(make_body: MakeBody) -> None:
    """Every field of a reply comes from its place in the body and the headers; the body is kept."""
    body = make_body()
    headers = {
        **JSON_TYPE,
        "x-request-id": "req_1",
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert decode(200, headers, body) == Reply(
        text="billing",
        status="completed",
        model="gpt-6-luna",
        id="resp_67cc",
        usage=Usage(input=36, output=87),
        tier="default",
        body=body,
        request_id="req_1",
        limits=RateLimits(limit_requests=60, reset_tokens=360.0),
    )


def test_usage_has_every_part(make_body: MakeBody) -> None:
    """Cached, written for 30 minutes and for 12 hours, and reasoning tokens are told apart."""
    usage = {
        "input_tokens": 5000,
        "input_tokens_details": {
            "cached_tokens": 1024,
            "cache_write_tokens": 300,
            "cache_write_tokens_details": {"ttl_30m_tokens": 100, "ttl_12h_tokens": 200},
        },
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 40},
        "total_tokens": 5050,
    }
    assert decode(200, {}, make_body(usage=usage)).usage == Usage(
        input=5000, cached_input=1024, cache_write=100, cache_write_12h=200, output=50, reasoning=40
    )
    del usage["input_tokens_details"]["cache_write_tokens_details"]  # type: ignore[attr-defined]
    found = decode(200, {}, make_body(usage=usage)).usage
    assert found is not None
    assert (found.cache_write, found.cache_write_12h) == (300, 0)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        (..., None),
        ({}, None),
        ({"input_tokens": 3}, None),
        ({"prompt_tokens": 3, "completion_tokens": 4}, None),
        ({"input_tokens": 3, "output_tokens": 4}, Usage(input=3, output=4)),
        (
            {
                "input_tokens": 3,
                "output_tokens": 4,
                "input_tokens_details": None,
                "output_tokens_details": None,
            },
            Usage(input=3, output=4),
        ),
        (
            {"input_tokens": 3, "output_tokens": 4, "input_tokens_details": {"cached_tokens": None}},
            Usage(input=3, output=4),
        ),
        ({"input_tokens": 3, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 9}}, None),
    ],
)
def test_usage_of_compatible_servers(make_body: MakeBody, usage: Any, expected: Usage | None) -> None:
    """Missing details are zero; a usage that can't be billed by is unknown, never zero."""
    assert decode(200, {}, make_body(usage=usage)).usage == expected


def test_the_least_body_is_enough() -> None:
    """A compatible server may leave out everything but the output."""
    reply = decode(200, {}, json.dumps({"output": [message(text("hi"))]}).encode())
    assert (reply.text, reply.status, reply.model, reply.id, reply.usage) == ("hi", "completed", "", "", None)


@pytest.mark.parametrize("status", ["completed", "in_progress", "cancelled", "queued", "incomplete", "a_new_one"])
def test_status_is_passed_on(make_body: MakeBody, status: str) -> None:
    """Whatever is not failed is a reply with the provider's own status."""
    assert decode(200, {}, make_body(status=status)).status == status


@pytest.mark.parametrize("reason", ["max_output_tokens", "max_messages", "content_filter", "steered"])
def test_incomplete_reason(make_body: MakeBody, reason: str) -> None:
    """Why an answer is incomplete is on the reply, also where the status is left out."""
    for status in ("incomplete", ...):
        reply = decode(200, {}, make_body(status=status, incomplete_details={"reason": reason}))
        assert (reply.status, reply.reason) == ("incomplete", reason)


def test_reason_from_the_error(make_body: MakeBody) -> None:
    """A cancelled response that says why has the error's code for its reason."""
    body = make_body(status="cancelled", error={"code": "server_error", "message": "stopped"}, output=[])
    assert decode(200, {}, body).reason == "server_error"


def test_texts_are_joined(make_body: MakeBody) -> None:
    """All text parts of all messages are the answer, in order."""
    output = [message(text("a"), text("b")), {"type": "reasoning", "summary": []}, message(text("c"))]
    reply = decode(200, {}, make_body(output=output))
    assert (reply.text, reply.has_other_output, reply.refusal) == ("abc", False, None)


def test_commentary_is_not_the_answer(make_body: MakeBody) -> None:
    """Commentary counts only where there is no final answer."""
    aside, final = message(text("hmm"), phase="commentary"), message(text("yes"), phase="final_answer")
    assert decode(200, {}, make_body(output=[aside, final])).text == "yes"
    assert decode(200, {}, make_body(output=[aside])).text == "hmm"


def test_refusal(make_body: MakeBody) -> None:
    """A refusal is not text."""
    part = {"type": "refusal", "refusal": "I can't help with that."}
    reply = decode(200, {}, make_body(output=[message(part)]))
    assert (reply.text, reply.refusal) == ("", "I can't help with that.")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([], False),
        ([{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "x"}]}], False),
        ([{"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}], True),
        ([{"type": "shell_call_output", "content": "a text, not a list"}], True),
        ([message({"type": "output_audio", "data": "x"})], True),
        ([message(content=None)], False),
    ],
)
def test_other_output(make_body: MakeBody, output: list[Any], expected: bool) -> None:
    """Tool calls and parts of other kinds are noticed, reasoning is not counted among them."""
    reply = decode(200, {}, make_body(output=output))
    assert (reply.text, reply.has_other_output) == ("", expected)


def test_simulated(make_body: MakeBody) -> None:
    """The simulated provider is known by its header, and only by it."""
    assert decode(200, {"x-trivet-simulated": "s; seed=1"}, make_body()).simulated
    assert not decode(200, {}, make_body()).simulated


@pytest.mark.parametrize("words", ["😀👨‍👩‍👧", "שלום \u202eمرحبا", "\x00\u2028", "x" * 3_000_000])
def test_any_text_is_read(make_body: MakeBody, words: str) -> None:
    """Emoji, right-to-left, control characters and megabytes come back as the model wrote them."""
    assert decode(200, {}, make_body(output=[message(text(words))])).text == words


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        ("server_error", True),
        ("rate_limit_exceeded", True),
        ("vector_store_timeout", True),
        ("invalid_prompt", False),
        ("data_residency_mismatch", False),
        ("bio_policy", False),
        ("misalignment_policy_violation", False),
        ("context_length_exceeded", False),
        ("invalid_image", False),
        ("image_too_large", False),
        ("unsupported_image_media_type", False),
        ("empty_image_file", False),
        ("failed_to_download_image", False),
        ("image_file_not_found", False),
        ("never_heard_of", False),
    ],
)
def test_a_failed_response_raises(make_body: MakeBody, code: str, retryable: bool) -> None:
    """Status failed is the error its code says, possibly billed, with the usage where it was told."""
    body = make_body(status="failed", error={"code": code, "message": "so it went"}, output=[])
    with pytest.raises(ProviderError) as caught:
        decode(200, {"x-request-id": "req_9"}, body)
    error = caught.value
    assert (error.code, error.retryable, error.fatal) == (code, retryable, False)
    assert (error.status, error.request_id, error.possibly_billed) == (200, "req_9", True)
    assert error.usage == Usage(input=36, output=87)
    assert "so it went" in str(error)


def test_every_code_of_the_sdk_has_a_rule() -> None:
    """No code of the SDK's list of failures is unknown here."""
    from typing import get_args

    from trivet.wire.error_rules import BY_CODE

    module = pytest.importorskip("openai.types.responses.response_error")
    assert set(get_args(module.ResponseError.model_fields["code"].annotation)) <= set(BY_CODE)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "failed", "error": None},
        {"status": "failed", "error": ..., "output": ..., "usage": None},
        {"status": ..., "error": {"message": "broken"}},
        {"status": "completed", "error": "broken"},
    ],
)
def test_a_failure_without_a_code_may_be_retried(make_body: MakeBody, changes: dict[str, Any]) -> None:
    """A response that failed without saying why, or is called completed with an error, is no answer."""
    with pytest.raises(ProviderError) as caught:
        decode(200, {}, make_body(**changes))
    assert (caught.value.code, caught.value.retryable) == ("server_error", True)


def test_an_error_body_under_200() -> None:
    """An error object under a good status is that error."""
    error = {"message": "Your input exceeds the context window of this model.", "param": "input"}
    with pytest.raises(ProviderError) as caught:
        decode(200, {}, json.dumps({"error": {**error, "code": "context_length_exceeded"}}).encode())
    assert (caught.value.code, caught.value.param, caught.value.retryable) == (
        "context_length_exceeded",
        "input",
        False,
    )
    with pytest.raises(ProviderError, match="no such thing"):
        decode(200, {}, b'{"object":"error","message":"no such thing","code":400}')


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"<!DOCTYPE html><html>hello", "does not look like an API"),
        (b"\xef\xbb\xbf <html>", "does not look like an API"),
        (b'{"output": [', "JSON is broken"),
        (b"upstream connect error", "JSON is broken"),
        (b"[]", "wrong type"),
        (b"null", "wrong type"),
        (b'"text"', "wrong type"),
        (b"{}", "no output"),
        (b'{"status":"completed","output":null}', "no output"),
        (b'{"output":"hi"}', "wrong type"),
        (b'{"output":[{"type":"message","content":"hi"}]}', "wrong type"),
        (b'{"output":[],"usage":{"input_tokens":"3"}}', "usage.input_tokens"),
        (b'{"output":[],"usage":{"input_tokens":-3}}', "usage.input_tokens"),
        (b'{"output":[],"model":5}', "$.model"),
        (b'{"output":[{"type":"message","content":[{"type":"output_text","text":null}]}]}', "wrong type"),
        (b'{"output":[],"id":"\xff"}', "UTF-8"),
        (b'{"other":' + b"[" * 200_000, "nested too deep"),
    ],
)
def test_what_is_not_a_response(body: bytes, words: str) -> None:
    """The error says what came in its place, with the content type and the beginning."""
    with pytest.raises(ProtocolError) as caught:
        decode(200, {"content-type": "text/odd"}, body)
    assert words in str(caught.value)
    assert "content-type text/odd" in str(caught.value)
    came_whole = words in ("does not look like an API", "wrong type", "no output", "usage.input_tokens", "$.model")
    assert caught.value.retryable is not came_whole, "what the server meant will come again"
    assert len(str(caught.value)) < 400


def test_another_apis_answer_stops_the_run() -> None:
    """A chat completion comes from a server that would bill every further one in the same wrong form."""
    with pytest.raises(ProtocolError, match=r"it is a chat\.completion; check base_url") as caught:
        decode(200, JSON_TYPE, b'{"object":"chat.completion","choices":[]}')
    assert (caught.value.retryable, caught.value.fatal) == (False, True)


def test_the_excerpt_is_safe() -> None:
    """Control characters, line ends and keys don't get from a body into a message."""
    with pytest.raises(ProtocolError) as caught:
        decode(200, {"content-type": "a\r\nb"}, b"\x1b[31mred\r\n\x00 sk-proj-abcdefgh1234 " + b"x" * 9999)
    said = str(caught.value)
    assert said.isprintable()
    assert "sk-proj" not in said
    assert len(said) < 300


@pytest.mark.parametrize("status", [301, 302, 307, 308, 300, 304])
def test_redirects_are_fatal(status: int) -> None:
    """A redirect means a wrong base_url; its target is shown without its query."""
    with pytest.raises(ProtocolError, match=r"redirects are not followed.*check base_url") as caught:
        decode(status, {"location": "https://user:pw@example.org/v2/x?key=secret"}, b"")
    assert (caught.value.retryable, caught.value.fatal, caught.value.possibly_billed) == (False, True, False)
    assert "https://example.org/v2/x;" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("location", ["", "http://[", "//", "\x00", "/elsewhere"])
def test_odd_redirects(location: str) -> None:
    """A broken location is no reason to fail in another way."""
    with pytest.raises(ProtocolError, match="redirects are not followed"):
        decode(302, {"location": location}, b"")


@given(st.binary(), st.integers(0, 999), st.dictionaries(st.text(), st.text()))
def test_bytes_never_break_it(body: bytes, status: int, headers: dict[str, str]) -> None:
    """Whatever comes, there is a reply or one of our errors."""
    with contextlib.suppress(RequestError):
        decode(status, headers, body)


@given(value=st.recursive(st.none() | st.integers() | st.text(), st.lists), data=st.data())
def test_no_field_of_the_wrong_type_breaks_it(full_response: dict[str, Any], value: Any, data: st.DataObject) -> None:
    """Any field may hold anything, and the body may be cut anywhere."""
    name = data.draw(st.sampled_from(sorted(full_response)))
    body = json.dumps({**full_response, name: value}).encode()
    body = body[: data.draw(st.integers(0, len(body)))]
    with contextlib.suppress(RequestError):
        decode(200, JSON_TYPE, body)
