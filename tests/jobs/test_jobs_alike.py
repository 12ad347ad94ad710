"""One failure that befalls row after row is recognised, and nothing else is taken for it."""

from __future__ import annotations

import pytest

from trivet.jobs.alike import Alike
from trivet.records import Failure


def failure(message: str, code: str = "invalid_output") -> Failure:
    return Failure(code=code, message=message)


def test_fifty_rows_that_fail_alike_end_the_run_with_their_message() -> None:
    """The fiftieth gives the error, with the count, the message and the way on."""
    alike = Alike()
    same = failure("the schema is not accepted")
    assert [alike.add(same) for _ in range(49)] == [None] * 49
    error = alike.add(same)
    assert error is not None
    for words in ("50 rows", "the schema is not accepted", "--keep-going"):
        assert words in str(error)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rows.jsonl:17 lacks 'ticket'", "rows.jsonl:20417 lacks 'ticket'"),
        ("the answer 'red wine' is none of the labels", "the answer 'it depends' is none of the labels"),
        ("server error (request req_a1b2)", "server error (request req_99zz0)"),
    ],
)
def test_what_a_message_says_of_its_own_row_makes_no_difference(one: str, other: str) -> None:
    """Places, ids, figures and quoted text differ from row to row though the cause is the same."""
    alike = Alike(most=2)
    assert alike.add(failure(one)) is None
    assert alike.add(failure(other)) is not None


@pytest.mark.parametrize("between", [None, failure("another"), failure("same", code="refused")])
def test_one_row_of_another_kind_starts_the_count_again(between: Failure | None) -> None:
    """A result, another message or another code in between: these are failures of rows, not of the run."""
    alike = Alike(most=3)
    for _ in range(5):
        assert alike.add(failure("same")) is None
        assert alike.add(failure("same")) is None
        assert alike.add(between) is None


def test_results_are_never_alike() -> None:
    """Rows that have results do not end a run, however many."""
    alike = Alike(most=2)
    assert [alike.add(None) for _ in range(100)] == [None] * 100
