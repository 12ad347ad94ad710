"""Sentences that change nothing, and sentences that say what another one says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trivet.linting import words
from trivet.linting.document import Block, Sentence
from trivet.linting.mask import MARK, Masks

_ROLE = re.compile(
    r"(?:(?:from now on|today|now|in this \w+),? )?(?:please )?(?:i (?:want|would like|need) you to )?(?:"
    r"you(?:['’]re| are|['’]ll be| will be)(?: now)?(?: going to be)?(?: acting as| working as| serving as| playing)?"
    r" (?:a|an|the|my|our|one of|part of|\w+ (?:ai|assistant|bot)\b)"
    r"|you(?: will| should)? (?:act|serve|work|behave) as|(?:act|behave|serve|work) (?:as|like) (?:if you were )?"
    r"|pretend (?:to be|that you are|you are|you['’]re)|imagine (?:that )?(?:you are|you['’]re)|assume the role of"
    r"|play the role of|take on the role of|adopt the (?:role|persona) of|as an? (?:ai|expert|professional"
    r"|experienced|helpful)\b"
    r"|your role is|you (?:have|possess|bring) (?:over |more than |extensive|deep|years|decades|\d+|many"
    r"|strong|excellent))",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(?:named|called|name is|known as)\b", re.IGNORECASE)
_PROPER = re.compile(r"(?<![.!?:]\s)(?<!^)\b(?!(?:AI|I|LLM|GPT|NLP|ML|I['’]\w+|CRITICAL|EXPERT)\b)[A-Z]\w*")
_RELATIVE = re.compile(
    r"\b(?:that|who|which|whose|where|and your|your (?:job|task|goal)|, (?:and )?you|tasked|responsible)\b",
    re.IGNORECASE,
)
_ANAPHOR = re.compile(
    r"(?:this|these|those|they|such|otherwise|instead|else|the (?:former|latter)"
    r"|it (?!is \w* ?(?:important|crucial|essential|vital)))\b",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"\b(?:thank\w*|appreciat\w*|grateful|gratitude|good luck|hello|hi|hey|greetings|i hope (?:you|this|all)"
    r"|have a (?:nice|great))\b",
    re.IGNORECASE,
)
_EXHORT = re.compile(
    r"\b(?:careful\w*|accura\w*|thorough\w*|attention|best|take your time|deep breath|important|crucial"
    r"|critical|vital|career"
    r"|rel(?:y|ies|ying)|count(?:ing)? on|depend\w*|tip|reward\w*|bonus|focus\w*|concentrat\w*|diligen\w*"
    r"|meticulous\w*|precis\w*"
    r"|correctly|quality|matters|trust\w*|helpful|serious\w*|excellent|proud|(?:great|good|amazing) (?:job"
    r"|work)|believe|stake"
    r"|utmost|conscientious\w*|every (?:angle|aspect)|hard|confident|great deal)\b",
    re.IGNORECASE,
)
_ADVERB = re.compile(r"\b(?:careful|thorough|attentive|close|meticulous|diligent|serious|proper)ly\b", re.IGNORECASE)
_META = re.compile(
    r"\b(?:below|above|following|provided|given|here(?:['’]s| is| are| you)|i (?:will|am going to|have)"
    r"|i['’](?:ll|m going to|ve)"
    r"|you (?:will|are going to|have been)|you['’](?:ll|ve)|in this (?:task|prompt|exercise)"
    r"|let['’]?s (?:begin|start)|follows"
    r"|let us (?:begin|start)|now|read)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:use|only|answer|extract|list|write|summar\w+|translat\w+|classif\w+|return|respond|base|stick|rely on)\b",
    re.IGNORECASE,
)
_SAFE_NOUNS_WORDS = """answer answers response responses output outputs result results analysis question questions user
users solution reply work review reviews request requests"""
_SAFE_NOUNS = frozenset(_SAFE_NOUNS_WORDS.split())
_FORMATS = frozenset(("json", "xml", "yaml", "csv", "html", "markdown"))
_OF_FORMATS = """json xml yaml csv html valid object objects array document format formatted string well-formed
parseable parsed parse parser structure structured schema syntax raw besides outside"""
_FORMAT_WORDS = frozenset(_OF_FORMATS.split())


@dataclass(frozen=True, slots=True)
class Place:
    """A sentence of a prompt, and the block it stands in."""

    block: Block
    sentence: Sentence
    following: Sentence | None

    @property
    def text(self) -> str:
        """What it says, protected parts as marks."""
        return self.sentence.text


MOST_SENTENCES = 400
"""Sentences that are compared with each other, from the first on."""


def places(blocks: list[Block]) -> list[Place]:
    """The sentences that rules may judge, in order."""
    found = []
    for block in blocks:
        if block.kind in ("prose", "item"):
            kept = [each for each in block.sentences if each.text.strip()]
            for here, after in zip(kept, [*kept[1:], None], strict=False):
                found.append(Place(block, here, after))
    return found


def needed(place: Place) -> bool:
    """Whether the sentence has to stay for what follows it: a list, a pronoun that points back to it."""
    text = place.text.rstrip("*_ ")
    if text.endswith((":", ",", ";")) or MARK.search(text):
        return True
    return place.following is not None and bool(_ANAPHOR.match(place.following.text.lstrip("*_ ")))


def is_role(text: str) -> bool:
    """Whether the sentence tells the model who it is."""
    return bool(_ROLE.match(text.lstrip("*_# ")))


def is_idle_role(text: str, others: list[str], *, task: bool, labels: bool = False) -> bool:
    """Whether what the model is said to be says nothing that the other sentences do not say too.

    `task`: something is asked of each row; else the role is all that tells a conversation's subject, and only
    a role without any content ("a helpful assistant") is idle. `labels`: the labels say what is asked.
    """
    said_words = {word for other in others for word in words.words(other)}
    proper = {found.group().casefold() for found in _PROPER.finditer(text.lstrip("*_# "))}
    if _NAMED.search(text) or not proper <= said_words or MARK.search(text):
        return False
    if (words.negated(text) or words.conditional(text)) and words.content(text):
        return False
    left = {
        words.stem(word) for word in words.residue(text, words.PRAISE, words.PERSONA, _SAFE_NOUNS) if not word.isdigit()
    }
    if not left:
        return True
    if not task:
        return False
    if labels and not _RELATIVE.search(text):
        return True
    said = [{words.stem(word) for word in words.words(other)} for other in others]
    if _RELATIVE.search(text):
        return any(left <= each for each in said)
    return left <= set().union(*said)


def filler(text: str, domain: frozenset[str], others: set[str]) -> str | None:
    """Why the sentence changes nothing ("thanks", "exhortation", "announcement"); None where it may.

    `domain`: names of the columns; `others`: stems of the words of all other sentences.
    """
    if MARK.search(text) or words.negated(text) or not words.words(text):
        return None
    classes = (words.EXHORT, words.PRAISE, _SAFE_NOUNS, domain)
    digits = [word for word in words.words(text) if word.isdigit()]
    if _THANKS.search(text) and not digits and not words.residue(text, words.THANKS, words.META, _SAFE_NOUNS, domain):
        return "thanks"
    if words.conditional(text) or words.ASKS_REASONING.search(text):
        return None
    tipped = re.search(r"\b(?:tip|reward|bonus)\b", text, re.IGNORECASE)
    if _EXHORT.search(text) and (not digits or tipped):
        # To do by an adverb what stands there anyway: "Follow the instructions below carefully."
        more = (words.META,) if _ADVERB.search(text) else ()
        left = [word for word in words.residue(text, *classes, *more) if not word.isdigit()]
        if not left and not _specific(text):
            return "exhortation"
    if _META.search(text) and not digits and not _ASKS.search(text):
        left = [word for word in words.residue(text, words.META, domain) if words.stem(word) not in others]
        if not left and not words.residue(text, words.META, domain, _SAFE_NOUNS, _stems_as_words(text, others)):
            return "announcement"
    return None


def _specific(text: str) -> bool:
    """What asks for detail or for the important things asks for something."""
    if re.search(r"attention", text, re.IGNORECASE):
        return False
    return bool(re.search(r"\bimportant \w+s\b|\b(?:all|every|key) (?:the )?(?:important|detail)", text, re.IGNORECASE))


def _stems_as_words(text: str, stems: set[str]) -> frozenset[str]:
    return frozenset(word for word in words.words(text) if words.stem(word) in stems)


def repeats(found: list[Place], masks: Masks) -> Iterator[tuple[Place, Place]]:
    """Pairs of sentences, what to leave out and what says it too."""
    said = [
        (place, words.content(masks_out(place.text)), frozenset(MARK.findall(place.text)))
        for place in found[:MOST_SENTENCES]
    ]
    gone: set[int] = set()
    for later, (place, own, marks) in enumerate(said):
        if not own or any(masks.is_field(mark) for mark in marks):
            continue  # so neither of a pair has a column: equal marks are asked for below
        for earlier in range(later):
            if earlier in gone or later in gone:
                continue
            other, theirs, their_marks = said[earlier]
            apart = place.block.section != other.block.section
            if min(len(set(own)), len(set(theirs))) < (4 if apart else 2):
                continue
            if marks == their_marks and covers(other.text, theirs, place.text, own) and not needed(place):
                gone.add(later)
                yield place, other
            elif their_marks == marks and covers(place.text, own, other.text, theirs) and not needed(other):
                gone.add(earlier)
                yield other, place


def masks_out(text: str) -> str:
    """The text without its protected parts."""
    return MARK.sub(" ", text)


def covers(long: str, says: list[str], short: str, part: list[str]) -> bool:
    """Whether the one sentence says all that the other says, and under no other condition."""
    ours, theirs = set(says), set(part)
    if not theirs <= ours:
        return False
    conditions = words.conditional(long), words.conditional(short)
    if conditions[0] != conditions[1] or words.negated(long) != words.negated(short):
        return False
    if long.rstrip().endswith("?") != short.rstrip().endswith("?"):
        return False
    numbers = {word for word in theirs if word.isdigit()}
    if numbers != {word for word in ours if word.isdigit()}:
        return False
    directed = any(word in words.DIRECTION for word in (*words.words(long), *words.words(short)))
    if any(conditions) or directed:
        return says == part or (theirs == ours and not directed and not any(conditions))
    if words.negated(short):
        return (theirs == ours and says.count("not") == part.count("not")) or _contiguous(part, says)
    return True


def nearly(says: list[str], part: list[str]) -> bool:
    """Whether two sentences share most of what they say."""
    ours, theirs = set(says), set(part)
    both = len(ours & theirs)
    return both >= 4 and both >= 0.7 * len(ours | theirs)


def says_format(text: str) -> str | None:
    """The format ("json") that the sentence asks for, if it says nothing else."""
    found = [word for word in words.words(text) if word in _FORMATS]
    left = words.residue(
        text, words.OUTPUT, words.NEGATION, _FORMAT_WORDS, frozenset(("ensure", "sure", "make", "entire", "always"))
    )
    return found[0] if found and not left and not MARK.search(text) and not words.conditional(text) else None


def _contiguous(part: list[str], whole: list[str]) -> bool:
    size = len(part)
    return any(whole[start : start + size] == part for start in range(len(whole) - size + 1))
