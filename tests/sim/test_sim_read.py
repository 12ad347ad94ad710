"""Prompts in plain words are read as a person would read them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.sim import content
from trivet.sim.read import find_labels, read

NAMES = ("billing", "technical_support", "account_access", "general_inquiry")
LISTS = [
    "Classify into one of: billing, technical_support, account_access, general_inquiry.",
    "Classify into one of: billing, technical_support, account_access, or general_inquiry. Return only the label.",
    "Categories: billing, technical_support, account_access, general_inquiry",
    "Choose from [billing, technical_support, account_access, general_inquiry].",
    'Allowed labels: ["billing", "technical_support", "account_access", "general_inquiry"]',
    "Label it (billing, technical_support, account_access, general_inquiry) and stop.",
    "Valid categories are: `billing`, `technical_support`, `account_access` and `general_inquiry`.",
    "The category must be billing, technical_support, account_access or general_inquiry.",
    "Classify the ticket as billing, technical_support, account_access, or general_inquiry.",
    "Pick one of billing | technical_support | account_access | general_inquiry",
    "Use these categories:\n- billing\n- technical_support\n- account_access\n- general_inquiry\n",
    "Categories:\n1. billing\n2. technical_support\n3. account_access\n4. general_inquiry\n\nThink.",
    "The labels are:\n* **billing**: payments, invoices\n* **technical_support**: faults\n"
    "* **account_access**: logins\n* **general_inquiry**: all else\n",
    "Choose from the following intents:\nbilling\ntechnical_support\naccount_access\ngeneral_inquiry\n",
    "Return one of:\nbilling, technical_support,\naccount_access, general_inquiry",
    "Decide which of the categories billing, technical_support, account_access, general_inquiry fits best.",
    "Tell which of the labels billing, technical_support, account_access and general_inquiry it is.",
]


@pytest.mark.parametrize("ask", LISTS)
def test_labels_are_found_however_they_are_listed(ask: str) -> None:
    """Inline, in brackets, quoted, as bullets, numbered, described, one a line."""
    assert tuple(name for name, _ in find_labels(ask)) == NAMES


def test_guidance_in_bullets_is_not_a_list_of_labels() -> None:
    """Sentences after bullets are advice; the labels are elsewhere, or nowhere."""
    advice = "Classify it.\n- Read the whole ticket with care before you decide anything.\n- Be polite and kind.\n"
    assert find_labels(advice) == ()
    assert [name for name, _ in find_labels(advice + "Labels: spam, ham")] == ["spam", "ham"]


def test_a_turn_of_phrase_after_a_noun_is_no_list() -> None:
    """Words between commas are labels only where there are several of them."""
    assert find_labels("Use the categories below, and explain.") == ()
    assert find_labels("Say which of the options fits, and why.") == ()


def test_many_labels_are_all_found() -> None:
    """A list of 77 names with underscores comes out whole."""
    names = [f"intent_number_{n}" for n in range(77)]
    assert [name for name, _ in find_labels("Intents: " + ", ".join(names) + ".\nReturn only the intent.")] == names


@pytest.mark.parametrize(
    ("ask", "field", "value"),
    [
        ("Summarize in exactly 3 bullets", "bullets", 3),
        ("Give three bullet points", "bullets", 3),
        ("a 5-bullet list", "bullets", 5),
        ("Summarise in one sentence.", "sentences", 1),
        ("Write two short sentences.", "sentences", 2),
        ("in 2-3 sentences", "sentences", 3),
        ("in a single sentence", "sentences", 1),
        ("under 12 words", "words", 11),
        ("at most 12 words", "words", 12),
        ("no more than twenty words", "words", 20),
        ("in 15 words or less", "words", 15),
        ("no longer than 80 characters", "characters", 80),
        ("How many items were ordered? Return only the number.", "kind", "number"),
        ("Rate the urgency from 1 to 5.", "high", 5),
        ("Return only the label", "bare", True),
        ("No explanation.", "bare", True),
        ("Explain your reasoning step by step", "explain", True),
        ("Do not explain your reasoning", "explain", False),
        ("Suggest the next action", "topic", "action"),
    ],
)
def test_sizes_and_manners_are_read(ask: str, field: str, value: object) -> None:
    """Counts in digits and words, bounds inclusive and exclusive."""
    assert getattr(read(ask), field) == value


@pytest.mark.parametrize(
    "ask",
    [
        "Return JSON with keys category, summary and next_action.",
        'Return a JSON object with the keys "category", "summary" and "next_action". Category is one of a, b.',
        "Return JSON with keys category (one of: a, b), summary (one sentence), and next_action.",
        "Return a JSON object with the following fields:\n- category: one of a, b\n- summary: short\n- next_action: x",
        'Respond as JSON: {"category": "a|b", "summary": "...", "next_action": "..."}',
        'Respond as JSON like {"category": <label>, "summary": <text>, "next_action": <text>}',
    ],
)
def test_json_keys_are_found_in_prose_and_examples(ask: str) -> None:
    """In their order."""
    assert [name for name, _ in read(ask).keys] == ["category", "summary", "next_action"]


def test_each_key_has_the_shape_its_clause_gives() -> None:
    """Labels, words and switches belong to the key they are said of."""
    ask = (
        "Return JSON with keys:\n- category: one of billing, other\n- summary: at most 8 words\n- urgent: true or false"
    )
    shapes = dict(read(ask).keys)
    assert [name for name, _ in shapes["category"].labels] == ["billing", "other"]
    assert shapes["summary"].words == 8
    assert shapes["summary"].labels == ()
    assert shapes["urgent"].kind == "boolean"


@pytest.mark.parametrize(
    "prompt",
    [
        "Label this.\n\nTicket:\n{}",
        "Label this.\nTicket: {}\n\nReturn only the label.",
        "Label this.\n<ticket>\n{}\n</ticket>\nAnswer now.",
        'Label this.\n"""\n{}\n"""',
        "Label this.\n```\n{}\n```",
        "Classify this ticket as a or b: {}",
        "Ticket: {}\n\nCategory:",
        "Summarize the text.\n\n{}",
        "Customer message: {}",
        "Label this. Labels: a, b.\n\nHere is the ticket that you should label:\n\n{}\n\nThank you for your help!",
        "Ticket: I was charged twice\nLabel: billing\n\nTicket: the app crashes\nLabel: bug\n\nTicket: {}\nLabel:",
    ],
)
def test_the_matter_is_told_from_what_is_asked(prompt: str) -> None:
    """By cues, tags, fences, quotes or place; the ask does not contain it."""
    matter = "The package never arrived and nobody answers my calls"
    ask, found = content.split("", prompt.format(matter))
    assert found == matter
    assert matter not in ask


def test_with_instructions_the_whole_message_is_the_matter() -> None:
    """Nothing of the user's text is taken for an instruction."""
    assert content.split("Label it.", "please return: my order")[1] == "please return: my order"


