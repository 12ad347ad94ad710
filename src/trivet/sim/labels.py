"""Chooses a label by the words of a text: shared stems, weighed by how few labels have them.

    score(label) = sum of idf(w) * closeness(w, text) over the label's words w  /  sqrt(sum of idf(w))

A small lexicon of general customer-support and business English widens the label's words; it is written from
the language alone, tuned to no dataset, and nothing here looks up an expected answer.
"""

from __future__ import annotations

import functools
import math
import re

from msgspec import Struct

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_STOP = frozenset(
    word
    for line in (
        "a an and any are as at be been by can could did do does for from had has have how i if in into",
        "is it its just me my of on or our please so some than that the their them then there they this to",
        "us was we were what when where which who why will with would you your am im ive get got",
    )
    for word in line.split()
)

_GROUPS = (
    "bill invoice charge payment pay refund price fee cost subscription receipt money credit debit "
    "overcharge plan "
    "renewal discount coupon billed charged paid twice duplicate purchase statement amount tax vat",
    "technical bug error crash broken fail freeze slow load outage timeout glitch install update "
    "app website page "
    "server screen device upload download sync feature button work stuck blank code api "
    "integration export version",
    "account login password access locked lockout sign signin username email profile verify verification "
    "authentication reset credential 2fa two-factor user log logged permission security session",
    "ship delivery package parcel track order courier arrive late delay dispatch address shipment lost delivered",
    "return exchange refund replace replacement warranty damaged defective wrong item",
    "cancel cancellation unsubscribe terminate end stop close quit",
    "general inquiry enquiry question information hours wonder ask opening location offer policy know",
    "complaint angry unhappy disappointed terrible rude unacceptable bad awful worst",
    "sales buy demo quote enterprise trial pricing upgrade seats license",
    "feedback suggestion feature request idea improve wish",
    "positive good great excellent love happy amazing wonderful best perfect thanks thank pleased recommend enjoy",
    "negative bad terrible awful hate poor worst disappointed angry horrible broken useless waste never",
    "urgent high critical immediately asap emergency down outage cannot blocked now",
    "low minor whenever curious small cosmetic someday",
    "spam winner free prize click lottery viagra offer congratulations",
    "fraud stolen scam unauthorised unauthorized suspicious hacked theft phishing",
    "lost missing misplaced gone stolen",
    "privacy gdpr data delete personal",
    "hr leave vacation payroll salary benefits",
    "legal contract terms lawsuit lawyer",
)
_FALLBACKS = ("other", "general", "misc", "none", "unknown", "neutral", "else", "medium", "normal", "unclear")
_NEGATED = re.compile(r"(?i)\b(?:not|never|no longer|n't|isn't|wasn't|don't|doesn't|didn't)\b")


def stem(word: str) -> str:
    """A crude stem: the endings of English inflection taken off."""
    word = word.lower()
    for ending in (
        "ations",
        "ation",
        "ments",
        "ment",
        "ings",
        "ing",
        "ies",
        "ied",
        "ers",
        "ed",
        "es",
        "er",
        "ly",
        "s",
        "e",
        "y",
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def stems(text: str) -> list[str]:
    """The stems of a text's words that carry meaning, in order."""
    words = _WORD.findall(_CAMEL.sub(" ", text).replace("_", " "))
    return [stem(word) for word in words if word.lower() not in _STOP]


_LEXICON: dict[str, frozenset[str]] = {}
for _group in _GROUPS:
    _members = frozenset(stem(word) for word in _group.split())
    for _member in _members:
        _LEXICON[_member] = _LEXICON.get(_member, frozenset()) | _members


class _Profile(Struct, frozen=True):
    """The words of a label: its own, and those the lexicon and its description add, each with a weight."""

    own: dict[str, float]
    near: dict[str, float]
    norm: float
    fallback: bool


@functools.lru_cache(maxsize=256)
def _profiles(labels: tuple[tuple[str, str], ...]) -> tuple[_Profile, ...]:
    own = [set(stems(name)) for name, _ in labels]
    near = [
        set().union(*(_LEXICON.get(word, ()) for word in words), stems(description)[:60]) - words
        for words, (_, description) in zip(own, labels, strict=True)
    ]
    count = len(labels)

    def idf(word: str, sets: list[set[str]]) -> float:
        return math.log(1 + count / max(1, sum(word in words for words in sets)))

    return tuple(
        _Profile(
            {word: idf(word, own) for word in words},
            {word: 0.5 * idf(word, near) for word in extra},
            math.sqrt(sum(idf(word, own) for word in words) or 1.0),
            any(mark in name.lower() for mark in _FALLBACKS),
        )
        for words, extra, (name, _) in zip(own, near, labels, strict=True)
    )


def rank(labels: tuple[tuple[str, str], ...], text: str) -> list[tuple[float, str]]:
    """The labels with their scores, best first; of equal ones the earlier."""
    words: dict[str, float] = {}
    for place, word in enumerate(stems(text[:8000])):
        words.setdefault(word, 1.0 if place < 40 else 0.6)
    scored: list[tuple[float, str]] = []
    for profile, (name, _) in zip(_profiles(labels), labels, strict=True):
        score = sum(weight * words.get(word, 0.0) for word, weight in profile.own.items()) / profile.norm
        score += sum(weight * words.get(word, 0.0) for word, weight in profile.near.items()) / (2 + profile.norm)
        if profile.fallback:
            score = 0.5 * score + 0.05
        scored.append((score, name))
    if _NEGATED.search(text[:2000]):
        scored = [
            (score * 0.6 if name.lower() in ("positive", "yes", "true") else score, name) for score, name in scored
        ]
    return sorted(scored, key=lambda pair: -pair[0])
