from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import TaskError
from trivet.tasks.fields import assembled, check_params, merged, yielding
from trivet.tasks.output import Labels, Schema, Text
from trivet.tasks.plan import Plan

TABLES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
).filter(lambda value: isinstance(value, dict))


@given(TABLES, TABLES)
def test_merging_keeps_everything_and_changes_neither(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = copy.deepcopy((base, over))
    new = merged(base, over)
    assert (base, over) == before
    assert merged(new, over) == new
    assert set(new) == {*base, *over}
    for key in base.keys() - over.keys():
        assert new[key] == base[key]
    for key, value in over.items():
        assert isinstance(value, dict) or new[key] == value


def test_tables_that_params_plan_and_contract_share_are_joined() -> None:
    schema = {"type": "object"}
    sent = assembled(
        {"text": {"extra": 1}, "reasoning": {"summary": "auto"}, "top_p": 1},
        Plan(effort="low", verbosity="low", tier="flex"),
        Schema(schema),
    )
    assert sent == {
        "text": {
            "extra": 1,
            "format": {"type": "json_schema", "name": "output", "strict": False, "schema": schema},
            "verbosity": "low",
        },
        "reasoning": {"summary": "auto", "effort": "low"},
        "top_p": 1,
        "service_tier": "flex",
    }


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"reasoning": {"effort": "low"}}, "reasoning.effort"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"text": "plain"}, "text"),
        ({"reasoning": None}, "reasoning"),
    ],
)
def test_a_field_set_twice_is_a_task_error_that_names_it(params: dict[str, Any], field: str) -> None:
    with pytest.raises(TaskError, match=f"'{field}' is set in the params and by the plan: keep one"):
        assembled(params, Plan(effort="low", verbosity="low", tier="flex"), Text())


@pytest.mark.parametrize("name", ["input", "instructions", "model", "stream"])
def test_what_the_task_owns_can_t_be_one_of_the_params(name: str) -> None:
    with pytest.raises(TaskError, match=f"'{name}' can't be one of the params"):
        check_params({name: None}, Text())


def test_the_format_can_t_be_one_of_the_params_where_the_output_sends_one() -> None:
    params = {"text": {"format": {"type": "json_object"}}}
    check_params(params, Text())
    check_params(params, Labels("a"))
    with pytest.raises(TaskError, match=r"'text\.format' can't be one of the params"):
        check_params(params, Schema({}))


@pytest.mark.parametrize("cap", [0, -1, 1.5, True, "16", [16]])
def test_a_cap_that_is_no_positive_whole_number_is_a_task_error(cap: object) -> None:
    with pytest.raises(TaskError, match="max_output_tokens must be a whole number"):
        check_params({"max_output_tokens": cap}, Text())
    check_params({"max_output_tokens": None}, Text())


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x", object(), {"a": float("inf")}, "\ud800", {1: 2}])
def test_a_param_that_json_can_t_carry_is_a_task_error(value: object) -> None:
    with pytest.raises(TaskError, match="thing"):
        check_params({"thing": value}, Text())


def test_a_plan_yields_only_the_options_that_the_params_set() -> None:
    plan = Plan(model="m", effort="low", verbosity="low", tier="flex")
    assert yielding(plan, {"top_p": 1, "reasoning": {"summary": "auto"}, "text": 3}) == plan
    assert yielding(plan, {"reasoning": {"effort": None}}) == Plan(model="m", verbosity="low", tier="flex")
    assert yielding(plan, {"text": {"verbosity": "high"}, "service_tier": None}) == Plan(model="m", effort="low")
