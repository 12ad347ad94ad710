"""What an error says: keys masked, short, printable; and garbage that must not hurt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import ProviderError
from trivet.wire.provider_errors import failure, provider_error


def body(message: str, type: str | None = None, code: str | None = None, param: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": type, "param": param, "code": code}}).encode()


def error(status: int, said: bytes = b"", **headers: str) -> ProviderError:
    return provider_error(status, {k.replace("_", "-"): v for k, v in headers.items()}, said)


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 502])
@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-Ab_c1234567890",
        "sk-abc***xyz",
        "gsk_0123456789abcdef",
        "hf_abcdefghijkl",
        "0123456789abcdef0123456789abcdef",
        "eyJhbGciOiJI.eyJzdWIiOiIx.sig_na-ture",
    ],
)
def test_keys_are_masked(status: int, key: str) -> None:
    """A key that a server echoes is not in the message, in whichever shape the body is."""
    for said in (
        body(f"Incorrect API key provided: {key}. You can find your key at https://x.org"),
        body("bad", None, None, f"header {key}"),
        f"<html>401 for {key}</html>".encode(),
        f"plain {key}, sorry".encode(),
    ):
        assert key not in str(error(status, said))
        assert key[:12] not in str(error(status, said))


def test_a_key_of_any_shape_is_masked_where_it_is_named() -> None:
    """ "API key provided: X" and "Bearer X" hide X, whatever it looks like."""
    for words in (
        "Invalid API key: hunter2",
        "got 'Bearer hunter2'",
        '{"api_key": "hunter2"}',
        "Access token = hunter2",
    ):
        assert "hunter2" not in str(error(403, body(words)))
    assert "hunter2" not in str(error(401, body("we do not know hunter2")))


def test_ids_and_models_are_not_masked() -> None:
    """What helps to find the cause stays readable."""
    words = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b task-force-one gpt-5.4-mini-2026-03-17"
    assert words in str(error(400, body(words)))


def test_messages_are_short_and_printable() -> None:
    """No control character, no direction override, no megabyte gets into a message."""
    found = error(
        500,
        body("\x1b[31m\r\n\u202e" + "é😀" * 500_000, "t" * 99, "c\n", "p" * 9999),
        x_request_id="r\n" * 999,
    )
    assert str(found).isprintable()
    assert len(str(found)) < 700
    assert (found.type, found.code) == (None, "http_500")
    assert len(found.request_id or "") <= 128


@given(st.integers(400, 999), st.binary() | st.text().map(str.encode), st.dictionaries(st.text(), st.text()))
def test_garbage(status: int, said: bytes, headers: dict[str, str]) -> None:
    """Any body makes an error of one printable line that names the status."""
    found = provider_error(status, headers, said)
    assert str(found).isprintable()
    assert str(status) in str(found)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["error", "message", "detail", "code", "type", "param", "loc", "msg"]), x)
        ),
    )
)
def test_any_json(value: Any) -> None:
    """Any JSON where an error was expected is still an error, as a body and inside an answer."""
    said = json.dumps(value).encode()
    assert str(error(400, said)).isprintable()
    assert failure(said, status=None).possibly_billed


@pytest.mark.parametrize(
    "said", [b"[" * 200_000, b"<script" * 100_000, b"<" * 1_000_000, b"\xff" * 1_000_000, b"{" * 9]
)
def test_hostile_bodies_are_cheap(said: bytes) -> None:
    """Deep, long and half-open bodies are read in a moment."""
    assert error(502, said).code == "http_502"
