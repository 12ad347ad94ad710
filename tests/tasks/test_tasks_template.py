from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import DataError, TaskError
from trivet.tasks.template import Template
from trivet.tasks.where import Where

TRIAGE = "Choose one of: {{ labels | join(', ') }}.\n\nTicket:\n{{ ticket }}\n"


def test_a_row_is_filled_in_and_the_last_line_break_is_not_sent() -> None:
    template = Template(TRIAGE, provided={"labels": ("a", "b")})
    assert template.render({"ticket": "Help!"}) == "Choose one of: a, b.\n\nTicket:\nHelp!"


@given(
    st.text(alphabet=st.characters(codec="utf-8")) | st.sampled_from(["{{ 7*7 }}", "{% raw %}", "{# x #}", "שלום 🎉"])
)
def test_a_value_is_inserted_as_it_is_and_never_evaluated(value: str) -> None:
    assert Template("<{{ x }}>").render({"x": value}) == f"<{value}>"


def test_variables_are_the_columns_in_order_of_appearance() -> None:
    template = Template(
        "{{ b }}\n{% for item in a %}{{ item }}{{ loop.index }}{% endfor %}{% set c = 1 %}{{ c }}{{ labels }}"
        "{{ range(2) | list }}{% set n = namespace(total=0) %}{{ n.total }}{{ d | default('-') }}"
        "{% if e is defined %}{{ e }}{% endif %}",
        provided={"labels": ("x",)},
    )
    assert template.variables == ("b", "a", "d", "e")
    assert template.optional == {"d", "e"}


def test_a_lacking_column_is_named_with_its_line_and_the_nearest_column() -> None:
    with pytest.raises(DataError) as caught:
        Template("Hi\n\n{{ ticket }}").render({"id": 1, "tickets": "x"})
    assert str(caught.value) == (
        "row lacks column 'ticket' (used in the prompt at line 3): it has 'id', 'tickets' (did you mean 'tickets'?)"
    )


def test_a_lacking_column_of_a_file_is_named_with_the_file_and_its_line() -> None:
    where = Where(what="instructions", file="t.toml", line=4, exact=True)
    with pytest.raises(DataError, match=r"used in the instructions at t\.toml:5\): it is empty"):
        Template("Hi\n{{ ticket }}", where).render({})


def test_a_column_that_an_untaken_branch_uses_is_not_missed() -> None:
    assert Template("{% if a %}{{ b }}{% else %}no{% endif %}").render({"a": False}) == "no"


@pytest.mark.parametrize(
    "name", ["range", "namespace", "dict", "lipsum", "cycler", "joiner", "items", "self_", "loop_"]
)
def test_a_column_may_be_named_like_something_of_the_engine(name: str) -> None:
    template = Template("{{ " + name + " }}")
    assert template.variables == (name,)
    assert template.render({name: "mine"}) == "mine"
    with pytest.raises(DataError, match="lacks column"):
        template.render({})


def test_what_the_task_provides_wins_over_a_column_of_that_name() -> None:
    assert Template("{{ labels[0] }}{{ x }}", provided={"labels": ("a",)}).render({"labels": "no", "x": 1}) == "a1"
    assert Template("{{ range(2) | list }}{{ x }}").render({"range": 5, "x": 1}) == "[0,1]1"


def test_a_field_of_an_object_wins_over_a_method_of_that_name() -> None:
    assert Template("{{ order.items | join('+') }}").render({"order": {"items": ["a", "b"]}}) == "a+b"
    assert Template("{% for k, v in order.items() %}{{ k }}{{ v }}{% endfor %}").render({"order": {"a": 1}}) == "a1"


def test_json_in_a_prompt_is_not_escaped_for_html() -> None:
    assert Template("{{ x | tojson }}").render({"x": {"a": "<é & 'z'>"}}) == '{"a":"<é & \'z\'>"}'


def test_a_row_whose_columns_are_not_all_text_still_works() -> None:
    assert Template("{{ a }}").render({1: "x", "a": "b"}) == "b"  # type: ignore[dict-item]


@pytest.mark.parametrize("row", [[1], "text", None, 3])
def test_a_row_that_is_no_mapping_is_a_data_error(row: object) -> None:
    with pytest.raises(DataError, match="a row must be a mapping"):
        Template("{{ a }}").render(row)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{{ a", 1),
        ("x\n\n{{ a }", 3),
        ("{% for %}", 1),
        ("x\n{% if a %}", 2),
        ("x\n{% include 'secrets' %}", 2),
        ("{% import 'x' as y %}", 1),
        ("{% extends 'x' %}", 1),
        ("a\n{{ b | joim(',') }}", 2),
        ("a\n{{ b is definde }}", 2),
        ("{% trans %}x{% endtrans %}", 1),
    ],
)
def test_a_source_that_is_no_template_is_a_task_error_with_its_line(source: str, line: int) -> None:
    with pytest.raises(TaskError, match=rf"the prompt is not a valid template at line {line}: ") as caught:
        Template(source)
    assert "\n" not in str(caught.value)


def test_a_misspelt_filter_is_answered_with_the_nearest() -> None:
    with pytest.raises(TaskError, match=r"there is no filter 'joim' \(did you mean 'join'\?\)"):
        Template("{{ b | joim(',') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% if a %}" * 300 + "{% endif %}" * 300,
        "x" * 10_000_001,
    ],
)
def test_a_source_beyond_all_bounds_is_a_task_error(source: str) -> None:
    with pytest.raises(TaskError):
        Template(source)


@pytest.mark.parametrize("source", [3, None, b"x", ["x"]])
def test_a_source_that_is_no_text_is_a_task_error(source: object) -> None:
    with pytest.raises(TaskError, match="must be text"):
        Template(source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "source",
    [
        "x\n{{ a | round('x') }}",
        "x\n{{ a.b.c }}",
        "x\n{{ a + 1 }}",
        "x\n{{ 1 / (a | length - 1) }}",
        "x\n{{ a | map('upper') }}",
        "x\n{% for i in range(10**9) %}{{ i }}{% endfor %}{{ a }}",
        "x\n{{ 'x' * 10**15 }}{{ a }}",
        "x\n{{ a * 10**15 }}",
        "x\n{{ 9 ** (9 ** 9) }}{{ a }}",
        "{% macro m() %}\n{{ m() }}{% endmacro %}{{ m() }}{{ a }}",
        "x\n{{ a.upper }}",
    ],
)
def test_what_fails_while_filling_in_is_a_data_error_with_its_line(source: str) -> None:
    with pytest.raises(DataError, match="can't be filled in with this row at line 2: "):
        Template(source).render({"a": "b"})


@pytest.mark.parametrize("source", ["{{ a.__class__.__mro__ }}", "{{ ''.__class__ }}", "{{ a.__init__.__globals__ }}"])
def test_reaching_for_the_interpreter_is_a_task_error(source: str) -> None:
    with pytest.raises(TaskError, match="does what templates may not"):
        Template(source).render({"a": "b"})


@given(st.text(alphabet="{}%#|ab.()[]'\"\n 1*-", max_size=60))
def test_any_source_renders_or_raises_our_errors(source: str) -> None:
    try:
        Template(source).render({"a": "x", "b": [1]})
    except (TaskError, DataError) as error:
        assert str(error) and "\n" not in str(error)
