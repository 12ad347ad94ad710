"""Over prompts in many styles: what is waste is named, what carries meaning survives."""

from __future__ import annotations

import pytest
from linting_corpus import Case, read

from trivet.linting import waste, words
from trivet.linting.document import parse
from trivet.linting.mask import Masks, fields, is_labels
from trivet.linting.measure import Meter

CASES = read()
EMPHASIS = set(words.content("make sure ensure important essential crucial event it's"))


def said(case: Case, prompt: str) -> str:
    return prompt.replace("{{ labels | join(', ') }}", ", ".join(case.labels)).casefold()


def forbidden(text: str) -> list[set[str]]:
    """What each negated sentence of a prompt says."""
    found = waste.places(parse(text, Masks()))
    texts = [place.text for place in found if words.negated(place.text) and "forget" not in place.text]
    return [set(words.content(waste.masks_out(each))) - EMPHASIS for each in texts]


def test_the_corpus_is_large() -> None:
    """Ninety prompts, each with a name of its own."""
    assert len(CASES) >= 90
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_prompt_of_the_corpus(case: Case) -> None:
    """Its wastes are found, its meaning survives, its filler goes; the shorter prompt is final and no longer."""
    found = case.lint()
    shorter = said(case, found.prompt)
    assert [each for each in case.keep if each.casefold() not in shorter] == []
    assert [each for each in case.gone if each.casefold() in shorter] == []
    codes = {each.code for each in found.findings}
    assert {code for code in case.find if "-" not in code} <= codes
    assert not found.changed or any(each.fix is not None for each in found.findings)
    assert found.tokens_after <= found.tokens_before == Meter(case.labels or None).count(case.text)
    again = case.lint(found.prompt)
    assert not again.changed
    assert [each for each in again.findings if each.fix is not None] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_placeholders_and_negations_survive(case: Case) -> None:
    """Every column stays as often as it was; every prohibition stays, unless the contract enforces it."""
    shorter = case.lint().prompt
    kept = {name: times for name, times in fields(shorter).items() if not is_labels(name)}
    assert kept == {name: times for name, times in fields(case.text).items() if not is_labels(name)}
    if not case.labels and case.schema is None:
        after = forbidden(shorter)
        assert [each for each in forbidden(case.text) if not any(each <= other for other in after)] == []
