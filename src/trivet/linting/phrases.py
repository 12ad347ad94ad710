"""Wordy ways of saying something inside of a sentence, and the short way: a small grammar of English instructions."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from trivet.linting.words import PRAISE

Edit = tuple[str, str]
"""What kind of waste, and the words that were left out or replaced."""

_DEGREE = r"(?:(?:very|extremely|really|absolutely|critically|highly|quite|so|most|also|especially|super|vitally)\s+)*"
_WEIGHT = (
    r"(?:important|crucial|essential|critical|vital|imperative|necessary|mandatory|key|paramount|required|advisable)"
)
_POLITE = r"(?:please|kindly|pls|plz)"
_START = (
    r"(?P<start>^|(?<=[.!?:;]\s)|\b(?:and|but|so|then|also),?\s+(?=(?:please|you|it|make|be|ensure"
    r"|remember|note|always)\b))"
)
_VERB = r"(?=[a-z]{2,}\b)"
_NOT_VERB = (
    r"(?!(?:not|be|have|the|a|an|this|that|only|always|never|also|to|in|on|of|for|your|you|it|all|each|any"
    r"|given|provided"
    r"|shown|asked|able|see|find|receive|encounter|get|know|now|feel)\b)"
)
_BASE = r"(?=(?!(?:see|find|receive|encounter|get|know|feel|now|need|want|have|like)\b)[a-z]{2,}\b)"

_Rule = tuple[str, re.Pattern[str], str]


def _rule(code: str, pattern: str, short: str = "") -> _Rule:
    return code, re.compile(pattern, re.IGNORECASE), short


# In this order: what one takes away may let the next begin the sentence.
_OPENINGS: tuple[_Rule, ...] = (
    _rule(
        "politeness",
        r"^(?:hi|hello|hey|greetings|dear \w+)(?: (?:there|chatgpt|gpt|claude|ai"
        r"|assistant))?[,!.]\s+(?=\w)",
    ),
    _rule(
        "emphasis",
        r"^(?:[*_]{0,2}(?:very |extremely )?(?:important|critical|crucial|attention|warning"
        r"|caution|reminder"
        r"|nota bene|n\.?b\.?|note)(?:\s+(?:note|rule|reminder"
        r"|instructions?))?[*_]{0,2}\s*[:!\u2013\u2014-]+[*_]{0,2}\s*)+"
        r"(?=\S)",
    ),
    _rule("politeness", rf"^(?:and |also,? |so,? |then,? |now,? )?{_POLITE}\b,?\s+"),
    _rule(
        "politeness",
        r"^if you (?:could|would|can|don't mind"
        r"|would be so kind(?: as)?),?\s+(?:please\s+)?(?:to\s+)?" + _BASE,
    ),
    _rule(
        "politeness",
        r"^i(?:'d|’d| would| will|'ll)?\s+(?:really |also |now |just |still )*(?:like|want"
        r"|need|love|ask|expect|appreciate)"
        r"\s+(?:it if )?(?:for )?you\s+(?:to|could|would)\s+(?:please\s+|now\s+|just\s+)?" + _BASE,
    ),
    _rule(
        "politeness",
        r"^(?:can|could|would|will) you (?:please |kindly |also |maybe |perhaps "
        r"|be so kind (?:as )?to )*" + _BASE,
    ),
    _rule(
        "meta",
        r"^(?:today,? |now,? |here,? |in this (?:task|exercise|conversation|prompt),? )*your (?:\w+ ){0,2}"
        r"(?:task|job|goal|role|objective|mission|responsibility|duty|purpose|assignment"
        r"|work)(?: here| now| today)?"
        r"(?:,? (?:as|given) [^,.]{1,50},)? (?:is|will be) (?:simply |just |now )?to (?=[a-z])",
    ),
    _rule(
        "meta",
        r"^(?:the|this) (?:task|goal|objective|aim) (?:here |at hand )?is (?:simply "
        r"|just )?(?:for you )?to (?=[a-z])",
    ),
    _rule("meta", r"^(?:what )?(?:you need to|you have to|you should) do (?:here )?is:? (?:to )?(?=[a-z])"),
    _rule(
        "meta",
        r"^(?:in this (?:task|exercise),? )?you(?:'re| are| have been| will be)(?: now"
        r"| hereby)? (?:asked|tasked|required|expected"
        r"|instructed|supposed|requested|responsible)\s+to\s+" + _BASE,
    ),
    _rule(
        "hedge",
        r"^(?:please )?(?:note|remember|recall|keep in mind|bear in mind|be aware|be advised"
        r"|do note|be mindful|understand|know"
        r"|it should be noted|it is worth noting|it's worth noting|don't forget|do not forget|never forget)"
        r"(?: also)?(?:,)? that,?\s+(?=\S)",
    ),
    _rule(
        "hedge",
        r"^(?:please )?(?:(?:always|also) )?(?:remember|don't forget|do not forget|never forget"
        r"|try|attempt|strive|aim"
        r"|do your (?:very )?best|make an effort|take care|be careful|be certain|be sure"
        r"|make certain|make sure) to "
        r"(?=(?!not\b|be able)[a-z])",
    ),
    _rule(
        "hedge",
        r"^(?:please )?(?:(?:always|also) )?(?:remember|take care|be careful|be sure|make sure|try"
        r"|make certain) (?:not to|to not) ",
        "do not ",
    ),
    _rule("emphasis", rf"^(?:it is|it's|it’s|it will be) {_DEGREE}{_WEIGHT} (?:for you )?not to ", "do not "),
    _rule("emphasis", rf"^(?:it is|it's|it’s|it will be) {_DEGREE}{_WEIGHT} (?:for you )?to (?=[a-z])"),
    _rule(
        "emphasis",
        rf"^(?:it is|it's|it’s) {_DEGREE}{_WEIGHT} (?:to (?:note|remember"
        rf"|understand) )?that you (?:must |should )?(?:do not|don't) ",
        "do not ",
    ),
    _rule(
        "emphasis",
        rf"^(?:it is|it's|it’s) {_DEGREE}{_WEIGHT} (?:to (?:note|remember"
        rf"|understand) )?that you (?:must |should |always )?" + _VERB + _NOT_VERB,
    ),
    _rule("emphasis", r"^it is worth (?:noting|mentioning) that (?=\S)"),
    _rule(
        "hedge",
        r"^(?:(?:always|also) )?(?:make (?:absolutely |very )?(?:sure|certain)|ensure|be sure"
        r"|see to it)(?: that)? you (?:do not|don't|never) ",
        "do not ",
    ),
    _rule(
        "hedge",
        r"^(?:(?:always|also) )?(?:make (?:absolutely |very )?(?:sure|certain)|ensure|be sure"
        r"|see to it)(?: that)? you (?:always |only )?" + _VERB + _NOT_VERB,
    ),
    _rule(
        "hedge",
        r"^(?:(?:always|also) )?(?:make (?:absolutely |very )?(?:sure|certain)|be sure"
        r"|see to it)(?: that)? (?=(?!to\b)\S)",
        "ensure ",
    ),
    _rule("wordy", r"^(?:so,? |also,? |therefore,? |then,? )?you (?:must|should|shall) (?:always )?not ", "do not "),
    _rule("wordy", r"^(?:so,? |also,? |therefore,? |then,? )?you (?:must|should) never ", "never "),
    _rule(
        "wordy",
        r"^(?:so,? |also,? |therefore,? |then,? )?you (?:must|should|shall|need to|have to|are to"
        r"|are required to|'ll need to)"
        r" (?:also |then |always |simply |just )*" + _BASE,
    ),
    _rule(
        "politeness",
        r"^(?:it would be (?:really |very )?(?:great|nice|helpful|good|ideal|lovely"
        r"|appreciated)|i(?:['’]d| would)"
        r" (?:really |very much )?(?:appreciate it|love it|like it|be (?:very |so "
        r"|really )?(?:grateful|glad|happy|thankful)))"
        r" if you (?:could|would|can) (?:please |kindly )?" + _BASE,
    ),
    _rule("politeness", r"^(?:take your time|take a deep breath),? (?:and |to )(?=[a-z])"),
    _rule("hedge", r"^(?:go ahead and|feel free to go ahead and|proceed to) "),
)

_INSIDE: tuple[_Rule, ...] = (
    _rule("politeness", rf",?\s+(?:and\s+)?{_POLITE}(?=[.!?]|$)"),
    _rule("politeness", rf"\b{_POLITE},?\s+(?=[a-z])"),
    _rule(
        "politeness",
        r",?\s+(?:thank you|thanks)(?: (?:so|very) much)?(?: (?:in advance|for your (?:help"
        r"|time)))?(?=[.!]|$)",
    ),
    _rule(
        "emphasis",
        r",?(?<!\s)\s+(?:very |extremely |really |so |as )?(?:carefully|thoroughly|attentively"
        r"|diligently|meticulously)"
        r"(?: and (?:very )?(?:carefully|thoroughly|attentively|diligently|closely|accurately"
        r"|precisely))?(?! (?:as|than|selected|chosen|worded))\b",
    ),
    _rule(
        "emphasis",
        r"^(?:very |extremely )?(?:carefully|thoroughly|attentively|diligently"
        r"|meticulously)(?: and (?:thoroughly|carefully))?,?\s+(?=[a-z])",
    ),
    _rule("wordy", r"\bin order to\b", "to"),
    _rule("wordy", r"\bso as to\b", "to"),
    _rule("wordy", r"\bdue to the fact that\b", "because"),
    _rule("wordy", r"\bin (?:the event|case) that\b", "if"),
    _rule("wordy", r"\b(?:with regards? to|with respect to|in regards? to|in relation to)\b", "about"),
    _rule("wordy", r"\bprior to\b", "before"),
    _rule("wordy", r"\bsubsequent to\b", "after"),
    _rule("wordy", r"\bfor the purposes? of\b", "for"),
    _rule("wordy", r"\bwhether or not\b", "whether"),
    _rule("wordy", r"\beach and every\b", "every"),
    _rule("wordy", r"\bany and all\b", "all"),
    _rule("wordy", r"\bmak(?:e) use of\b", "use"),
    _rule("wordy", r"\b(?:is|are) able to\b", "can"),
    _rule("wordy", r"\b(?:has|have) the ability to\b", "can"),
    _rule("wordy", r"\ba (?:large|great) (?:number|amount) of\b", "many"),
    _rule("wordy", r"\ba total of (?=\w+)", ""),
    _rule("wordy", r"\bat (?:this|the present) (?:point in time|time|moment)\b", "now"),
    _rule("wordy", r"\b(?:in|with) the form(?:at)? of (?=an? )", "as "),
    _rule("wordy", r"\bin such a way that\b", "so that"),
    _rule("wordy", r"\btake into (?:account|consideration)\b", "consider"),
    _rule("wordy", r"\bprovide (?:me |us )?(?:with )?a (?:brief |short )?(?:summary) of\b", "summarize"),
    _rule("hedge", r",?\s+(?:to )?(?:as )?(?:the )?best (?:as )?(?:of your ability|you (?:possibly )?can)(?=[.!,]|$)"),
    _rule("emphasis", r"!{2,}", "!"),
)

_BOLD = re.compile(
    r"(?<![*\w\\])\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*(?![*\w])|(?<![_\w\\])__(?=\S)([^_\n]+?)(?<=\S)__(?![_\w])"
)
_SHOUTED = re.compile(
    r"\b(?:ALWAYS|NEVER|NOT|MUST|ONLY|DO|DON'T|ALL|ANY|EVERY|EXACTLY|VERY|IMPORTANT|SHOULD|NO|AND|PLEASE"
    r"|ENSURE|MAKE|SURE|THE"
    r"|REMEMBER|STRICTLY|CANNOT|WILL|SHALL|UNDER|CIRCUMSTANCES|ABSOLUTELY|EXTREMELY|CAREFULLY|CRITICAL|YOU"
    r"|ANYTHING|ELSE"
    r"|NOTHING|IF|WITHOUT|JUST|ONE|SINGLE|EACH)\b"
)
_SPACES = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)")


def shorten(text: str, worth: Callable[[str, str], bool]) -> tuple[str, list[Edit]]:
    """The sentence said shorter, and what was left out; `worth(before, after)`: whether a step saves anything."""
    edits: list[Edit] = []
    for _ in range(6):
        before = text
        for code, pattern, short in _OPENINGS:
            text = _opening(code, pattern, short, text, worth, edits)
        for code, pattern, short in _INSIDE:
            found = pattern.search(text)
            if found:
                text = _taken(text, _tidy(pattern.sub(short, text), text), code, found.group(), worth, edits)
        if text == before:
            break
    return text, edits


def plain(text: str, worth: Callable[[str, str], bool], *, heading: bool = False) -> tuple[str, list[Edit]]:
    """The text without bold marks and words in capitals that are small words, where that saves anything."""
    edits: list[Edit] = []
    for pattern, code in ((_BOLD, "decoration"), (_SHOUTED, "shouting"), (_SPACES, "whitespace")):
        found = None if heading and code == "shouting" else pattern.search(text)
        if found:
            new = pattern.sub(partial(_calm, code), text)
            text = _taken(text, new, code, found.group(), worth, edits)
    return text, edits


def unpraised(role: str) -> str:
    """A sentence on the model's role without the praise of it."""
    praise = "|".join(
        re.escape(each) for each in sorted(PRAISE, key=len, reverse=True) if each not in ("experts", "best")
    )
    modifier = rf"(?:(?:very|highly|extremely|truly|incredibly)[ -])?\b(?:{praise})\b"
    new = re.sub(
        rf"\b(a|an|the)\s+{modifier}(?:(?:,\s*|\s+and\s+|\s+){modifier})*,?\s+(?!(?:in|at|on|of|with|who|that"
        rf"|and|for|from|when|to)\b)(?=[a-z\d])",
        r"\1 ",
        role,
        flags=re.IGNORECASE,
    )
    new = re.sub(r"\b(a|an) (?=([A-Za-z]))", _article, new)
    return re.sub(
        r",?\s+with (?:\w+ |over |more than )*(?:years|decades) of (?:\w+ )?experience(?= [.,]|[.,]|$)",
        "",
        new,
        flags=re.IGNORECASE,
    )


