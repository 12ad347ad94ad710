"""Answers have the form that was asked for, whatever the ticket says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from trivet.sim.labels import rank

LABELS = "billing, technical_support, account_access, general_inquiry"
PROMPT = f"Classify the support ticket into one of: {LABELS}.\nReturn only the label.\n\nTicket:\n"
TICKET = (
    "The app crashes whenever I upload a photo. It began after the last update. I have reinstalled it twice. "
    "My phone is two years old. Please help me soon."
)
VERBOSE = (
    "You are an expert assistant working with a customer support team. Read the ticket below with great care, "
    "consider the overall context and the intent of the customer, and think about which of the categories fits "
    f"best. The categories are: {LABELS}. Weigh each of the categories before you decide, because it is very "
    "important that every ticket reaches the right team without any delay.\n\nTicket:\n"
)


@pytest.mark.parametrize(
    ("ticket", "label"),
    [
        ("I was charged twice this month, please refund me", "billing"),
        ("The app crashes with an error on start", "technical_support"),
        ("I forgot my password and cannot log in", "account_access"),
        ("What are your opening hours?", "general_inquiry"),
    ],
)
def test_a_label_fits_the_words_of_the_ticket(provider: Any, ticket: str, label: str) -> None:
    """And is all that is said when only the label is asked for."""
    assert provider().ask(PROMPT + ticket).text == label


@pytest.mark.parametrize(
    "ticket", ["", "👩‍👩‍👧‍👦", "لم أستلم بطاقتي", "zzz qqq", "\x00\x01", "billing " * 5000, "{{ x }}"]
)
def test_the_answer_is_a_label_whatever_the_ticket(provider: Any, ticket: str) -> None:
    """Garbage, other scripts and floods included."""
    assert provider().ask(PROMPT + ticket).text in LABELS.split(", ")


def test_a_label_shares_words_with_its_text_among_77() -> None:
    """Names with underscores are read as words; a rare word counts for more than a common one."""
    names = ["activate_my_card", "card_arrival", "card_swallowed", "lost_or_stolen_card", "age_limit"]
    names += [f"card_topic_{n}" for n in range(72)]
    labels = tuple((name, "") for name in names)
    assert rank(labels, "How do I activate my new card?")[0][1] == "activate_my_card"
    assert rank(labels, "My card was stolen yesterday")[0][1] == "lost_or_stolen_card"
    assert rank(labels, "Is there an age limit for children?")[0][1] == "age_limit"


def test_input_may_be_a_list_of_messages(provider: Any) -> None:
    """System and developer text is the ask, the user's the matter; parts are joined."""
    parts = [{"type": "input_text", "text": "I was charged"}, {"type": "input_text", "text": "twice"}]
    for role in ("system", "developer"):
        messages = [{"role": role, "content": PROMPT.split("Ticket")[0]}, {"role": "user", "content": parts}]
        assert provider().ask(messages).text == "billing"
    ask = provider().ask("I was charged twice", instructions=f"Label it: {LABELS}. Only the label.")
    assert ask.text == "billing"


def test_bullets_and_words_are_exact(provider: Any) -> None:
    """Three bullets are three, and each keeps its bound."""
    text = provider().ask(f"Summarize in exactly 3 bullets, each under 12 words.\n\nTicket:\n{TICKET}").text
    lines = text.split("\n")
    assert len(lines) == 3
    assert all(line.startswith("- ") and len(line[2:].split()) < 12 for line in lines)


@pytest.mark.parametrize(
    ("words", "count"),
    [("one sentence", 1), ("two sentences", 2), ("three sentences", 3), ("8 sentences", 8)],
)
def test_sentences_are_as_many_as_asked(provider: Any, words: str, count: int) -> None:
    """Even when the ticket has fewer."""
    text = provider().ask(f"Summarize the ticket in {words}.\n\nTicket:\n{TICKET}").text
    assert len(re.findall(r"[.!?](?=\s|$)", text)) == count


def test_an_answer_under_some_words_keeps_the_bound(provider: Any) -> None:
    """Words are counted as a person would."""
    for bound in (1, 3, 7, 20):
        text = provider().ask(f"Summarize in at most {bound} words.\n\nTicket: {TICKET}").text
        assert 1 <= len(text.split()) <= bound


def test_keys_named_in_prose_make_a_json_object(provider: Any) -> None:
    """With a label, a summary of one sentence and an action."""
    ask = f"Return JSON with keys category (one of: {LABELS}), summary (one sentence) and next_action.\n\nTicket:\n"
    value = json.loads(provider().ask(ask + TICKET).text)
    assert list(value) == ["category", "summary", "next_action"]
    assert value["category"] == "technical_support"
    assert value["summary"].count(".") == 1
    assert value["next_action"].split()[0] in ("Reproduce", "Check", "Verify", "Answer", "Trace", "Confirm")


def test_an_unconstrained_verbose_prompt_gets_a_longer_answer(provider: Any) -> None:
    """The same question in many words, without a bound, costs output; a bound or low verbosity does not."""
    server = provider()
    concise = server.ask(PROMPT + TICKET).json["usage"]["output_tokens"]
    loose = server.ask(VERBOSE + TICKET)
    explained = server.ask("Explain your reasoning in detail. " + VERBOSE + TICKET)
    assert concise < 6
    assert loose.json["usage"]["output_tokens"] > 5 * concise
    assert explained.json["usage"]["output_tokens"] > loose.json["usage"]["output_tokens"]
    assert "technical_support" in loose.text
    assert server.ask(VERBOSE + TICKET, text={"verbosity": "low"}).text == "technical_support"


def test_rows_in_one_prompt_get_a_label_each(provider: Any) -> None:
    """Numbered as they came, or as a JSON array when one is asked for."""
    rows = "\n1. I was charged twice\n2. The app crashes\n3. refund please"
    ask = "Classify each ticket as billing or technical."
    assert provider().ask(f"{ask}\n\nTickets:{rows}").text == "1. billing\n2. technical\n3. billing"
    array = provider().ask(f"{ask} Return a JSON array.\n\nTickets:{rows}").text
    assert json.loads(array) == ["billing", "technical", "billing"]


def test_noise_changes_that_share_of_the_labels_between_attempts(provider: Any) -> None:
    """Without noise an answer repeats; with 30 % about 30 % differ, always to another label."""
    quiet, noisy = provider(), provider(noise=0.3)
    assert {quiet.ask(PROMPT + TICKET).text for _ in range(20)} == {"technical_support"}
    answers = [noisy.ask(PROMPT + TICKET).text for _ in range(400)]
    assert 0.2 < 1 - answers.count("technical_support") / 400 < 0.4
    assert set(answers) <= set(LABELS.split(", "))
