"""What the simulated provider writes reads like what was asked for."""

from __future__ import annotations

import pytest

from trivet.sim.read import read
from trivet.sim.text import first_words, topic, write

SHORT = read("Summarise the ticket in one sentence of at most 12 words.")


@pytest.mark.parametrize(
    ("matter", "said"),
    [
        (
            "Hi, my card was charged twice for the September invoice, once on the 2nd and then on the 3rd.",
            "My card was ",
        ),
        ("Subject: Twice\nHello team, my card was charged twice.", "My card was charged twice."),
        ("Hi, ", "Hi"),
        ("Hi, hi, hi, ", "Hi"),
        ("Subject: Twice\n", "Subject"),
        ("", ""),
    ],
)
def test_a_summary_repeats_no_greeting(matter: str, said: str) -> None:
    """Unless there is nothing else."""
    assert write(SHORT, matter, verbosity="medium").startswith(said)
    assert "card" in topic(matter) or "card" not in matter


@pytest.mark.parametrize("limit", range(1, 21))
def test_a_text_that_is_cut_ends_on_a_word_that_can_end_it(limit: int) -> None:
    """And is never empty, nor longer than asked."""
    text = "The parcel was due on Monday and the page of the courier says it has been delivered to a neighbour"
    cut = first_words(text, limit)
    assert 1 <= len(cut.split()) <= limit
    assert limit == 1 or cut.split()[-1] not in ("on", "and", "the", "of", "that", "to", "in", "has", "been", "my")


def test_a_text_of_nothing_but_such_words_is_kept() -> None:
    assert first_words("and the and the and", 3) == "and"
    assert first_words("and " * 5000, 4000).split()[0] == "and"
