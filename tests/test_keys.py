"""Cache keys: everything that can change an answer is in them, and no secret is."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from trivet.keys import Keys
from trivet.settings import Endpoint
from trivet.types import Request
from trivet.wire import openai_responses

FIELDS: dict[str, Any] = {
    "model": "gpt-5.4-mini",
    "instructions": "Be brief.",
    "input": "ticket 😀 שלום",
    "max_output_tokens": 16,
    "temperature": 0.5,
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"a": 1, "b": 2}}},
    "metadata": {"who": "me"},
    "stream": True,
}


def request(**fields: Any) -> Request:
    head, tail = openai_responses.encode(FIELDS | fields)
    return Request(head=head, tail=tail, model="gpt-5.4-mini", accept=lambda _: None)


def key(asked: Request, **endpoint: Any) -> bytes:
    return Keys(Endpoint(**({"base_url": "https://a.example/v1"} | endpoint))).key(asked)


def test_a_key_is_a_digest_of_32_bytes_that_never_changes() -> None:
    asked = Request(head=b'{"model":"m"', tail=b"}", model="m", accept=lambda _: None)
    parts = [b"trivet/1", b"https://a.example/v1/responses", b"org\nproj", b"exact", b"0", b"0", asked.head]
    expected = sha256(b"\0".join(parts)).digest()
    assert key(asked, organization="org", project="proj") == expected
    assert len(expected) == 32


@given(st.data())
def test_any_changed_byte_of_the_head_changes_the_key(data: st.DataObject) -> None:
    asked = request()
    place = data.draw(st.integers(0, len(asked.head) - 1))
    changed = bytearray(asked.head)
    changed[place] ^= data.draw(st.integers(1, 255))
    assert key(replace(asked, head=bytes(changed))) != key(asked)
    assert key(replace(asked, head=asked.head[:place])) != key(asked)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_what_is_only_in_the_tail_changes_nothing(one: bytes, other: bytes) -> None:
    assert key(replace(request(), tail=one)) == key(replace(request(), tail=other))


@pytest.mark.parametrize(
    "changes",
    [
        {"sample": 1},
        {"version": 1},
        {"version": -1},
        {"path": "/responses/compact"},
        {"fold": b"x"},
        {"fold": request().head},
    ],
)
def test_sample_version_path_and_fold_separate_keys(changes: dict[str, Any]) -> None:
    assert key(replace(request(), **changes)) != key(request())


def test_sample_and_version_are_not_mistaken_for_one_another() -> None:
    pairs = {(sample, version) for sample in (0, 1, 11) for version in (0, 1, 11)}
    assert len({key(replace(request(), sample=s, version=v)) for s, v in pairs}) == len(pairs)


def test_a_folded_key_depends_on_the_fold_alone() -> None:
    one = replace(request(input="a  b"), fold=b"folded")
    other = replace(request(input="a b"), fold=b"folded")
    assert key(one) == key(other)


@pytest.mark.parametrize(
    "endpoint",
    [
        {"base_url": "http://a.example/v1"},
        {"base_url": "https://a.example:8443/v1"},
        {"base_url": "https://b.example/v1"},
        {"base_url": "https://a.example/v2"},
        {"organization": "org"},
        {"project": "org"},
        {"organization": "a/b"},
        {"organization": "a", "project": "b"},
        {"simulated": "s1"},
        {"simulated": "s2"},
    ],
)
def test_origin_and_scope_separate_keys(endpoint: dict[str, Any]) -> None:
    others = [{}, {"organization": "a", "project": "b/"}, {"organization": "a/b", "project": "c"}]
    assert key(request(), **endpoint) not in [key(request(), **other) for other in others]


def test_the_api_key_is_never_part_of_it() -> None:
    assert key(request(), api_key="sk-one") == key(request(), api_key="sk-two") == key(request())


def test_a_trailing_slash_is_the_same_server() -> None:
    assert key(request(), base_url="https://a.example/v1/") == key(request())


def test_a_simulated_server_is_known_by_its_identity_and_not_by_its_port() -> None:
    one = key(request(), base_url="http://127.0.0.1:5001/v1", simulated="s1")
    other = key(request(), base_url="http://127.0.0.1:5002/v1", simulated="s1")
    assert one == other


SCHEMA_FIELDS = [
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "reasoning",
    "text",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "store",
    "stream",
    "stream_options",
    "background",
    "background_options",
    "truncation",
    "top_logprobs",
    "include",
    "parallel_tool_calls",
    "max_tool_calls",
    "tool_choice",
    "tools",
    "metadata",
    "safety_identifier",
    "user",
    "moderation",
    "conversation",
    "previous_response_id",
    "prompt",
    "context_management",
    "access_programs",
    "image",
    "temperature",
    "top_p",
    "a_field_of_next_year",
]


@pytest.mark.parametrize("name", SCHEMA_FIELDS)
def test_every_field_of_the_request_changes_the_key_or_is_on_the_list_of_neutral_ones(name: str) -> None:
    """The fields of the provider's documentation, November 2026."""
    without = {field: value for field, value in FIELDS.items() if field != name}
    keys = set()
    for value in ("one", "two"):
        head, tail = openai_responses.encode(without | {name: value})
        keys.add(key(Request(head=head, tail=tail, model="m", accept=lambda _: None)))
    # a neutral field that is no plain text stays neutral only in the form the documentation gives it
    if name in ("stream_options", "prompt_cache_options"):
        assert len(keys) == 2
    else:
        assert (len(keys) == 1) is (name in openai_responses.NEUTRAL)


def test_the_order_of_a_schema_s_fields_is_part_of_the_question_and_that_of_the_body_is_not() -> None:
    swapped = {"format": {"type": "json_schema", "name": "n", "schema": {"b": 2, "a": 1}}}
    assert key(request(text=swapped)) != key(request())
    head, _ = openai_responses.encode(dict(reversed(FIELDS.items())))
    assert key(replace(request(), head=head)) == key(request())
