from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import DataError, TaskError
from trivet.tasks.file import load, variants
from trivet.tasks.output import Labels, Model, Schema, Text
from trivet.tasks.plan import Plan
from trivet.tasks.task import Task

TRIAGE = '''model = "gpt-5.4-mini"
instructions = "You label support tickets."
prompt = """
Classify the ticket into one of: {{ labels | join(', ') }}.

{{ ticket }}
"""

[output]
labels = ["billing", "other"]

[params]
max_output_tokens = 16
text = {a = 1}

[cache]
normalise = true
version = 1

[plan]
effort = "none"

[variants.verbose]
prompt = """You are an expert.
{{ ticket }} {{ labels }}"""

[variants.nano]
model = "gpt-5.4-nano"
instructions = ""
params.text.b = 2
plan.effort = "low"
cache.version = 2

[variants.summary]
prompt = "Summarise: {{ ticket }}"
[variants.summary.output]
text = {bullets = 3, max_words = 12}
'''

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(source: str) -> Path:
        path = tmp_path / "triage.toml"
        path.write_text(source, encoding="utf-8")
        return path

    return written


def sent(task: Task, **row: Any) -> dict[str, Any]:
    request = task.request(row)
    body: dict[str, Any] = json.loads(request.head + request.tail)
    return body


def test_a_file_becomes_the_task_it_describes(write: Write) -> None:
    task = load(write(TRIAGE))
    assert sent(task, ticket="Help") == {
        "model": "gpt-5.4-mini",
        "instructions": "You label support tickets.",
        "input": "Classify the ticket into one of: billing, other.\n\nHelp",
        "text": {"a": 1},
        "reasoning": {"effort": "none"},
        "max_output_tokens": 16,
    }
    assert task.output == Labels("billing", "other")
    assert (task.cache_version, task.normalise, task.name) == (1, True, "triage")
    assert Task.load(str(write(TRIAGE))).digest == task.digest


def test_a_task_of_a_file_and_one_of_python_are_the_same_task(write: Write) -> None:
    assert (
        load(write(TRIAGE), "summary").digest
        == Task(
            "Summarise: {{ ticket }}",
            output=Text(bullets=3, max_words=12),
            instructions="You label support tickets.",
            params={"max_output_tokens": 16, "text": {"a": 1}},
            plan=Plan(effort="none"),
            cache_version=1,
            normalise=True,
        ).digest
    )


def test_a_variant_differs_in_what_it_says_and_in_nothing_else(write: Write) -> None:
    all_of_them = variants(write(TRIAGE))
    assert list(all_of_them) == ["base", "verbose", "nano", "summary"]
    base, verbose, nano, summary = all_of_them.values()
    assert verbose.prompt.startswith("You are an expert.")
    assert verbose.with_(prompt=base.prompt).digest == base.digest
    assert (nano.model, nano.instructions, nano.plan.effort) == ("gpt-5.4-nano", None, "low")
    assert nano.params == {"max_output_tokens": 16, "text": {"a": 1, "b": 2}}
    assert (nano.cache_version, nano.normalise) == (2, True)
    assert summary.output == Text(bullets=3, max_words=12)
    assert summary.params == base.params


def test_the_task_itself_may_have_a_name_among_its_variants(write: Write) -> None:
    path = write('base = "concise"\n' + TRIAGE)
    assert list(variants(path)) == ["concise", "verbose", "nano", "summary"]
    assert load(path).digest == load(path, "concise").digest == load(path, "base").digest
    assert load(path, "verbose").digest != load(path).digest


def test_a_line_of_a_prompt_is_named_as_the_line_of_the_file(write: Write) -> None:
    path = write(TRIAGE)
    for variant, line in ((None, 6), ("verbose", 25), ("nano", 6), ("summary", 35)):
        with pytest.raises(DataError, match=rf"triage\.toml:{line}\): it has 'id'"):
            load(path, variant).request({"id": 1})


def test_changes_of_a_task_are_not_blamed_on_the_file(write: Write) -> None:
    with pytest.raises(DataError, match=r"\(used in the prompt at .*triage\.toml, line 2 of the prompt\)"):
        load(write(TRIAGE)).with_(prompt="x\n{{ y }}").request({})