def test_numbered_rows_are_told_apart() -> None:
    """In several notations; a single text is none."""
    for text in (
        "1. one\n2. two\n3. three",
        "[1] one\n[2] two\n[3] three",
        "Ticket 1: one\nTicket 2: two\nTicket 3: three",
        '<row n="1">one</row>\n<row n="2">two</row>\n<row n="3">three</row>',
    ):
        assert content.rows(text) == [("1", "one"), ("2", "two"), ("3", "three")]
    assert content.rows("one text. It has 2. sentences") == []


@settings(max_examples=200)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_can_be_read(system: str, user: str) -> None:
    """No text makes the reading fail, and the matter is empty only for an empty prompt."""
    ask, matter = content.split(system, user)
    read(ask)
    content.rows(matter)
    assert bool(matter.strip()) or not user.strip()


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "\n",
        "- x\n",
        "one of: ",
        "(",
        "{",
        '{"a":',
        "<a>",
        '"',
        "1. x\n",
        "or ",
        "Ticket: ",
        "json keys ",
        "categories a, b, ",
        "categories a,",
        "```",
        "a,",
    ],
)
def test_a_huge_repetitive_prompt_is_read_in_bounded_time(unit: str) -> None:
    """No regular expression of the reading goes quadratic on a megabyte."""
    text = unit * (1_000_000 // len(unit))
    start = time.perf_counter()
    ask, matter = content.split("", text)
    read(ask)
    content.rows(content.clip(matter))
    assert time.perf_counter() - start < 3
