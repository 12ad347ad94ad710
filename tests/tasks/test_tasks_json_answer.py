from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.tasks.json_answer import json_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_any_document_is_read_as_it_was_written(value: object) -> None:
    assert json_of(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "billing",
        "NaN",
        "[Infinity]",
        "1e999",
        '{"a": 1,}',
        '```json\n{"a": 1}\n```',
        '{"a": 1} and more',
        '{"a": 1',
        '"\\ud800"',
        "\ud800",
        "[" * 100_000,
        "1" * 10_000,
    ],
)
def test_what_is_no_document_is_a_value_error_of_a_few_words(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        json_of(text)
    assert 0 < len(str(caught.value)) < 120


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "c": 2, "a": null}}]'])
def test_a_key_given_twice_is_an_error_at_any_depth(text: str) -> None:
    with pytest.raises(ValueError, match="the key 'a' is there twice"):
        json_of(text)


@given(st.text(alphabet='{}[]",:0123456789.eE+-tfnul \\', max_size=30))
def test_what_is_read_is_json_by_the_standard_reader_too(text: str) -> None:
    try:
        value = json_of(text)
    except ValueError:
        return
    assert json.loads(text) == value
