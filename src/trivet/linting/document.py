"""A prompt as blocks of sentences, which can be left out or rewritten one by one and put together again."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from trivet.linting.mask import MARK, Masks

_MARKER = re.compile(r"[ \t]*(?:>[ \t]?)*(?:[-*+•–·][ \t]+|\(?\d{1,3}[.)][ \t]+|\(?[a-z][.)][ \t]+)?")
_NUMBER = re.compile(r"([ \t]*\(?)(\d{1,3})([.)][ \t]+)")
_HEADING = re.compile(
    r"#{1,6}\s+\S.*|(?:\*\*|__)[^*_\n]{1,60}(?:\*\*|__):?\s*|[A-Z][A-Z0-9 &/,'-]{3,50}:?|[A-Z][\w &/'-]{1,40}:\s*"
)
_EXAMPLES = re.compile(
    r"[#*_\s]*(?:here (?:are|is) )?(?:(?:some|a few|an|several|the)\s+)?(?:few[- ]shot"
    r"|examples?|samples?|demonstrations?|for example)\b[^.]{0,40}",
    re.IGNORECASE,
)
_ENDS_EXAMPLES = re.compile(
    r"[#*_\s]*(?:now\b|your turn|task|instructions?|rules?|guidelines?|output|end of"
    r"|important|remember|note|please|classify|return|do not|don't)",
    re.IGNORECASE,
)
_PAIR = re.compile(r"[ \t]*(?:[-*]\s+)?[*_]{0,2}([A-Z][\w ]{0,24}?)(?: ?#?\d{1,2})?[*_]{0,2}[:=][*_]{0,2}(?=\s|$)")
_SHOWN = re.compile(
    r"(?:input|output|q|a|user|assistant|human|ai|customer|agent|question|answer|expected|result|response)(?: ?\d+)?$",
    re.IGNORECASE,
)
_ADVICE_WORDS = """note important warning remember caution attention tip task instructions instruction role goal
objective rules rule guidelines critical reminder context"""
_ADVICE = frozenset(_ADVICE_WORDS.split())
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|fig|dr|mr|mrs|ms|st|inc|ltd|u\.s|a\.m|p\.m)"
    r"|\b[A-Za-z]|^\s*\d{1,3})\.$",
    re.IGNORECASE,
)
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]*_]*(?=\s)")


@dataclass(slots=True, eq=False)
class Sentence:
    """A sentence, protected parts as marks, the white space before it, and its line in the prompt (from 1)."""

    text: str
    line: int
    gap: str = ""


@dataclass(slots=True, eq=False)
class Block:
    """Sentences that stand together: a paragraph, a list item, a heading, or a part that is left as it is."""

    kind: str  # prose | item | heading | raw
    newlines: int
    lead: str
    sentences: list[Sentence] = field(default_factory=list)
    section: int = 0

    @property
    def text(self) -> str:
        """The block without its marker."""
        return "".join(each.gap + each.text for each in self.sentences)


def parse(source: str, masks: Masks) -> list[Block]:
    """The blocks of a prompt."""
    blocks: list[Block] = []
    newlines, section, examples = 0, 0, False
    keys = _repeated_keys(source)
    place = _Lines(masks)
    for raw in masks.mask(source).split("\n"):
        line = place.next(raw)
        if not raw.strip():
            newlines += 1
            continue
        kind = _kind(raw, keys)
        if _EXAMPLES.fullmatch(raw.strip().rstrip(":*_ ")) and (raw.rstrip("*_ ").endswith(":") or kind == "heading"):
            examples, kind = True, "raw"
        elif examples and (kind == "heading" or _ENDS_EXAMPLES.match(raw) or _only_field(raw, masks)):
            examples = False
        if examples:
            kind = "raw"
        if kind == "heading":
            section += 1
        last = blocks[-1] if blocks else None
        if last is not None and newlines == 0 and kind == "prose" and _continues(last, raw):
            _add(last, raw.strip(), line, "\n" + raw[: len(raw) - len(raw.lstrip())])
        else:
            marker = _MARKER.match(raw)
            lead = marker.group() if marker and kind != "heading" else raw[: len(raw) - len(raw.lstrip())]
            block = Block(kind, newlines + 1 if blocks else newlines, lead, section=section)
            body = raw[len(lead) :]
            if kind in ("heading", "raw"):
                block.sentences.append(Sentence(body, line))
            else:
                _add(block, body, line, "")
            blocks.append(block)
        newlines = 0
    return blocks


def render(blocks: list[Block], masks: Masks) -> str:
    """The prompt of what is left of the blocks."""
    parts: list[str] = []
    waiting = 0
    for block in blocks:
        kept = [each for each in block.sentences if each.text.strip()]
        if not kept:
            waiting = max(waiting, block.newlines)
            continue
        newlines = max(block.newlines, waiting)
        waiting = 0
        first, *others = kept
        body = first.text.lstrip() if block.kind != "raw" else first.text
        body += "".join((each.gap or " ") + each.text for each in others)
        parts.append("\n" * (newlines if parts else 0) + block.lead + body)
    return masks.restore("".join(parts))


def renumbered(blocks: list[Block]) -> None:
    """Number the items of each list anew where some were left out."""
    expected: int | None = None
    for block in blocks:
        found = _NUMBER.fullmatch(block.lead)
        if found is None or block.kind != "item":
            expected = None if block.kind != "item" else expected
            continue
        own = int(found[2])
        if expected is None or own == 1:
            expected = own
        if any(each.text.strip() for each in block.sentences):
            block.lead = f"{found[1]}{expected}{found[3]}"
            expected += 1


def split(text: str) -> list[str]:
    """The text cut after each sentence; the white space between stays with what follows."""
    pieces, start = [], 0
    for found in _END.finditer(text):
        if _ABBREVIATION.search(text[start : found.end()]) and found.group().startswith("."):
            continue
        following = text[found.end() :].lstrip()[:1]
        if following.islower():
            continue
        pieces.append(text[start : found.end()])
        start = found.end()
    if text[start:].strip():
        pieces.append(text[start:])
    elif pieces:
        pieces[-1] += text[start:]
    return pieces


class _Lines:
    """Counts lines of the source, of which a protected part may hold several."""

    def __init__(self, masks: Masks) -> None:
        self._masks, self._line = masks, 1

    def next(self, raw: str) -> int:
        here = self._line
        self._line += 1 + self._masks.restore(raw).count("\n")
        return here


def _add(block: Block, text: str, line: int, gap: str) -> None:
    if gap and block.sentences and not _ended(block.sentences[-1].text):
        before = block.sentences.pop()
        pieces = split(before.text + gap + text)
        first, *others = pieces
        block.sentences.append(Sentence(first.rstrip(), before.line, before.gap))
        gap = ""
    else:
        others = split(text)
    for piece in others:
        bare = piece.strip()
        space = gap or piece[: len(piece) - len(piece.lstrip())]
        block.sentences.append(Sentence(bare, line, space if block.sentences else ""))
        gap = ""


def _ended(text: str) -> bool:
    return bool(re.search(r"[.!?…:;][\"'”’)\]*_]*$", text.rstrip()))


def _continues(last: Block, raw: str) -> bool:
    if last.kind not in ("prose", "item") or MARK.fullmatch(raw.strip()):
        return False
    text = last.text.rstrip()
    if text.endswith(":") or MARK.fullmatch(text):
        return False
    if last.kind == "item" and not raw.startswith((" ", "\t")) and _ended(text):
        return False
    return _ended(text) or raw.strip()[:1].islower() or len(text.rsplit("\n", 1)[-1]) > 60


def _kind(raw: str, keys: frozenset[str]) -> str:
    bare = raw.strip()
    pair = _PAIR.match(raw)
    if pair and (_SHOWN.match(pair[1]) or pair[1].casefold() in keys) and pair[1].casefold() not in _ADVICE:
        return "raw"
    if re.fullmatch(r"[-=*_~#+.\s]{3,}", bare):
        return "raw"
    if bare.startswith("|") or re.search(r"(?:->|=>|→)\s*\S", bare) or bare[:1] in "{}[]":
        return "raw"
    if MARK.fullmatch(bare):
        return "raw"
    if _HEADING.fullmatch(bare) and not bare.endswith((".", "!", "?")):
        return "heading"
    marker = _MARKER.match(raw)
    return "item" if marker and marker.group().strip(" \t>") else "prose"


def _repeated_keys(source: str) -> frozenset[str]:
    found = (_PAIR.match(line) for line in source.split("\n"))
    counted = Counter(each[1].casefold() for each in found if each)
    return frozenset(key for key, times in counted.items() if times > 1)


def _only_field(raw: str, masks: Masks) -> bool:
    return any(masks.is_field(mark) for mark in MARK.findall(raw))