def _article(found: re.Match[str]) -> str:
    following = found.string[found.end() :]
    spelt = re.match(r"[A-Z]{2,}\b", following)  # an HR manager, a UN report
    vowel = found[2] in "AEFHILMNORSX" if spelt else found[2].casefold() in "aeio"
    return ("An " if vowel else "A ") if found[1][0].isupper() else ("an " if vowel else "a ")


def _calm(code: str, found: re.Match[str]) -> str:
    if code == "decoration":
        return found[1] or found[2]
    if code == "whitespace":
        return " "
    first = found.start() == 0 or bool(re.search(r"[.!?:]\s*$", found.string[: found.start()]))
    return found.group().capitalize() if first else found.group().lower()


def _opening(
    code: str, pattern: re.Pattern[str], short: str, text: str, worth: Callable[[str, str], bool], edits: list[Edit]
) -> str:
    found = pattern.match(text)
    if not found:
        return text
    rest = text[found.end() :]
    if found.group()[:3].casefold() in ("can", "cou", "wou", "wil") and rest.endswith("?"):
        rest = rest[:-1] + "."
    return _taken(text, _tidy(short + rest, text), code, found.group(), worth, edits)


def _tidy(new: str, old: str) -> str:
    new = re.sub(r"(?<![ \t])[ \t]+([.,;!?])(?=\s|$)", r"\1", new).strip()
    new = re.sub(r"^[,;]\s*", "", new)
    first = re.match(r"[*_\"'(]*([a-z])", new)
    if first and re.match(r"[*_\"'(]*[A-Z]", old.lstrip()):
        new = new[: first.start(1)] + new[first.start(1)].upper() + new[first.end() :]
    return new


def _taken(old: str, new: str, code: str, words: str, worth: Callable[[str, str], bool], edits: list[Edit]) -> str:
    if new == old or not new.strip(" .,!?:;") or not worth(old, new):
        return old
    edits.append((code, words.strip(" ,:")))
    return new
