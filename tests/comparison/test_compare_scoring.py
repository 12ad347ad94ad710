"""Scorers: what counts as right, and what is refused as a score."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.comparison.scoring import named, scorer_of
from trivet.errors import SettingsError, TaskError


def score(name: Any, output: Any, right: Any) -> float:
    return scorer_of(name).score(output, right, {})


@pytest.mark.parametrize(
    ("name", "output", "right", "expected"),
    [
        (None, "billing", "billing", 1),
        ("exact", "Billing", "billing", 0),
        ("normalised", "  “Billing”.\n", "billing", 1),
        ("normalised", "ＢＩＬＬＩＮＧ", "billing", 1),
        ("normalised", "bill ing", "billing", 0),
        ("normalised", "!!", "?", 0),
        ("normalised", {"a": 1}, {"a": 1}, 1),
        ("numeric", "The total is $1,234.50.", 1234.5, 1),
        ("numeric", "12", "13", 0),
        ("numeric:0.5", "12.4", "12", 1),
        ("numeric:0.5", 12.6, 12, 0),
        ("numeric", "3 or 4", "3", 0),
        ("numeric", "none", "none", 0),
        ("numeric", True, 1, 0),
        ("numeric", math.nan, math.nan, 0),
        ("numeric", "1e3", "1000", 1),
        ("json", {"a": 1, "b": {"c": [1, 2]}}, '{"a": 1, "b": {"c": [1, 3]}}', 2 / 3),
        ("json", '{"a": 1}', {"a": 1, "b": 2}, 0.5),
        ("json", {"a": 1, "more": 2}, {"a": 1}, 1),
        ("json", "not json", {"a": 1}, 0),
    ],
)
def test_what_is_right(name: str | None, output: Any, right: Any, expected: float) -> None:
    """Each scorer on what it is made for, and on what it must not take for right."""
    assert score(name, output, right) == pytest.approx(expected)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.text(), x)), st.text())  # fmt: skip
def test_any_output_has_a_score(output: Any, right: str) -> None:
    """Whatever a model writes, a score lies between 0 and 1, and an answer is right by itself."""
    for name in ("exact", "normalised", "numeric", "json"):
        assert 0 <= score(name, output, right) <= 1
    assert score("exact", output, output) == 1
    assert score("json", output, output) == 1


def test_deep_answers_end() -> None:
    """A thousand levels are compared to a depth, not to the end of the stack."""
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert score("json", "[" * 100_000, "x") == 0
    assert 0 <= score("json", deep, "x") <= 1


@pytest.mark.parametrize("name", ["exactly", "exact:2", "numeric:x", "numeric:-1", "numeric:nan", "", "json:1"])
def test_what_is_no_scorer_is_refused(name: str) -> None:
    """In one sentence, before any spend."""
    if name:
        with pytest.raises(SettingsError):
            scorer_of(name)


@pytest.mark.parametrize("value", [2, -0.1, math.nan, "1", None])
def test_a_function_gives_a_score_or_is_told_off(value: Any) -> None:
    """What is no number between 0 and 1 is no score; what is raised is told with the scorer's name."""

    def mine(output: Any, row: dict[str, Any]) -> Any:
        return value

    def broken(output: Any, row: dict[str, Any]) -> float:
        raise KeyError("colour")

    with pytest.raises(TaskError, match="mine gave"):
        score(mine, "a", "a")
    with pytest.raises(TaskError, match="broken failed: KeyError"):
        score(broken, "a", "a")
    assert score(lambda output, row: output == "a", "a", None) == 1.0


def test_a_function_is_imported_only_where_that_is_allowed(tmp_path: Path) -> None:
    """`module:function` needs --allow-code, and names what is not there."""
    (tmp_path / "my_scorer_one.py").write_text("def half(output, row):\n    return 0.5\nfive = 5\n")
    with pytest.raises(SettingsError, match="--allow-code"):
        named("my_scorer_one:half", allow_code=False, folder=tmp_path)
    function = named("my_scorer_one:half", allow_code=True, folder=tmp_path)
    assert score(function, "x", None) == 0.5
    for text in ("my_scorer_one:five", "my_scorer_one:none", "no_such_module:f"):
        with pytest.raises(TaskError):
            named(text, allow_code=True, folder=tmp_path)
    assert named("numeric:0.1", allow_code=False, folder=tmp_path) == "numeric:0.1"
