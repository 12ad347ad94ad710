"""The instruction rebuilt from a task's output contract: what the labels say already need not be said in prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from trivet.linting import words
from trivet.linting.document import Block, Sentence
from trivet.linting.mask import MARK, Masks, is_labels
from trivet.linting.waste import Place, needed, places

LABELS = "{{ labels | join(', ') }}"
Report = Callable[[str, Sentence, str, str], None]
"""Takes a code, the sentence as it was, what is left of it, and the message."""

_DEFINES = (
    r"(?:(?:the|a|an|our|your|and|finally,?|lastly,?|next,?|there is(?: also)?)\s+)*(?:(?:first|second|third"
    r"|fourth|fifth|sixth|seventh|"
    r"eighth|ninth|tenth|last|final|next|other|remaining|another)\s+)?(?:(?:category|label|class|option|tag"
    r"|type|group|one)\s+)?"
    r"(?:(?:is|called|named|would be|,|:)\s+)*[\"'`*]*{label}[\"'`*]*(?:\s+(?:category|label|class|option|tag))?"
    r"(?:,?\s+(?:and\s+)?(?:which|that|it|this(?: one)?)\b)?\s*,?\s*(?:should be (?:used|chosen|selected"
    r"|assigned) (?:for|when|if)"
    r"|is (?:used |meant |intended |reserved )?(?:for|about)|is used when|(?:covers?|includes?|means"
    r"|concerns?|contains?|refers? to|"
    r"relates? to|deals? with|describes?|applies to|is when|is where|is)(?: (?:things|tickets|messages"
    r"|anything|everything)"
    r" (?:like|such as|related to|about))?)\s+(?P<rest>\S.*)"
)
_TASK = re.compile(
    r"\b(?:classif(?:y|ies|ying)|categori[sz](?:e|ing)|label(?:l?ing)?|tag(?:ging)?|sort(?:ing)?|triag(?:e"
    r"|ing)|rout(?:e|ing))\s+"
    r"(?:(?:each|every|all|the|this|these|a|an|of|following|given|provided|incoming|below|new)\s+)*"
    r"(?P<what>[a-z][\w-]*(?: [a-z][\w-]*){0,3}?)(?=\s+(?:into|as|to|by|in|under|using|with|according|based"
    r"|below|and|that|from|for|so|"
    r"correctly|accurately|carefully)\b|[.,:;!\n]|\s*$)",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\b(?:classif\w+|categor(?:i[sz]e\w*)|label|determine|identify|decide|assign|detect|rate|judge|predict"
    r"|tell|what|which|is|does"
    r"|route|tag|triage|sort|evaluate|assess)\b",
    re.IGNORECASE,
)
_ONLY = re.compile(r"\b(?:only|nothing else|exactly one|alone|just)\b", re.IGNORECASE)


def rebuild(blocks: list[Block], masks: Masks, labels: Sequence[str], columns: Sequence[str], report: Report) -> bool:
    """Leave out what the labels say already, and state the rest from the contract; whether anything was."""
    domain = frozenset(word for column in columns for part in re.split(r"[_\W]+", column) for word in words.words(part))
    known = frozenset(word for label in labels for word in words.words(re.sub(r"[_-]", " ", label)))
    classes = (
        words.OUTPUT,
        words.META,
        words.EXHORT,
        words.PRAISE,
        words.PERSONA,
        words.THANKS,
        words.NEGATION,
        domain,
        known,
    )
    dropped: list[Place] = []
    subject, had_field = "", False
    for place in places(blocks):
        text = masks.restore(place.text)
        named = mentioned(text, labels)
        whole = len(named) == len(labels)
        found = _TASK.search(text)
        if _only_labels(place.text, masks) or whole or not named:
            left = words.residue(_without(text, labels), *classes)
            if not left and _stated(place, masks, whole=whole) and not (words.conditional(text)):
                had_field = had_field or LABELS_FIELD.search(text) is not None
                subject = subject or (_subject(found["what"], classes) if found else "")
                dropped.append(place)
                continue
        elif len(named) == 1 and (rest := _definition(text, next(iter(named)), labels)):
            _define(blocks, place, masks, next(iter(named)), rest, report)
    if not dropped:
        return False
    core = _core(blocks, masks, labels, columns, dropped, subject, had_field=had_field)
    if core is None:
        return False
    _replace(blocks, dropped, core, report)
    return True


LABELS_FIELD = re.compile(r"\{\{-?\s*labels\b")


def mentioned(text: str, labels: Sequence[str]) -> set[str]:
    """The labels that a text names; a label that is a small word counts only in quotes or as a whole item."""
    if LABELS_FIELD.search(text):
        return set(labels)
    found = set()
    for label in labels:
        spelt = r"[\s_-]".join(map(re.escape, re.split(r"[\s_-]+", label)))
        small = label.casefold() in words.FUNCTION | words.NEGATION or words.known(label.casefold(), [words.OUTPUT])
        quoted = (
            rf"[\"'`*“]{spelt}[\"'`*”]|(?:as|:|,|or|and|category|label|answer|say|return|choose"
            rf"|use)\s+{spelt}\s*(?:[.,;:)]|$)"
        )
        if re.search(quoted if small else rf"(?<![\w]){spelt}(?![\w])", text, re.IGNORECASE):
            found.add(label)
    return found


def _only_labels(text: str, masks: Masks) -> bool:
    marks = MARK.findall(text)
    return bool(marks) and all(is_labels(masks.restore(mark)) for mark in marks)


def _stated(place: Place, masks: Masks, *, whole: bool) -> bool:
    """Whether the sentence is one that the contract can stand for: no column in it, nothing hangs on it."""
    if any(masks.is_field(mark) and not is_labels(masks.restore(mark)) for mark in MARK.findall(place.text)):
        return False
    text = place.text.rstrip("*_ ")
    if text.endswith(":") or (text.endswith("?") and not whole):
        return False
    if needed(place) and not (whole or MARK.search(text)):
        return False
    return whole or any(words.known(word, [words.OUTPUT]) for word in words.words(text) if word not in words.FUNCTION)


def _without(text: str, labels: Sequence[str]) -> str:
    text = re.sub(r"\{\{.*?\}\}", " ", text)
    for label in sorted(labels, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(label)}(?!\w)", " ", text, flags=re.IGNORECASE)
    return text


def _subject(what: str, classes: Sequence[frozenset[str]]) -> str:
    kept = [word for word in what.split() if word.casefold() not in words.PRAISE | words.FUNCTION]
    return " ".join(kept) if kept and kept[-1].casefold() not in ("label", "category", "them", "it", "one") else ""


def _definition(text: str, label: str, labels: Sequence[str]) -> str | None:
    spelt = r"[\s_-]".join(map(re.escape, re.split(r"[\s_-]+", label)))
    pattern = _DEFINES.replace("{label}", f"(?:{spelt})")
    found = re.fullmatch(pattern, text.strip(), re.IGNORECASE | re.DOTALL)
    if found is None or len(mentioned(found["rest"], labels)) > 0:
        return None
    return " ".join(found["rest"].rstrip(". ").split())


def _define(blocks: list[Block], place: Place, masks: Masks, label: str, rest: str, report: Report) -> None:
    """Make a definition in prose an item of a list."""
    if place.block.kind == "item":
        return
    before = Sentence(place.text, place.sentence.line)
    item = masks.mask(f"{label}: {rest}")
    at = next(index for index, block in enumerate(blocks) if any(each is place.sentence for each in block.sentences))
    block = blocks[at]
    own = block.sentences
    here = next(index for index, each in enumerate(own) if each is place.sentence)
    head, tail = own[:here], own[here + 1 :]
    new = Block("item", 1, "- ", [Sentence(item, place.sentence.line)], block.section)
    pieces = [Block(block.kind, block.newlines, block.lead, head, block.section)] if head else []
    if not head:
        follows = at and blocks[at - 1].lead == "- "
        new.newlines = 1 if follows else block.newlines
    rest_block = [Block(block.kind, 1, "", tail, block.section)] if tail else []
    blocks[at : at + 1] = [*pieces, new, *rest_block]
    report("prose_labels", before, item, "a category described in prose: an item of a list says it")


def _core(
    blocks: list[Block],
    masks: Masks,
    labels: Sequence[str],
    columns: Sequence[str],
    dropped: list[Place],
    subject: str,
    *,
    had_field: bool,
) -> list[str] | None:
    """The lines that stand for what was dropped; None where it says no more than they would."""
    gone = {id(place.sentence) for place in dropped}
    left = [masks.restore(each.text) for block in blocks for each in block.sentences if id(each) not in gone]
    prose = [masks.restore(place.text) for place in places(blocks) if id(place.sentence) not in gone]
    items = [masks.restore(block.text) for block in blocks if block.kind == "item"]
    listed = {label for item in items for label in labels if _heads(item, label)}
    whole = any(len(mentioned(text, labels)) == len(labels) and len(labels) > 1 for text in left)
    states = any(_STATES.match(text) or _TASK.search(text) for text in prose)
    only = any(
        _ONLY.search(text)
        and re.search(r"\b(?:return|answer|output|respond|reply|label|category)\b", text, re.IGNORECASE)
        for text in prose
    )
    what = "the " + (subject or " and ".join(column.replace("_", " ") for column in columns[:2]) or "text")
    enumerated = whole or (len(listed) == len(labels) and not had_field)
    names = LABELS if had_field or len(labels) > 1 else labels[0]
    if enumerated:
        lines = [] if states else [f"Classify {what}{' into one of:' if len(listed) == len(labels) else '.'}"]
        lines += [] if only else ["Return only the label."]
    elif states:
        lines = [f"Return only one of: {names}."]
    else:
        lines = [f"Classify {what} into one of: {names}.", "Return only the label."]
    return lines


def _heads(item: str, label: str) -> bool:
    return re.match(rf"[\"'`*\s]*{re.escape(label)}[\"'`*\s]*(?:[:(\u2013\u2014-]|$)", item, re.IGNORECASE) is not None


def _replace(blocks: list[Block], dropped: list[Place], core: list[str], report: Report) -> None:
    said = " ".join(core)
    same = [place for place in dropped if place.text == said]
    if len(dropped) == 1 and same:
        return
    first = dropped[0]
    old = [Sentence(place.text, place.sentence.line) for place in dropped]
    for place in dropped:
        place.sentence.text = ""
    for each in old:
        report("contract", each, "", "says what the output contract says; rebuilt from it")
    if not core:
        return
    at = next(index for index, block in enumerate(blocks) if any(s is first.sentence for s in block.sentences))
    block = blocks[at]
    here = next(index for index, each in enumerate(block.sentences) if each is first.sentence)
    head, tail = block.sentences[:here], block.sentences[here + 1 :]
    line = first.sentence.line
    kept_head = any(each.text for each in head)
    made = [Block("prose", 1, "", [Sentence(text, line)], block.section) for text in core]
    made[0].newlines = 1 if kept_head else block.newlines
    parts = [Block(block.kind, block.newlines, block.lead, head, block.section)] if kept_head else []
    rest = [Block(block.kind, 1, block.lead if block.kind == "item" else "", tail, block.section)] if tail else []
    blocks[at : at + 1] = [*parts, *made, *rest]
