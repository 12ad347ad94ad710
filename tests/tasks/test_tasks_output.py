from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from trivet.errors import TaskError
from trivet.tasks.output import Contract, Labels, Model, Schema, Text, contract_of, to_jsonable


class Ticket(BaseModel):
    category: str


class Own:
    """A contract that a user wrote."""

    labels = None

    def fields(self) -> dict[str, Any]:
        return {}

    def parse(self, text: str) -> int:
        return len(text)

    def describe(self) -> dict[str, Any]:
        return {"own": 1}


@pytest.mark.parametrize("output", [str, None])
def test_str_and_nothing_stand_for_free_text(output: Any) -> None:
    assert contract_of(output) == Text()


def test_each_kind_of_output_becomes_its_contract() -> None:
    assert isinstance(contract_of(Ticket), Model)
    assert isinstance(contract_of({"type": "object"}), Schema)
    for contract in (Labels("a"), Text(bullets=3), Schema({}), Model(Ticket), Own()):
        assert isinstance(contract, Contract)
        assert contract_of(contract) is contract


@pytest.mark.parametrize("output", [int, bool, 3, "billing", Labels, Text, object(), lambda text: text])
def test_anything_else_is_a_task_error_that_says_what_there_is(output: Any) -> None:
    with pytest.raises(TaskError, match=r"output can't be .* use Labels"):
        contract_of(output)


@pytest.mark.parametrize("output", [["a", "b"], ("a",), {"a", "b"}])
def test_a_list_of_names_is_answered_with_labels(output: Any) -> None:
    with pytest.raises(TaskError, match=r"output=Labels\('a', 'b'\)"):
        contract_of(output)


@pytest.mark.parametrize("value", ["x", {"a": [1, None]}, 3, None, True])
def test_a_result_that_is_json_already_stays_as_it_is(value: Any) -> None:
    assert to_jsonable(value) == value


def test_an_instance_becomes_a_dict() -> None:
    assert to_jsonable(Ticket(category="x")) == {"category": "x"}
