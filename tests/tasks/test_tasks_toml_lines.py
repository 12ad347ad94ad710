from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trivet.tasks.toml_lines import origin_of

SOURCE = '''# a comment = 1
model = "m" # model = "x"
prompt = """
first = line
[second]
"""
instructions = """starts here
and here"""

[output]
labels = [
  "a",
  ["b"],
]

[ "params" ]   # of the provider
text.verbosity = "low"
"quoted key" = \'\'\'
[plan]
\'\'\'
escaped = """
a \\
b
"""
 [variants.concise.params]
 x = 1
'''


def test_each_key_has_its_line_and_what_only_looks_like_a_key_has_none() -> None:
    origin = origin_of("t.toml", SOURCE, tomllib.loads(SOURCE))
    assert origin.lines == {
        "model": 2,
        "prompt": 3,
        "instructions": 7,
        "output": 10,
        "output.labels": 11,
        "params": 16,
        "params.text.verbosity": 17,
        "params.quoted key": 18,
        "params.escaped": 21,
        "variants.concise.params": 25,
        "variants.concise.params.x": 26,
    }
    assert origin.texts == {"prompt": 4, "instructions": 7, "params.quoted key": 19}


def test_a_place_is_that_of_the_key_or_of_the_nearest_table_around_it() -> None:
    origin = origin_of("t.toml", SOURCE, tomllib.loads(SOURCE))
    assert origin.place("params.text.verbosity") == "t.toml:17"
    assert origin.place("params.other") == "t.toml:16"
    assert origin.place("nothing") == "t.toml"


def test_a_line_of_a_template_is_that_of_the_file_where_it_can_be_known() -> None:
    origin = origin_of("t.toml", SOURCE, tomllib.loads(SOURCE))
    assert origin.where("prompt").at(2) == "t.toml:5"
    assert origin.where("instructions").at(2) == "t.toml:8"
    assert origin.where("params.escaped").at(2) == "t.toml:21"
    assert origin.where("missing").at(2) == "t.toml, line 2 of the missing"


KEYS = st.text("abc_-1", min_size=1, max_size=4)
VALUES = st.sampled_from(['"x"', "1", "[1, [2]]", "[\n'a = 1',\n]", '"""\nk = 1\n[t]\n"""', "'''a\nb'''", "{a = 1}"])


@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES), max_size=4),
)
def test_every_line_found_is_the_one_that_defines_the_key(top: dict[str, str], tables: dict[str, Any]) -> None:
    rows = [f"{key} = {value}" for key, value in top.items()]
    for table, keys in tables.items():
        if table not in top:
            rows += [f"[{table}]", *(f"{key} = {value}" for key, value in keys.items())]
    source = "\n".join(rows)
    document = tomllib.loads(source)
    origin = origin_of("t.toml", source, document)
    lines = source.split("\n")
    expected = {*document, *(f"{t}.{k}" for t in document for k in tables.get(t, {}) if t not in top)}
    assert expected <= origin.lines.keys()
    for key in expected:
        assert key.rpartition(".")[2] in lines[origin.lines[key] - 1]


@given(st.text(alphabet="[]\"'=.#\\ \nab", max_size=200))
def test_any_text_is_read_without_an_error(source: str) -> None:
    origin_of("t.toml", source, {"a": {"b": 1}, "b": 2})
