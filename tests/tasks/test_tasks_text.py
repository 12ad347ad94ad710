from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import AnswerError, TaskError
from trivet.tasks.text import Text


@given(st.text())
def test_text_without_bounds_is_the_answer_as_it_came(text: str) -> None:
    assert Text().parse(text) == text


@pytest.mark.parametrize(
    "answer",
    [
        "- a\n- b\n- c",
        "* a b\n\n* b\n\n* c\n",
        "\u2022 a\n\u2022 b\n\u2022c",
        "1. a\n2. b\n3. c",
        "1) a\n2) b\n3) c",
        "- a\n  goes on\n- b\n- c",
        "\u2013 \u05e9\u05dc\u05d5\u05dd\n\u2013 \U0001f389\n\u2013 c",
    ],
)
def test_exactly_three_bullets_are_accepted_in_any_usual_mark(answer: str) -> None:
    assert Text(bullets=3).parse(answer) == answer.strip()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("- a\n- b", "3 bullets and not 2"),
        ("- a\n- b\n- c\n- d", "3 bullets and not 4"),
        ("- a\n  - a1\n- b\n- c", "3 bullets and not 4"),
        ("Here they are:\n- a\n- b\n- c", "3 bullets and nothing else"),
        ("- a\n- b\n- c\nHope that helps", "3 bullets and nothing else"),
        ("a, b and c", "nothing else"),
        ("**a**\n**b**\n**c**", "nothing else"),
        ("1.5 a\n2.5 b\n3.5 c", "nothing else"),
        ("", "not 0"),
        ("- \n- \n- ", "nothing else"),
    ],
)
def test_anything_but_three_bullets_is_refused_with_what_came(answer: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message) as caught:
        Text(bullets=3).parse(answer)
    assert caught.value.code == "invalid_output"


def test_max_words_is_of_each_bullet_where_there_are_bullets() -> None:
    contract = Text(bullets=2, max_words=3)
    assert contract.parse("- one two three\n1. one two three")
    with pytest.raises(AnswerError, match="at most 3 words in bullet 2 and not 4"):
        contract.parse("- one\n- one two\n  three four")


def test_max_words_is_of_the_whole_text_otherwise() -> None:
    assert Text(max_words=3).parse(" one two three ") == "one two three"
    with pytest.raises(AnswerError, match="at most 3 words and not 4"):
        Text(max_words=3).parse("one two three four")


def test_max_chars_counts_the_characters_of_the_text_without_space_around_it() -> None:
    assert Text(max_chars=2).parse(" 🎉🎉\n") == "🎉🎉"
    with pytest.raises(AnswerError, match="at most 2 characters and not 3"):
        Text(max_chars=2).parse("abc")


def test_sentences_are_counted_and_doubt_is_in_favour_of_the_answer() -> None:
    assert Text(sentences=1).parse("Dr. Smith was charged twice.\n") == "Dr. Smith was charged twice."
    for n in (1, 2):
        assert Text(sentences=n).parse("He left at 5 p.m. She stayed.")
    with pytest.raises(AnswerError, match="1 sentence and not 2"):
        Text(sentences=1).parse("One. Two.")


@pytest.mark.parametrize("name", ["sentences", "bullets", "max_words", "max_chars"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "3"])
def test_a_bound_that_is_no_positive_whole_number_is_a_task_error(name: str, value: object) -> None:
    with pytest.raises(TaskError, match=f"{name} must be a whole number of at least 1"):
        Text(**{name: value})  # type: ignore[arg-type]


def test_sentences_and_bullets_together_are_a_task_error() -> None:
    with pytest.raises(TaskError, match="not both"):
        Text(sentences=1, bullets=3)


@given(st.text(alphabet="-*• 1.)ab\n\t"))
def test_any_answer_is_text_or_an_answer_error(text: str) -> None:
    try:
        assert Text(bullets=2, max_words=3, max_chars=50).parse(text) == text.strip()
    except AnswerError as error:
        assert "\n" not in str(error)


def test_text_describes_its_bounds_alone() -> None:
    assert Text(bullets=3, max_words=12).describe() == {"text": {"bullets": 3, "max_words": 12}}
    assert Text().fields() == {}
    assert Text().labels is None
