from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined

from trivet.tasks.values import as_json, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text())
def test_text_is_written_as_it_is(text: str) -> None:
    assert written(text) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (False, "false"),
        (None, ""),
        (float("nan"), ""),
        (3, "3"),
        (1.5, "1.5"),
        (Decimal("1.10"), "1.10"),
        (date(2026, 11, 23), "2026-11-23"),
        ([1, "é", None, True], '[1,"é",null,true]'),
        (("a", "b"), '["a","b"]'),
        ({"a": {"b": "<&>"}}, '{"a":{"b":"<&>"}}'),
        ({"when": date(2026, 1, 2)}, '{"when":"2026-01-02"}'),
    ],
)
def test_values_of_each_kind_are_written_as_documented(value: object, expected: str) -> None:
    assert written(value) == expected


def test_numbers_of_data_frames_are_written_as_numbers() -> None:
    assert written(numpy.float64(1.5)) == "1.5"
    assert written(numpy.int64(7)) == "7"


@pytest.mark.parametrize("value", [len, "x".upper, iter([1]), {1, 2}, frozenset(), object(), b"x", {}.keys()])
def test_what_has_no_text_of_its_own_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="can't be written as text"):
        written(value)


def test_an_undefined_value_is_left_to_the_template_engine() -> None:
    undefined = StrictUndefined(name="x")
    assert written(undefined) is undefined


@given(JSON)
def test_json_of_a_value_reads_back_as_the_value(value: object) -> None:
    assert json.loads(as_json(value)) == value
    assert json.loads(as_json(value, indent=2)) == value
