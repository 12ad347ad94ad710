"""The linter on tasks, files and strings, and what it does with what nobody meant as a prompt."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trivet
from trivet.errors import TaskError, UsageError
from trivet.linting.lint import lint_text
from trivet.linting.mask import fields
from trivet.linting.rewrite import objections, taken
from trivet.linting.write import append

TRIAGE = Path(__file__).parent.parent.parent / "examples" / "triage" / "triage.toml"
DAY = date(2026, 11, 23)


def test_the_verbose_triage_prompt_loses_two_thirds_and_no_definition() -> None:
    found = trivet.lint(TRIAGE, variant="verbose", day=DAY)
    assert found.tokens_after < 0.34 * found.tokens_before
    for kept in ("payments, invoices and refunds", "logging in, passwords and permissions", "everything else"):
        assert kept in found.prompt
    assert {"role", "filler", "contract", "prose_labels"} <= {each.code for each in found.findings}
    assert found.saved_per_million_calls == 1_000_000 * (found.tokens_before - found.tokens_after)
    assert found.usd_per_million_calls == found.saved_per_call * Decimal("0.75")
    assert found.compare is not None
    assert "--variants verbose,verbose_short" in found.compare


def test_a_finding_points_at_its_line_of_the_file() -> None:
    source = TRIAGE.read_text().split("\n")
    for each in trivet.lint(TRIAGE, variant="verbose").findings:
        assert each.line is not None
        assert each.text[:9] in source[each.line - 1]


def test_a_concise_task_has_no_findings() -> None:
    found = trivet.lint(TRIAGE)
    assert found.findings == ()
    assert not found.changed
    assert found.compare is None


def test_a_string_is_a_prompt_and_a_path_a_file(tmp_path: Path) -> None:
    text = "You are a helpful assistant. Summarise {{ text }} in one sentence. Thank you so much!"
    file = tmp_path / "prompt.md"
    file.write_text(text)
    assert trivet.lint(text).prompt == trivet.lint(file).prompt == "Summarise {{ text }} in one sentence."


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe\x00"])
def test_a_file_that_holds_no_prompt_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.txt").write_bytes(content)
    with pytest.raises(TaskError):
        trivet.lint(tmp_path / "p.txt")


def test_what_is_no_prompt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        trivet.lint(7)  # type: ignore[arg-type]
    with pytest.raises(TaskError):
        trivet.lint(tmp_path / "none.txt")


def test_a_prefix_just_too_short_to_be_cached_is_named() -> None:
    rules = "\n".join(f"- Tickets on product {n} go to desk {n * 7}." for n in range(70))
    task = trivet.Task(f"{rules}\n\n{{{{ ticket }}}}", params={"max_output_tokens": 9})
    (near,) = [each for each in trivet.lint(task).findings if each.code == "cache_length"]
    assert 768 <= near.tokens < 1024


def test_instructions_are_linted_beside_the_prompt() -> None:
    task = trivet.Task(
        "{{ ticket }}", instructions="You are a helpful assistant. Please answer in ten words. Thank you!"
    )
    found = trivet.lint(task)
    assert found.instructions == "Answer in ten words."
    assert found.prompt == "{{ ticket }}"
    assert {each.where for each in found.findings} == {"instructions", "params"}


def test_other_languages_are_left_alone_and_said_so() -> None:
    text = "Vous êtes un assistant utile. Merci de résumer le texte avec soin. {{ texte }}"
    found = trivet.lint(text)
    assert found.prompt == text
    assert any("English" in note for note in found.notes)


def test_a_rewritten_prompt_that_lost_something_is_not_offered() -> None:
    old = "Please classify the ticket as billing or sales, and nothing else at all: {{ ticket }}"
    assert objections(old, "Classify as billing or sales: {{ ticket }}", ["billing", "sales"]) == []
    assert any("{{ticket}}" in each for each in objections(old, "Classify as billing or sales.", ["billing", "sales"]))
    assert any("'sales'" in each for each in objections(old, "Classify billing: {{ ticket }}", ["billing", "sales"]))
    assert any("no shorter" in each for each in objections(old, old, None))
    assert objections(old, " ", None) == ["it is empty"]


def test_a_rewritten_prompt_is_taken_out_of_its_fence() -> None:
    assert taken("```text\n<template>\nGo {{ x }}\n</template>\n```") == "Go {{ x }}"


def test_a_written_variant_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """The bytes before it stay, odd texts come back as they were, and what else the variant had goes along."""
    file = tmp_path / "t.toml"
    source = '# a comment\nprompt = "Ask {{ x }}"\n[variants.v]\nparams = {max_output_tokens = 5, a = ["b", true]}\n'
    file.write_text(source)
    for number, text in enumerate(['a\\b {{ x }} "', "'''\"\"\" {{ x }}", "\u0007{{ x }}\r\n", "\n{{ x }}\n"]):
        append(file, f"n{number}", {"prompt": text}, like="v")
        task = trivet.Task.load(file, f"n{number}")
        assert task.prompt == text
        assert task.params == {"max_output_tokens": 5, "a": ["b", True]}
    assert file.read_text().startswith(source)
    assert [path.name for path in tmp_path.iterdir()] == ["t.toml"]


def test_a_variant_that_can_not_be_added_leaves_the_file(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    source = 'prompt = "Ask {{ x }}"\nvariants = {v = {prompt = "Go {{ x }}"}}\n'
    file.write_text(source)
    for name in ("w", "v", "base", "a b"):
        with pytest.raises(TaskError):
            append(file, name, {"prompt": "{{ x }}"}, like=None)
    assert file.read_text() == source
    assert [path.name for path in tmp_path.iterdir()] == ["t.toml"]


PARTS = [
    *(
        "Please ",
        "do not ",
        "You are a helpful assistant. ",
        "{{ x }}",
        "{% if a %}",
        "{% endif %}",
        "\n",
        "\n\n",
        "- ",
    ),
    *(
        "1. ",
        "Return only JSON. ",
        "Think step by step. ",
        "if ",
        "**bold** ",
        "# Head\n",
        "'q'",
        '"',
        "```\n",
        "Thanks! ",
    ),
    *(
        "Example:\n",
        "Input: a\n",
        "It is very important that you ",
        "MUST NOT ",
        "ticket ",
        ". ",
        "! ",
        ": ",
        "{name} ",
    ),
    *(
        "Do not lie. ",
        "answer the question. ",
        "<example>",
        "</example>",
        "{{",
        "}}",
        "{%",
        "🎉",
        "مرحبا ",
        "\t",
        "\x00",
        "-----\n",
    ),
]


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=30))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_mixture_gets_no_longer_and_is_mended_once(parts: list[str]) -> None:
    text = "".join(parts)
    if not text.strip():
        return
    found = lint_text(text)
    assert found.tokens_after <= found.tokens_before
    assert fields(found.prompt) == fields(text)
    assert not lint_text(found.prompt).changed


@given(st.text(min_size=1, max_size=300))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_can_be_linted(text: str) -> None:
    if text.strip():
        assert fields(lint_text(text).prompt) == fields(text)


@pytest.mark.parametrize(
    "unit", ["{", "{{ ", "{% ", "<example>", "```\n", '"', "**", ".", " ", "\n", '{"a": ', "very ", "You must "]
)
def test_a_long_repetition_ends(unit: str) -> None:
    """No rule runs away on a text made against it."""
    text = unit * (20_000 // len(unit)) + " go"
    assert fields(lint_text(text).prompt) == fields(text)


def test_the_order_of_shuffled_sentences_decides_nothing_of_what_survives() -> None:
    sentences = [
        "Thank you!",
        "Never mention prices.",
        "Use metric units.",
        "Please be very careful.",
        "Answer in French.",
    ]
    for seed in range(10):
        random.Random(seed).shuffle(sentences)
        prompt = lint_text(" ".join(sentences)).prompt
        assert all(
            each.rstrip(".") in prompt for each in ("Never mention prices.", "Use metric units.", "Answer in French.")
        )
        assert "Thank" not in prompt
