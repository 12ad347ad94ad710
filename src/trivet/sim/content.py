"""Tells the matter of a prompt (the ticket, the review, the document) from what is asked about it.

As a reader would: by tags, fences and quotes, by a line such as `Ticket:`, by paragraphs, by the last colon.
Long prompts are read at both ends only, so that reading takes no longer than the rest of a reply.
"""

from __future__ import annotations

import re

HALF = 10_000
"""Characters read at each end of a text."""

_NOUNS = (
    "ticket|message|text|input|e-?mail|review|document|doc|question|query|article|content|comment|transcript|"
    "complaint|feedback|conversation|note|report|passage|tweet|post|utterance|request|issue|"
    "inquiry|enquiry|data|"
    "rows?|items?|records?|tickets|messages|reviews|documents|texts|questions|customer|user|context|source"
)
_CUES = re.compile(
    rf"(?im)^[ \t#*>]*(?:here (?:is|are) )?(?:(?:the|this|my|following|customer|support|user|input|source)(?:'s)? )*"
    rf"(?:{_NOUNS})(?: (?:text|body|message|below|to \w+|(?:that|which|you|for you) [^\n:]{{1,40}}))?"
    rf"[*]*[ \t]*:[*]*[ \t]*"
)
_ANSWERED = re.compile(
    r"(?im)^[ \t*]*(?:label|answer|category|output|intent|class|result|sentiment)[*]*[ \t]*:[ \t]*\S"
)
_TAGGED = re.compile(r"(?is)<([a-z][\w-]{0,40})(?:\s[^>]{0,200})?>(.{1,40000}?)</\1>")
_FENCED = re.compile(r'(?s)(?:```[a-z]*\n?(.{1,40000}?)```|"""(.{1,40000}?)"""|\'\'\'(.{1,40000}?)\'\'\')')
_QUOTED = re.compile(r"[\"“«]([^\"”»\n]{12,4000})[\"”»]|(?<!\w)'([^'\n]{12,2000})'(?!\w)")
_CLOSING = re.compile(
    r"(?is)\n[ \t]*(?:(?:your |the )?(?:label|answer|category|output|response|intent|class|result|summary|json)\s*:"
    r"|(?:return|respond|reply|answer|output|remember|now|thanks|thank you|please (?:return|respond|reply|answer))"
    r"\b[^\n]{0,300})\s*$"
)
_CLOSING_LENGTH = 500
_MOST_TAGS = 800
_ASKING = re.compile(
    r"(?i)\b(?:write|draft|compose|rate|classify|categori[sz]e|label|summari[sz]e|extract|return|respond|"
    r"reply (?:to|with)|answer with|output|"
    r"choose|one of|translate|rewrite|you are|your task|instructions?|rules?|guidelines?|steps?|"
    r"must|should)\b"
)


def clip(text: str) -> str:
    """The text, or both its ends when it is long."""
    return text if len(text) <= 2 * HALF else f"{text[:HALF]}\n{text[-HALF:]}"


def split(system: str, user: str) -> tuple[str, str]:
    """(what is asked, the matter it is asked about); the matter is empty only when the user's text is."""
    system, user = clip(system), clip(user)
    matter = _marked(user)
    if matter is None:
        matter = user if system.strip() else _unmarked(user)
    trimmed = matter.rstrip()
    for _ in range(3):
        cut = max(0, len(trimmed) - _CLOSING_LENGTH)
        trimmed = trimmed[:cut] + _CLOSING.sub("", trimmed[cut:] + "\n").rstrip()
    matter = trimmed.strip() or matter.strip() or user.strip()
    at = user.rfind(matter)
    around = user if at < 0 or (len(matter) == len(user.strip()) and not system.strip()) else (
        user[:at] + " \n" + user[at + len(matter) :]
    )  # fmt: skip
    return f"{system}\n\n{around}".strip(), matter


def _marked(user: str) -> str | None:
    tagged = [match[2] for match in _TAGGED.finditer(_few_tags(user)) if len(match[2].strip()) > 1]
    if tagged and not _looks_like_schema(tagged[-1]):
        return str(max(reversed(tagged), key=len)) if len(tagged) < 3 else "\n".join(tagged)
    cues = [cue for cue in _CUES.finditer(user) if user[cue.end() :].strip()]
    if cues:
        cue = cues[0]
        for later in cues[1:]:  # after worked examples, the last one is the one to answer
            if _ANSWERED.search(user, cue.end(), later.start()):
                cue = later
        return _without_fence(user[cue.end() :])
    for match in reversed(list(_FENCED.finditer(user))):
        inner = match[1] or match[2] or match[3]
        if inner.strip() and not _looks_like_schema(inner):
            return str(inner)
    return None


def _few_tags(text: str) -> str:
    """The text, or nothing when it has so many angle brackets that looking for pairs would take long."""
    return text if text.count("<") <= _MOST_TAGS else ""


def _without_fence(text: str) -> str:
    match = _FENCED.match(text.strip())
    return str(match[1] or match[2] or match[3]) if match else text


def _unmarked(user: str) -> str:
    quoted = [match[1] or match[2] for match in _QUOTED.finditer(user)]
    quoted = [text for text in quoted if len(text.split()) >= 4]
    if quoted:
        return str(max(quoted, key=len))
    paragraphs = [part for part in re.split(r"\n[ \t]*\n", user.strip()) if part.strip()]
    if len(paragraphs) > 1:
        for part in reversed(paragraphs):
            if not _ASKING.search(part[:200]):
                return part
        return paragraphs[-1]
    lines = [line for line in user.strip().split("\n") if line.strip()]
    if len(lines) > 1 and not _ASKING.search(lines[-1][:200]) and not re.match(r"\s*(?:[-*•]|\d+[.)])\s", lines[-1]):
        return lines[-1]
    head, colon, tail = user.rpartition(": ")
    if colon and len(tail.split()) >= 3 and tail.count(",") * 3 < len(tail.split()) and _ASKING.search(head):
        return tail
    return user


def _looks_like_schema(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and '"' in text


_ENUMERATED = re.compile(
    r"(?im)^[ \t]*(?:(?:\[|\(|#|(?:row|item|ticket|message|text|record|input|review|document|question) ?#?)?"
    r"(\d{1,6})(?:\]|\)|\.|:| -|\))|\{\"(?:id|n|index|row|i)\": ?\"?(\w{1,40})\"?,)[ \t]*"
)
_NUMBERED_TAG = re.compile(
    r"(?is)<(?:row|item|ticket|message|text|record|input|document)[ "
    r"_]?[^>]{0,40}?(\d{1,6})\"?'?>(.{0,20000}?)</"
)


def rows(matter: str) -> list[tuple[str, str]]:
    """The numbered entries of a matter that holds several, as (number, text); empty when it holds one."""
    tagged = [(match[1], match[2].strip()) for match in _NUMBERED_TAG.finditer(_few_tags(matter))]
    if len(tagged) > 1:
        return tagged
    marks = list(_ENUMERATED.finditer(matter))
    if len(marks) < 2:
        return []
    numbers = [mark[1] or mark[2] for mark in marks]
    whole = [int(number) for number in numbers if number.isdigit()]
    if len(whole) != len(numbers) or whole != list(range(whole[0], whole[0] + len(whole))):
        return []
    ends = [mark.start() for mark in marks[1:]] + [len(matter)]
    return [(number, matter[mark.end() : end].strip()) for number, mark, end in zip(numbers, marks, ends, strict=True)]