PROMPT = 'prompt = "{{ x }}"\n'

WRONG: list[tuple[str, str]] = [
    ("modl = 'x'\n" + PROMPT, r"triage\.toml:1: unknown key 'modl' \(did you mean 'model'\?\)"),
    ("model = 3\n" + PROMPT, r"triage\.toml:1: model must be text, not a number"),
    ("model = ''\n" + PROMPT, r"triage\.toml:1: model must be the name of a model"),
    ("prompt = ['x']", r"triage\.toml:1: prompt must be text, not a list"),
    ("", r"triage\.toml: there is no prompt: write prompt = "),
    (
        "[params]\n" + PROMPT,
        r"triage\.toml: there is no prompt \(the one at line 2 stands under \[params\]\)",
    ),
    ("prompt = ''", r"triage\.toml:1: the prompt is empty"),
    ("prompt = 'Hi'", r"triage\.toml:1: the prompt uses no column"),
    ("prompt = '''\na\n{{ x'''", r"not a valid template at .*triage\.toml:3: unexpected end"),
    ("output = 3\n" + PROMPT, r"triage\.toml:1: output must be a table, not a number: \[output\]"),
    ("max_output_tokens = 3\n" + PROMPT, r"triage\.toml:1: .* it belongs under \[params\]"),
    ("labels = ['a']\n" + PROMPT, r"triage\.toml:1: .* it belongs under \[output\]"),
    (PROMPT + "[output]\nmodel = 'x'", r"triage\.toml:3: .* it belongs above the first \[section\]"),
    (
        PROMPT + "[output]",
        r"triage\.toml:2: output must have one of labels, schema, type, text, and it has nothing",
    ),
    (PROMPT + "[output]\ntext = true\nlabels = ['a']", r"and it has text and labels"),
    (PROMPT + "[output]\nlables = ['a']", r"triage\.toml:3: .*did you mean 'labels'"),
    (PROMPT + "[output]\nlabels = 'a'", r"triage\.toml:3: output\.labels must be a list of strings"),
    (PROMPT + "[output]\nlabels = ['a', 1]", r"triage\.toml:3: output\.labels must be a list of strings"),
    (PROMPT + "[output]\nlabels = ['a', 'a']", r"triage\.toml:3: label 'a' is given twice"),
    (PROMPT + "[output]\nlabels = []", r"triage\.toml:3: labels need at least one"),
    (PROMPT + "[output]\ntext = false", r"triage\.toml:3: output\.text must be true, or a table"),
    (PROMPT + "[output]\ntext = {bulets = 3}", r"triage\.toml:3: .*did you mean 'bullets'"),
    (PROMPT + "[output]\ntext = {bullets = 0}", r"triage\.toml:3: bullets must be a whole number"),
    (PROMPT + "[output.text]\nbullets = 'x'", r"triage\.toml:2: bullets must be a whole number"),
    (PROMPT + "[output]\nschema = 3", r"triage\.toml:3: output\.schema must be the name"),
    (PROMPT + "[output]\nschema = {type = 'objekt'}", r"triage\.toml:3: not a valid JSON Schema"),
    (
        PROMPT + "[output]\nschema = 'none.json'",
        r"triage\.toml:3: can't read the schema file '.*none\.json': No such",
    ),
    (PROMPT + "[output]\nschema = '.'", r"can't read the schema file '.*': Is a directory"),
    (PROMPT + "[output]\nschema = 'triage.toml'", r"the schema file '.*triage\.toml' is no JSON"),
    (PROMPT + "[output]\ntype = 3", r"output\.type must be text"),
    (PROMPT + "[output]\ntype = 'a:B'", r"triage\.toml:3: type = 'a:B' imports code: pass --allow-code"),
    (PROMPT + "[params]\ninput = 'x'", r"triage\.toml:3: 'input' can't be one of the params"),
    (PROMPT + "[params]\nmax_output_tokens = '3'", r"triage\.toml:3: max_output_tokens must be"),
    (PROMPT + "[params]\na = 1\ntop_p = nan", r"triage\.toml:4: .*top_p"),
    (PROMPT + "[params]\nday = 2026-11-23", r"triage\.toml:3: .*day"),
    (PROMPT + "[cache]\nnormalize = true", r"triage\.toml:3: .*did you mean 'normalise'"),
    (PROMPT + "[cache]\nnormalise = 'yes'", r"triage\.toml:3: normalise must be true or false"),
    (PROMPT + "[cache]\nversion = -1", r"triage\.toml:3: the cache version must be"),
    (
        PROMPT + "[plan]\n\neffrt = 'low'",
        r"triage\.toml:4: unknown option 'effrt' of a plan \(did you mean 'effort'\?\)",
    ),
    (PROMPT + "[plan]\npack = 3", r"triage\.toml:3: .*'pack' is not available in this version"),
    (PROMPT + "[plan]\ntier = 'batch'", r"triage\.toml:3: tier 'batch' is not available"),
    (
        PROMPT + "[plan]\neffort = 'low'\n[params.reasoning]\neffort = 'low'",
        r"triage\.toml:5: 'reasoning\.effort' is set",
    ),
    (PROMPT + "[prices]\nx = 1", r"triage\.toml:2: unknown key 'prices'"),
    (PROMPT + "base = 3", r"triage\.toml:2: base must be text"),
    (PROMPT + "variants = 3", r"triage\.toml:2: variants must be tables"),
    (PROMPT + "[variants]\na = 3", r"triage\.toml:3: variants\.a must be a table"),
    (PROMPT + "[variants.base]", r"triage\.toml:2: the variant 'base' has the task's own name"),
    ("base = 'a'\n" + PROMPT + "[variants.a]", r"triage\.toml:3: the variant 'a' has the task's own name"),
    (
        PROMPT + "[variants.a]\npromt = 'x'",
        r"triage\.toml:3: unknown key 'variants\.a\.promt' \(did you mean 'prompt'",
    ),
    (PROMPT + "[variants.a]\nlabels = ['x']", r"triage\.toml:3: .* it belongs under \[variants\.a\.output\]"),
    (PROMPT + "[variants.a.output]\nx = 1", r"triage\.toml:3: unknown key 'variants\.a\.output\.x'"),
    (PROMPT + "x = ", r"triage\.toml:2: this is not TOML: "),
    (PROMPT + PROMPT, r"triage\.toml:2: this is not TOML: a key is given twice"),
    (PROMPT + "x = '''", r"triage\.toml:2: this is not TOML: "),
    ("x = " + "[" * 100_000, r"triage\.toml: it is nested too deeply|not TOML"),
]


