from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from trivet.errors import AnswerError, TaskError
from trivet.tasks.model import Model
from trivet.tasks.output import to_jsonable


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Item(BaseModel):
    """A line of an order."""

    price: float = Field(description="In dollars", ge=0)
    colour: Colour = Field(description="Of the thing")


class Ticket(BaseModel):
    category: Literal["billing", "other"]
    summary: str = Field(max_length=50)
    due: date | None = None
    items: list[Item] = []
    first: Item | None = Field(default=None, description="The first")


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True, title="An aliased one")
    kind: str = Field(alias="Kind")
    inner: Annotated[Item, Field(title="Inner one")]


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Described(BaseModel):
    name: str
    parent: Described | None = Field(description="The one above")
    beside: Annotated[Described, Field(description="The one beside")] | None


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Pet(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")


class Loose(BaseModel):
    counts: dict[str, int]


class Shouting(BaseModel):
    word: str

    @field_validator("word")
    @classmethod
    def loud(cls, value: str) -> str:
        if value == "crash":
            raise RuntimeError("the validator broke")
        if not value.isupper():
            raise ValueError("must shout")
        return value


@pytest.mark.parametrize("model", [Item, Ticket, Aliased, Tree, Loose, Pet, Shouting])
def test_the_schema_is_the_one_the_official_sdk_sends(model: type[BaseModel]) -> None:
    pydantic_schema = pytest.importorskip("openai.lib._pydantic")
    ours = Model(model).fields()["text"]["format"]["schema"]
    theirs = pydantic_schema.to_strict_json_schema(model)
    assert ours == theirs
    assert list(ours["properties"]) == list(theirs["properties"])


@pytest.mark.parametrize(
    ("model", "strict"),
    [
        (Ticket, True),
        (Aliased, True),
        (Tree, True),
        (Described, True),
        (Loose, False),
        (Pet, False),
        (RootModel[list[int]], False),
    ],
)
def test_the_format_is_strict_where_the_model_can_be_put_into_the_dialect(model: type[BaseModel], strict: bool) -> None:
    contract = Model(model)
    assert contract.fields()["text"]["format"]["strict"] is strict


def test_the_result_is_an_instance_and_goes_to_disk_as_json() -> None:
    text = (
        '{"category": "billing", "summary": "é", "due": "2026-11-23",'
        ' "items": [{"price": 1, "colour": "red"}], "first": null}'
    )
    ticket = Model(Ticket).parse(text)
    assert isinstance(ticket, Ticket)
    assert ticket.due == date(2026, 11, 23)
    assert to_jsonable(ticket) == {
        "category": "billing",
        "summary": "é",
        "due": "2026-11-23",
        "items": [{"price": 1.0, "colour": "red"}],
        "first": None,
    }


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('{"category": "bill", "summary": ""}', "at category: Input should be 'billing' or 'other'"),
        (
            '{"category": "other", "summary": "", "items": [{"price": -1, "colour": "red"}]}',
            r"at items\.0\.price: ",
        ),
        ('{"category": "other"}', "at summary: Field required"),
        ('{"category": "other", "summary": "x", "summary": "y"}', "'summary' is there twice"),
        ('Sure! {"category": "other"}', "malformed"),
        ("null", "JSON for the model Ticket"),
        ("", "JSON for the model Ticket"),
    ],
)
def test_an_answer_the_model_does_not_take_is_invalid(answer: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message) as caught:
        Model(Ticket).parse(answer)
    assert caught.value.code == "invalid_output"


def test_not_a_number_is_invalid_though_pydantic_would_take_it() -> None:
    with pytest.raises(AnswerError):
        Model(Item).parse('{"price": NaN, "colour": "red"}')


def test_what_a_validator_of_the_user_raises_makes_the_answer_invalid() -> None:
    assert Model(Shouting).parse('{"word": "HEY"}').word == "HEY"
    with pytest.raises(AnswerError, match="must shout"):
        Model(Shouting).parse('{"word": "hey"}')
    with pytest.raises(AnswerError, match="RuntimeError: the validator broke"):
        Model(Shouting).parse('{"word": "crash"}')


def test_a_class_that_is_no_model_or_has_no_schema_is_a_task_error() -> None:
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: object
        call: Any

        @classmethod
        def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
            raise RuntimeError("no schema here")

    with pytest.raises(TaskError, match="Odd has no JSON Schema: RuntimeError: no schema here"):
        Model(Odd)
    with pytest.raises(TaskError, match="must be a pydantic model class"):
        Model(int)
