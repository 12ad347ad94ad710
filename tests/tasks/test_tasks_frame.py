"""A body put together from parts made before is, byte for byte, the one that is rendered and encoded as a whole."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from trivet.errors import TrivetError
from trivet.tasks.output import Labels
from trivet.tasks.task import Task
from trivet.tasks.template import Template
from trivet.types import Request

TEXTS = st.text(max_size=12) | st.sampled_from(
    ['"\\\n\t\x00\x7f\u2028', "שלום 🎉", " \n ", "\ud83d", "\ude00", "{{ a }}"]
)
CONSTANTS = st.sampled_from(["", "\n", " ", "é🎉", 'say "\\n" twice\n', "Ticket:\n", "\x01\u2029"])
INSERTED = st.sampled_from(["{{ a }}", "{{ b }}", "{{- b -}}", "{{ labels | join(', ') }}", "{{ labels }}", "{# no #}"])
OTHERS = st.sampled_from(["{{ a | upper }}", "{% if a %}x{% endif %}", "{{ labels | random | length }}", "{{ c.d }}"])
VALUES = (
    TEXTS
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10**5000, Markup("<b>"), b"bytes", {"d": [1, None]}, (1, 2), object])
)
ROWS = st.dictionaries(st.sampled_from(["a", "b", "c", "labels"]), VALUES)
PARTS = CONSTANTS | INSERTED | INSERTED | OTHERS


def outcome(task: Task, row: Any) -> Request | tuple[type, str]:
    try:
        return task.request(row, label="7", sample=2, timeout=3.0)
    except TrivetError as error:
        return type(error), str(error)


@given(st.lists(PARTS, max_size=6).map("".join), st.none() | st.lists(PARTS, max_size=4).map("".join), ROWS)
def test_parts_and_the_whole_are_the_same_bytes_and_the_same_errors(
    prompt: str, instructions: str | None, row: dict[str, Any]
) -> None:
    options: dict[str, Any] = {
        "output": Labels('b"i', "été", "tre"),
        "instructions": instructions,
        "params": {"max_output_tokens": 16, "metadata": {"x": "\\"}, "service_tier": "flex"},
        "model": "gpt-5.4-mini",
        "cache_version": 3,
    }
    try:
        by_parts = Task(prompt, **options)
    except TrivetError:
        return
    whole = outcome(Task(prompt, **options, normalise=True), row)  # which is never put together from parts
    found = outcome(by_parts, row)
    if isinstance(found, Request) and isinstance(whole, Request):
        assert found.fold is None
        names = [name for name in Request.__struct_fields__ if name not in ("fold", "accept")]
        assert [getattr(found, name) for name in names] == [getattr(whole, name) for name in names]
        assert found.accept == by_parts.accept
    else:
        assert found == whole


def test_a_template_that_inserts_columns_is_laid_out_and_one_that_does_more_is_not() -> None:
    plain = Template("One of {{ labels | join(', ') }}:\n{{ ticket }}\n", provided={"labels": ("a", "b")})
    assert plain.layout == (("One of a, b:\n", ""), ("ticket",))
    for source in ("{{ x | upper }}", "{% if x %}{{ x }}{% endif %}", "{{ x }}{{ labels | random }}", "{{ x.y }}"):
        assert Template(source, provided={"labels": ("a", "b")}).layout is None


@pytest.mark.parametrize("row", [None, 7, ["a"], {}, defaultdict(str), {"a": object()}, {"a": 10**5000}])
def test_a_row_that_does_not_fit_is_told_the_same(row: Any) -> None:
    told = outcome(Task("Say {{ a }}"), row)
    assert told == outcome(Task("Say {{ a }}", normalise=True), row)
    assert isinstance(told, tuple)
