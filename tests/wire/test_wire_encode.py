"""What `encode` promises to the cache key and to the provider."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import UsageError
from trivet.wire.openai_responses import NEUTRAL, encode

BASE: dict[str, Any] = {"model": "gpt-5.4-mini", "input": "hello"}

# Two different values for every field of the schema.
VALUES: dict[str, tuple[Any, Any]] = {
    "access_programs": ({"a": 1}, {"a": 2}),
    "background": (True, False),
    "background_options": ({"completion_window": "2h"}, {"completion_window": "8h"}),
    "context_management": ([{"type": "compaction"}], [{"type": "compaction", "compact_threshold": 9}]),
    "conversation": ("conv_1", "conv_2"),
    "image": ({"detail": "low"}, {"detail": "high"}),
    "include": (["reasoning.encrypted_content"], []),
    "input": ("hi", [{"role": "user", "content": "hi"}]),
    "instructions": ("be brief", "be verbose"),
    "max_output_tokens": (16, 17),
    "max_tool_calls": (1, 2),
    "metadata": ({"a": "1"}, {"a": "2"}),
    "model": ("gpt-5.4-mini", "gpt-5.4-nano"),
    "moderation": ({"policy": {}}, {}),
    "parallel_tool_calls": (True, False),
    "previous_response_id": ("resp_1", None),
    "prompt": ({"id": "pmpt_1"}, {"id": "pmpt_1", "version": "2"}),
    "prompt_cache_key": ("a", "b"),
    "prompt_cache_options": ({"mode": "explicit"}, {"mode": "implicit", "ttl": "12h"}),
    "prompt_cache_retention": ("24h", "in_memory"),
    "reasoning": ({"effort": "none"}, {"effort": "low"}),
    "safety_identifier": ("a", "b"),
    "service_tier": ("flex", "default"),
    "store": (True, False),
    "stream": (True, False),
    "stream_options": ({"include_obfuscation": False}, {"include_obfuscation": True}),
    "temperature": (0.0, 1.0),
    "text": ({"verbosity": "low"}, {"verbosity": "high"}),
    "tool_choice": ("auto", "none"),
    "tools": ([{"type": "web_search"}], []),
    "top_logprobs": (0, 1),
    "top_p": (0.5, 1),
    "truncation": ("auto", "disabled"),
    "user": ("a", "b"),
}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.dictionaries(
    st.sampled_from(sorted(VALUES)) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), JSON
)


def schema_fields() -> list[str]:
    params = pytest.importorskip("openai.types.responses.response_create_params")
    return sorted(params.ResponseCreateParamsNonStreaming.__annotations__)


def test_values_cover_the_schema() -> None:
    """Every field of the installed SDK's request schema has values in this test."""
    assert sorted(VALUES) == schema_fields()


@pytest.mark.parametrize("name", sorted(VALUES))
def test_every_field_changes_the_head_or_is_neutral(name: str) -> None:
    """Adding or changing a field changes the head, unless it is on the list; then the tail alone."""
    without = encode({k: v for k, v in BASE.items() if k != name})
    one, other = (encode({**BASE, name: value}) for value in VALUES[name])
    assert len({without, one, other}) == 3
    heads = {head for head, _ in (without, one, other)}
    assert len(heads) == (1 if name in NEUTRAL else 3)


def test_an_unknown_field_changes_the_head() -> None:
    """A field that nobody has heard of is part of the key."""
    assert encode({**BASE, "extra": 1})[0] != encode({**BASE, "extra": 2})[0] != encode(BASE)[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt_cache_options", {"prewarm": True}),
        ("prompt_cache_options", {"mode": "explicit", "new_part": 1}),
        ("prompt_cache_options", "explicit"),
        ("stream_options", {"include_obfuscation": False, "new_part": 1}),
    ],
)
def test_unproven_parts_of_neutral_fields_change_the_head(name: str, value: object) -> None:
    """A neutral field with a part that may change the answer (no output at all, for one) is in the head."""
    assert encode({**BASE, name: value})[0] != encode(BASE)[0]


@given(FIELDS)
def test_round_trip(fields: dict[str, Any]) -> None:
    """Head and tail together are one JSON object that says what was given, None included."""
    head, tail = encode(fields)
    assert json.loads(head + tail) == fields


