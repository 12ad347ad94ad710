"""Counting input tokens at the provider."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import ProtocolError, ProviderError, RequestError, UsageError
from trivet.wire.input_tokens import COUNTED, decode, encode


def test_only_what_counts_is_sent() -> None:
    """Fields that the endpoint does not take are left out, the others sent as they are."""
    fields = {"model": "m", "input": "hi", "max_output_tokens": 9, "stream": True, "reasoning": None}
    assert json.loads(encode(fields)) == {"model": "m", "input": "hi", "reasoning": None}
    assert encode({"stream": True}) == b"{}"


def test_the_fields_are_the_sdks() -> None:
    """The list is the installed SDK's, and `prompt`, which the server may refuse but we must not ignore."""
    params = pytest.importorskip("openai.types.responses.input_token_count_params")
    assert {*params.InputTokenCountParams.__annotations__, "prompt"} == COUNTED


def test_what_cannot_be_sent_is_refused() -> None:
    """The same rules as for a request hold."""
    with pytest.raises(UsageError, match="input"):
        encode({"input": {1}})


def test_count() -> None:
    """The number is the answer."""
    assert decode(200, {}, b'{"object":"response.input_tokens","input_tokens":42}') == 42


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"<html>", b'{"input_tokens":"42"}', b'{"input_tokens":-1}', b'{"input_tokens":null}'],
)
def test_no_count(body: bytes) -> None:
    """What is no count is an error, never a zero."""
    with pytest.raises(ProtocolError):
        decode(200, {}, body)


def test_errors_are_the_same() -> None:
    """An error status is mapped as for a request."""
    with pytest.raises(ProviderError, match="check OPENAI_API_KEY"):
        decode(401, {}, b"")


@given(st.integers(0, 999), st.binary())
def test_bytes_never_break_a_count(status: int, body: bytes) -> None:
    """Whatever comes, there is a number or one of our errors."""
    with contextlib.suppress(RequestError):
        assert decode(status, {}, body) >= 0