@pytest.mark.parametrize(("source", "message"), WRONG)
def test_whatever_is_wrong_is_one_sentence_with_the_file_and_the_line(write: Write, source: str, message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        load(write(source))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_schema_file_is_looked_for_beside_the_task_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "ticket.schema.json").write_text('\ufeff{"type": "object", "title": "Ticket"}', encoding="utf-8")
    contract = load(write(PROMPT + "[output]\nschema = 'ticket.schema.json'")).contract
    assert isinstance(contract, Schema)
    assert contract.name == "Ticket"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON"),
        (b"\xff{}", "is not UTF-8"),
        (b'{"a": 1, "a": 2}', "there twice"),
        (b"[]", "a schema must be a JSON object"),
        (b"{" + b" " * 16_000_000, "larger than 16 MB"),
    ],
)
def test_a_broken_schema_file_is_a_task_error(write: Write, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "s.json").write_bytes(content)
    with pytest.raises(TaskError, match=rf"triage\.toml:3: .*{message}"):
        load(write(PROMPT + "[output]\nschema = 's.json'"))


def test_a_schema_may_stand_in_the_file(write: Write) -> None:
    task = load(write(PROMPT + "[output.schema]\ntype = 'object'\nproperties.a.type = 'string'"))
    assert task.contract.fields()["text"]["format"]["schema"] == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
    }


