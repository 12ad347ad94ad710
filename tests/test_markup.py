"""Markup written by hand: text stays text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.markup import Markup, join, tag, text
from trivet.wording import plain

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A machine under load may take its time."""


class Reader(HTMLParser):
    """What a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[Any] = []
        self.data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.data += data


@SLOW
@given(st.text(), st.text())
def test_whatever_is_inside_is_read_as_the_text_it_was(inside: str, value: str) -> None:
    """One element comes out, with one attribute, and with what was put in."""
    reader = Reader()
    reader.feed(tag("p", inside, class_=value))
    reader.close()
    assert reader.tags == [("p", [("class", plain(value))])]
    assert reader.data == plain(inside)


def test_markup_is_kept_and_nothing_is_left_out() -> None:
    """Lists are their items, None is nothing, and what is markup is not escaped again."""
    inner = [tag("b", "<"), None, ["&", Markup("<br>")]]
    assert tag("p", inner, hidden=True, lang=None, tabindex=0) == '<p hidden tabindex="0"><b>&lt;</b>&amp;<br></p>'
    assert tag("meta", http_equiv="x") == '<meta http-equiv="x">'
    assert join() == ""
    assert text(7) == "7"


def test_what_a_browser_would_obey_is_written_out() -> None:
    """Controls, overrides of the writing direction, halves of pairs."""
    assert text("a\u202eb\0\ud800") == "a\\u202eb\\x00\\ud800"
