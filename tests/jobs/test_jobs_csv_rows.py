"""CSV and TSV by the standard library's reader: strings, true line numbers, bad rows that stay single."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import DataError
from trivet.jobs.csv_rows import read_csv, separator_hint
from trivet.jobs.rows import Row


def rows_of(content: str | bytes, **options: Any) -> list[Row]:
    raw = content.encode() if isinstance(content, str) else content
    return list(read_csv(io.BytesIO(raw).readline, "t.csv", **options).rows)


def test_every_field_is_a_string() -> None:
    (row,) = rows_of("id,when,amount,none\n007,01/02/2024,1e3,\n")
    assert row.data == {"id": "007", "when": "01/02/2024", "amount": "1e3", "none": ""}


def test_a_quoted_field_spans_lines_and_the_lines_after_it_keep_their_numbers() -> None:
    rows = rows_of('a,b\r\n"one\r\ntwo\n""three""",x\r\nonly\r\n1,2\r\n')
    assert [(row.line, row.data) for row in rows] == [
        (2, {"a": 'one\r\ntwo\n"three"', "b": "x"}),
        (5, None),
        (6, {"a": "1", "b": "2"}),
    ]
    assert rows[1].error == "t.csv:5 has 1 fields where the header has 2"


def test_too_many_fields_make_a_bad_row() -> None:
    rows = rows_of("a,b\n1,2,3\n1,2\n")
    assert rows[0].error == "t.csv:2 has 3 fields where the header has 2"
    assert rows[1].data == {"a": "1", "b": "2"}


def test_blank_lines_are_no_rows_but_an_empty_quoted_field_is() -> None:
    assert [row.data for row in rows_of("a,b\n\n \n1,2\n\n")] == [{"a": "1", "b": "2"}]
    assert [row.data for row in rows_of('a\n\n""\nx\n')] == [{"a": ""}, {"a": "x"}]


def test_an_invalid_line_spoils_its_own_row_alone() -> None:
    rows = rows_of(b'a,b\n1,\xff\n"x\n\xff\nz",2\n3,4\n5,\x006\n7,8\n')
    assert [row.data for row in rows] == [None, None, {"a": "3", "b": "4"}, None, {"a": "7", "b": "8"}]
    assert rows[0].error == "t.csv:2 can't be read: line 2 is not valid UTF-8"
    assert rows[1].error is not None
    assert rows[1].error.startswith("t.csv:3 can't be read: line 4 is not valid UTF-8 (it was read to line 5")
    assert rows[3].error is not None
    assert "NUL" in rows[3].error


def test_a_quote_that_is_never_closed_is_one_bad_row_that_says_how_far_it_went() -> None:
    rows = rows_of('a,b\n1,2\n"open,3\n' + "4,5\n" * 1000)
    assert [row.data for row in rows] == [{"a": "1", "b": "2"}, None]
    assert rows[1].error is not None
    assert rows[1].error.startswith("t.csv:3 is not valid CSV: ")
    assert rows[1].error.endswith("(it was read to line 1003: is a quotation mark left open?)")


def test_text_after_a_closing_quote_is_a_bad_row_and_the_next_one_is_read() -> None:
    rows = rows_of('a,b\n"x"y,1\n3,4\n')
    assert rows[0].data is None
    assert rows[1].data == {"a": "3", "b": "4"}


def test_a_quote_inside_an_unquoted_field_is_an_ordinary_character() -> None:
    assert rows_of('a,b\n5" pipe,2\n')[0].data == {"a": '5" pipe', "b": "2"}


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(DataError, match=r"t\.csv names the column 'a' more than once"):
        rows_of("a,b, a\n1,2,3\n")


def test_white_space_around_column_names_is_dropped_and_one_may_be_empty() -> None:
    assert rows_of(",text , label\n0,x,y\n")[0].data == {"": "0", "text": "x", "label": "y"}


def test_a_header_alone_has_columns_and_no_rows() -> None:
    table = read_csv(io.BytesIO(b"\n\na,b\n").readline, "t.csv")
    assert table.columns == ("a", "b")
    assert list(table.rows) == []


def test_a_table_whose_rows_all_differ_from_its_header_is_refused() -> None:
    with pytest.raises(DataError, match=r"table of 1 columns, .* 2 fields where the header has 1"):
        rows_of("Report of May\n\na,b\n1,2\n3,4\n")


def test_tabs_separate_the_fields_of_tsv() -> None:
    (row,) = rows_of("a\tb\n1,5\t2\n", delimiter="\t")
    assert row.data == {"a": "1,5", "b": "2"}


def test_one_column_that_holds_a_separator_gets_a_hint() -> None:
    assert separator_hint(("id;text",), "t.csv") == (
        "t.csv has the one column 'id;text': are its fields separated by semicolons?"
    )
    assert separator_hint(("text",), "t.csv") is None
    assert separator_hint(("a;b", "c"), "t.csv") is None


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.tuples(FIELD, FIELD), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_whatever_the_standard_writer_writes_is_read_back(fields: list[tuple[str, str]], end: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *fields])
    rows = rows_of(text.getvalue())
    assert [row.data for row in rows] == [{"a": a, "b": b} for a, b in fields]


def test_line_ends_of_another_age_are_named_with_their_cure() -> None:
    r"""Files with \r for a line end can't be told from one long line: the message says how to turn them."""
    with pytest.raises(DataError, match=r"ends with \\r alone: .* tr '\\r' '\\n'"):
        read_csv(io.BytesIO(b"ticket,id\ra,1\rb,2\r").readline, "old.csv")