MODELS = """
from pydantic import BaseModel
class Ticket(BaseModel):
    category: str
number = 3
"""


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (MODELS, "Nothing", "has no 'Nothing'"),
        (MODELS, "number", "must be a pydantic model class, not 3"),
        ("import nowhere_to_be_found", "Ticket", "there is no module 'nowhere_to_be_found'"),
        ("1 / 0", "Ticket", "ZeroDivisionError: division by zero"),
        ("def (", "Ticket", "SyntaxError"),
    ],
)
def test_code_that_can_t_be_used_is_a_task_error(
    write: Write, tmp_path: Path, code: str, name: str, message: str
) -> None:
    module = f"models_{abs(hash((code, name)))}"
    (tmp_path / f"{module}.py").write_text(code)
    with pytest.raises(TaskError, match=rf"triage\.toml:3: .*{message}"):
        load(write(PROMPT + f"[output]\ntype = '{module}:{name}'"), allow_code=True)


def test_code_is_imported_from_beside_the_file_and_only_when_allowed(write: Write, tmp_path: Path) -> None:
    (tmp_path / "ticket_models_here.py").write_text(MODELS)
    path = write(PROMPT + "[variants.typed.output]\ntype = 'ticket_models_here:Ticket'")
    load(path)
    with pytest.raises(TaskError, match="--allow-code"):
        load(path, "typed")
    assert "ticket_models_here" not in sys.modules
    before = list(sys.path)
    contract = load(path, "typed", allow_code=True).contract
    assert isinstance(contract, Model)
    assert contract.parse('{"category": "x"}').category == "x"
    assert sys.path == before
    assert isinstance(variants(path, allow_code=True)["typed"].contract, Model)


@pytest.mark.parametrize("spec", ["models", "models:", ":Ticket", "a b:C", "a:b.c", "../x:Y", "os.path:join("])
def test_a_type_that_names_no_model_is_a_task_error(write: Write, spec: str) -> None:
    with pytest.raises(TaskError, match=r"triage\.toml:3: .*package\.module:Model"):
        load(write(PROMPT + f"[output]\ntype = '{spec}'"), allow_code=True)


def test_a_missing_file_is_answered_with_the_nearest(write: Write, tmp_path: Path) -> None:
    write(TRIAGE)
    with pytest.raises(TaskError, match=r"there is no task file '.*triag\.toml' \(did you mean '.*triage\.toml'\?\)"):
        load(tmp_path / "triag.toml")
    with pytest.raises(TaskError, match=r"is a folder: name the task file in it .*triage"):
        load(tmp_path)
    with pytest.raises(TaskError, match="there is no folder"):
        load(tmp_path / "nowhere" / "x.toml")
    with pytest.raises(TaskError, match="there is no variant 'verbos' \\(did you mean 'verbose'\\?\\): it has base, "):
        load(tmp_path / "triage.toml", "verbos")


def test_a_file_that_is_no_text_or_no_task_is_a_task_error(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(b"model = 'x'\n\n# \xff")
    with pytest.raises(TaskError, match=r"t\.toml:3: the file is not UTF-8"):
        load(path)
    path.write_bytes(b"# x\n" * 12_500_000)
    with pytest.raises(TaskError, match="larger than 16 MB"):
        load(path)
    with pytest.raises(TaskError, match="can't read the task file"):
        load("a\0b")


def test_a_byte_order_mark_and_windows_line_breaks_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TRIAGE.replace("\n", "\r\n").encode())
    task = load(path)
    assert sent(task, ticket="x")["input"] == "Classify the ticket into one of: billing, other.\n\nx"
    with pytest.raises(DataError, match=r"t\.toml:6"):
        task.request({})


WORDS = [
    "model",
    "prompt",
    "instructions",
    "output",
    "labels",
    "text",
    "params",
    "cache",
    "plan",
    "variants",
    "base",
]
VALUES = st.recursive(
    st.sampled_from(['"{{ x }}"', "true", "3", "'a'", "nan", "2026-01-01", "['a']", "{}"]),
    lambda inner: st.lists(inner, max_size=2).map(lambda each: f"[{', '.join(each)}]"),
)


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.lists(st.sampled_from(WORDS), max_size=2), VALUES), max_size=6))
def test_any_document_is_a_task_or_a_task_error(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, list[str], str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("".join(f"{'.'.join([first, *more])} = {value}\n" for first, more, value in entries))
    try:
        variants(path)
    except TaskError as error:
        assert str(error) and "\n" not in str(error)