@given(FIELDS, st.randoms())
def test_the_callers_order_is_no_part_of_the_key(fields: dict[str, Any], random: Any) -> None:
    """The same fields in another order give the same bytes."""
    names = list(fields)
    random.shuffle(names)
    assert encode({name: fields[name] for name in names}) == encode(fields)


@given(JSON, JSON)
def test_different_inputs_have_different_heads(one: Any, other: Any) -> None:
    """Two inputs share a head only when they are the same JSON, the order of their keys included."""
    same = json.dumps(one) == json.dumps(other)
    assert (encode({"input": one})[0] == encode({"input": other})[0]) == same


def test_order_below_the_top_is_kept() -> None:
    """A schema answers in the order of its properties, so they are never sorted."""
    properties = {"zeta": {"type": "string"}, "alpha": {"type": "string"}}
    head, _ = encode({"text": {"format": {"schema": {"properties": properties}}}})
    assert head.index(b"zeta") < head.index(b"alpha")


def test_top_level_order_is_fixed() -> None:
    """Known fields first, then the others by name, the neutral ones last."""
    head, tail = encode(
        {
            "user": "u",
            "zz": 1,
            "aa": 2,
            "stream": True,
            "input": "i",
            "text": {},
            "model": "m",
            "instructions": "s",
        }
    )
    assert head == b'{"model":"m","instructions":"s","input":"i","text":{},"aa":2,"zz":1'
    assert tail == b',"stream":true,"user":"u"}'


def test_the_edges() -> None:
    """Without neutral fields the tail only closes; with nothing else it is still one object."""
    assert encode({"model": "m"}) == (b'{"model":"m"', b"}")
    assert encode({"stream": True}) == (b"{", b'"stream":true}')
    assert encode({}) == (b"{", b"}")


def test_encoded_before_is_sent_as_it_is() -> None:
    """A `msgspec.Raw` value is JSON already."""
    assert encode({"model": msgspec.Raw(b'"m"')}) == encode({"model": "m"})


@pytest.mark.parametrize("text", ["😀👨‍👩‍👧", "שלום \u202eمرحبا", "\x00\x1f\x7f\u2028", '"\\/', "", "x" * 5_000_000])
def test_any_text_survives(text: str) -> None:
    """Emoji, right-to-left, control characters, quotes, nothing and megabytes are sent as they are."""
    assert json.loads(b"".join(encode({"input": text})))["input"] == text


class Word(str):
    """As template engines and number libraries subclass plain types."""


class Number(float):
    """The same for numbers."""


def test_subclasses_of_plain_types_are_sent() -> None:
    """What is text or a number beneath goes as text or a number."""
    assert encode({"input": [Word("x")], "top_p": Number(0.5)}) == encode({"input": ["x"], "top_p": 0.5})


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        (math.nan, "input", "nan"),
        ([1, {"a": math.inf}], "input[1].a", "inf"),
        ({1, 2}, "input", "set"),
        (b"bytes", "input", "bytes"),
        (["fine", "half \ud83d of a pair"], "input[1]", "surrogate"),
        ({"\ud800": 1}, "input", "surrogate"),
        ({1: 2}, "input", "key 1 is not text"),
        (datetime.date(2026, 11, 22), "input", "date"),
        (object(), "input", "object"),
        (Number("nan"), "input", "nan"),
        (CYCLE, "input", "deep"),
    ],
)
def test_what_json_cannot_carry_is_refused_by_name(value: object, place: str, words: str) -> None:
    """The error is a usage error that names the field and what is wrong with it."""
    with pytest.raises(UsageError) as caught:
        encode({**BASE, "input": value})
    assert f"field {place} " in str(caught.value)
    assert words in str(caught.value)


def test_a_neutral_field_is_checked_too() -> None:
    """What can't be sent is refused in the tail as in the head."""
    with pytest.raises(UsageError, match=r"metadata\.a"):
        encode({**BASE, "metadata": {"a": {1}}})


def test_field_names_are_text() -> None:
    """A field whose name is a number is refused."""
    with pytest.raises(UsageError, match="named 1"):
        encode({1: "x"})  # type: ignore[dict-item]
