"""One pass over the rows: what is counted, and what the sample stands for."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trivet.explanation.contents import contents
from trivet.explanation.survey import survey
from trivet.jobs.rows import Row
from trivet.tasks.task import Task

TASK = Task("Say what this is about:\n{{ text }}")
FOLDING = Task("Say what this is about:\n{{ text }}", normalise=True)


def rows(texts: list[str | None]) -> list[Row]:
    """Rows of these texts; None is a row that can't be read."""
    return [
        Row(n=n, data=None if text is None else {"text": text}, error="broken" if text is None else None)
        for n, text in enumerate(texts)
    ]


@given(
    st.lists(st.one_of(st.none(), st.sampled_from(["a", "a ", " a", "b", "b\n", "e\u0301", "\u00e9", "c  d", "c d"])))
)
def test_duplicates_are_those_that_a_list_of_all_would_give(texts: list[str | None]) -> None:
    found = survey(TASK, rows(texts))
    good = [text for text in texts if text is not None]
    folded = {" ".join(text.replace("e\u0301", "\u00e9").split()) for text in good}
    assert (found.rows, found.bad) == (len(texts), texts.count(None))
    assert found.exact == len(good) - len(set(good))
    assert found.normalised == len(set(good)) - len(folded)
    assert found.distinct == len(set(good))
    assert survey(FOLDING, rows(texts)).distinct == len(folded)


def test_a_sample_that_is_bounded_knows_how_often_each_of_its_questions_came() -> None:
    draw = random.Random(5)
    texts: list[str | None] = [f"number {draw.randrange(3000)}" for _ in range(10_000)]
    found = survey(TASK, rows(texts), most=200)
    often = Counter(texts)
    assert len(found.sample) == 200
    assert found.distinct == len(often)
    for question in found.sample:
        assert question.row.data is not None
        assert question.times == often[question.row.data["text"]]


def test_the_sample_is_bounded_in_bytes() -> None:
    texts: list[str | None] = [f"{n} " + "x" * 1000 for n in range(300)]
    found = survey(TASK, rows(texts), most_bytes=50_000)
    assert 0 < sum(len(question.request.head) for question in found.sample) <= 50_000
    assert found.distinct == 300


def test_a_sample_s_interval_holds_the_truth() -> None:
    draw = random.Random(6)
    texts: list[str | None] = ["word " * draw.randint(1, 200) + str(n) for n in range(3000)]
    everything = contents(TASK, survey(TASK, rows(texts)))
    sampled = contents(TASK, survey(TASK, rows(texts), most=300))
    assert everything.interval == (everything.total, everything.total)
    assert sampled.interval[0] < everything.total < sampled.interval[1]
    assert sampled.interval[1] - sampled.interval[0] < everything.total / 4


def test_the_constant_part_is_what_an_empty_row_would_be() -> None:
    found = contents(TASK, survey(TASK, rows(["one", "two", "three more words"])))
    assert found.constant == found.total / 3 - found.varying
    assert found.varying < 4 < found.constant


def test_bad_rows_are_told_by_their_place() -> None:
    bad = [Row(n=0, data={"other": 1}, file="a.jsonl", line=1), Row(n=1, data={"text": "x"}, file="a.jsonl", line=2)]
    found = survey(TASK, bad)
    assert found.bad == 1
    assert found.complaints[0].startswith("a.jsonl:1")
