from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import AnswerError, TaskError
from trivet.tasks.labels import Labels

TRIAGE = Labels("billing", "technical_support", "Account Access")


@pytest.mark.parametrize(
    "answer",
    [
        "billing",
        "Billing",
        "BILLING.",
        " billing\n",
        '"billing"',
        '"billing."',
        '"Billing".',
        "“billing”",
        "‘billing.’",
        "`billing`",
        "«billing»",
        "« billing »",
        "'billing'\u00a0",
        '" billing "',
    ],
)
def test_a_label_is_recognised_through_case_space_quotes_and_a_full_stop(answer: str) -> None:
    assert TRIAGE.parse(answer) == "billing"


@pytest.mark.parametrize(
    "answer",
    [
        "billing!",
        "billing..",
        '"billing."."',
        "**billing**",
        "Label: billing",
        "billing, technical_support",
        "bill",
        "technical support",
        "(billing)",
        '{"label": "billing"}',
        "",
        "...",
        "שלום 🎉",
        "billing\nbilling",
    ],
)
def test_a_label_is_recognised_through_nothing_else(answer: str) -> None:
    with pytest.raises(AnswerError) as caught:
        TRIAGE.parse(answer)
    assert caught.value.code == "invalid_output"
    assert "expected one of 3 labels ('billing', 'technical_support', 'Account Access')" in str(caught.value)


def test_the_result_is_the_label_as_it_was_spelt() -> None:
    assert TRIAGE.parse("account access.") == "Account Access"
    assert Labels("U.S.", "U.K.").parse("u.s.") == "U.S."
    assert Labels("请求", "其他").parse("请求。") == "请求"


@given(st.lists(st.text(alphabet="abcdefg_ ", min_size=1).filter(str.strip), min_size=1, unique_by=lambda s: s.strip()))
def test_every_label_recognises_itself(names: list[str]) -> None:
    labels = Labels(*names)
    assert [labels.parse(name) for name in names] == names


@given(st.text())
def test_any_answer_gives_a_label_or_an_answer_error(answer: str) -> None:
    try:
        assert TRIAGE.parse(answer) in TRIAGE.labels
    except AnswerError as error:
        assert len(str(error)) < 1000


def test_many_labels_are_not_all_listed_in_the_message() -> None:
    with pytest.raises(AnswerError, match=r"one of 77 labels \('l0', 'l1', 'l2', 'l3', 'l4', \.\.\.\)"):
        Labels(*(f"l{n}" for n in range(77))).parse("x" * 10_000)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((), "at least one"),
        (("a", "b", "a"), "label 'a' is given twice"),
        (("Billing", "billing."), "label 'billing.' is given twice: answers can't tell it from 'Billing'"),
        (("a", ""), "must have a name"),
        (("a", " . "), "must have a name"),
        ((["a", "b"],), r"Labels\(\*names\)"),
        (("a", 1), "must be text, not int"),
    ],
)
def test_labels_that_make_no_sense_are_a_task_error(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        Labels(*labels)


@pytest.mark.parametrize("answer", ['" ' * 200_000, '"' * 400_000 + "x", "' . " * 100_000, "a" * 1_000_000])
def test_a_huge_answer_is_read_at_once(answer: str) -> None:
    start = time.perf_counter()
    with pytest.raises(AnswerError):
        TRIAGE.parse(answer)
    assert time.perf_counter() - start < 5


def test_labels_send_no_schema_and_describe_themselves() -> None:
    assert TRIAGE.fields() == {}
    assert TRIAGE.describe() == {"labels": ["billing", "technical_support", "Account Access"]}
    assert Labels("a") == Labels("a") != Labels("b")
    assert hash(Labels("a")) == hash(Labels("a"))
