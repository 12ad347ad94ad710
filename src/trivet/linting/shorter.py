"""The shorter prompt: every mechanical edit applied, again and again until none is left."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replace_dataclass

from msgspec.structs import replace

from trivet.linting import contract, phrases, waste, words
from trivet.linting.document import Block, Sentence, parse, render, renumbered
from trivet.linting.mask import MARK, Masks, fields, is_labels
from trivet.linting.measure import GAP, Meter
from trivet.linting.result import Finding

_ROUNDS = 6
MOST = 20_000
"""Characters of a prompt that sentences are compared in; a longer one is data more than a prompt."""

_MESSAGES = {
    "role": "a role that says nothing the rest does not",
    "thanks": "politeness changes nothing",
    "exhortation": "an appeal to do well asks for nothing",
    "announcement": "announces what stands there anyway",
    "politeness": "politeness changes nothing",
    "emphasis": "emphasis adds nothing to an instruction",
    "meta": "talk about the task: say it as an order",
    "hedge": "say it straight",
    "wordy": "fewer words say the same",
    "decoration": "markup that only decorates",
    "shouting": "capitals take more tokens and say no more",
    "whitespace": "runs of white space",
}
_CODES = {
    "thanks": "filler",
    "exhortation": "filler",
    "announcement": "filler",
    "politeness": "filler",
    "emphasis": "filler",
    "meta": "wordy",
    "hedge": "wordy",
    "shouting": "decoration",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of the prompt: the contract's labels or schema, the columns, how it is counted."""

    meter: Meter
    labels: Sequence[str] | None = None
    structured: bool = False
    reasons: bool = False
    columns: Sequence[str] = ()
    where: str = "prompt"
    task: bool = False


@dataclass(slots=True)
class _Round:
    about: About
    masks: Masks
    blocks: list[Block]
    found: list[Finding] = field(default_factory=list)

    def report(self, code: str, before: Sentence, after: str, message: str) -> None:
        text = self.masks.restore(before.text)
        count = self.about.meter.count
        left = self.masks.restore(after)
        taken = count(text) - (count(left) if after else 0)
        self.found.append(
            Finding(
                code=code,
                line=before.line,
                tokens=max(taken, 0),
                message=message,
                where=self.about.where,
                text=text,
                fix=left,
            )
        )

    def drop(self, place: waste.Place, code: str, message: str) -> None:
        self.report(code, Sentence(place.text, place.sentence.line), "", message)
        place.sentence.text = ""

    def worth(self, before: str, after: str) -> bool:
        """Whether it takes fewer tokens, at the start of a line and within one taken together."""
        count = self.about.meter.count
        old, new = self.masks.restore(before), self.masks.restore(after)
        return count(new) + count(f" {new}") < count(old) + count(f" {old}")


def shorten(source: str, about: About) -> tuple[str, list[Finding]]:
    """The shorter prompt, and a finding for each edit; the prompt itself and nothing where none saves a token."""
    if len(source) > MOST:
        return source, []
    found: list[Finding] = []
    text = source
    for number in range(_ROUNDS):
        new, made = _shortest(text, about)
        if new == text or not _safe(source, new, about):
            break
        found += made if number == 0 else [_without_line(each) for each in made]
        text = new
    if about.meter.count(text) >= about.meter.count(source):
        return source, []
    return text, found


def _shortest(source: str, about: About) -> tuple[str, list[Finding]]:
    """A pass with the instruction rebuilt from the labels, or without where that is shorter."""
    made = _pass(source, about)
    if about.labels is None:
        return made
    plain = _pass(source, replace_dataclass(about, labels=None, structured=True))
    return min(made, plain, key=lambda each: about.meter.count(each[0]))


def speaks_english(source: str) -> bool:
    """Whether the prose of a prompt is English."""
    return words.english(MARK.sub(" ", Masks().mask(source)))


def _pass(source: str, about: About) -> tuple[str, list[Finding]]:
    masks = Masks()
    now = _Round(about, masks, parse(source, masks))
    if speaks_english(source):
        _discarded_reasoning(now)
        _idle(now)
        if about.labels is not None and "{%" not in source:
            contract.rebuild(now.blocks, masks, about.labels, about.columns, now.report)
        elif about.structured:
            _enforced(now)
        _leads(now)
        _phrases(now)
        _repeated(now)
        _restated_format(now)
        _bare_headings(now)
    _decoration(now)
    renumbered(now.blocks)
    text = _spaced(now, source)
    return text, now.found


def _english(text: str) -> bool:
    bare = waste.masks_out(text)
    return words.english(bare) or (bare.isascii() and len(words.words(bare)) < 8)


def _idle(now: _Round) -> None:
    about = now.about
    domain = frozenset(word for column in about.columns for word in re.split(r"[_\W]+", column.casefold()) if word)
    found = [place for place in waste.places(now.blocks) if _english(place.text)]
    texts = [waste.masks_out(place.text) for place in waste.places(now.blocks)]
    texts += [
        waste.masks_out(each.text)
        for block in now.blocks
        if block.kind in ("raw", "heading")
        for each in block.sentences
    ]
    texts += [" ".join(re.split(r"[_\W]+", column)) for column in about.columns]
    stems = [{words.stem(word) for word in words.words(text)} for text in texts]
    counted = Counter(stem for each in stems for stem in each)
    for place in found:
        text = waste.masks_out(place.text)
        own = {words.stem(word) for word in words.words(text)}
        if waste.is_role(place.text):
            _role(now, place, [each for each in texts if each != text])
            continue
        others = {stem for stem, times in counted.items() if times > (stem in own)}
        kind = None if waste.needed(place) else waste.filler(place.text, domain, others)
        if kind is not None:
            now.drop(place, _CODES[kind], _MESSAGES[kind])


def _role(now: _Round, place: waste.Place, others: list[str]) -> None:
    asked = any(len(words.content(each)) > 1 and not waste.is_role(each) for each in others)
    if (
        asked
        and not waste.needed(place)
        and waste.is_idle_role(place.text, others, task=now.about.task, labels=now.about.labels is not None)
    ):
        now.drop(place, "role", _MESSAGES["role"])
        return
    plainer = phrases.unpraised(place.text)
    if plainer != place.text and now.worth(place.text, plainer):
        now.report("role", Sentence(place.text, place.sentence.line), plainer, "praise of the model changes nothing")
        place.sentence.text = plainer


def _discarded_reasoning(now: _Round) -> None:
    about = now.about
    if about.reasons or (about.labels is None and not about.structured):
        return
    domain = frozenset(word for column in about.columns for word in re.split(r"[_\W]+", column.casefold()) if word)
    for place in waste.places(now.blocks):
        text = place.text
        if (
            not words.ASKS_REASONING.search(text)
            or words.negated(text)
            or words.conditional(text)
            or waste.needed(place)
        ):
            continue
        if not words.residue(text, words.REASONING, words.OUTPUT, words.META, words.EXHORT, domain):
            now.drop(place, "discarded_reasoning", "asks for reasoning that the output contract has no place for")


def _enforced(now: _Round) -> None:
    for place in waste.places(now.blocks):
        if waste.says_format(place.text) and not waste.needed(place):
            now.drop(place, "contract", "the schema is sent with the request and enforced: the prose repeats it")


def _leads(now: _Round) -> None:
    """`Here is the ticket that you should classify:` before a column is `Ticket:`."""
    masks, about = now.masks, now.about
    if not about.task:
        return
    for here, after in zip(now.blocks, now.blocks[1:], strict=False):
        marks = MARK.findall(after.text)
        if not (marks and masks.is_field(after.text.strip()[:1])) or here.kind not in ("prose", "heading"):
            continue
        last = here.sentences[-1]
        name = _column(masks.restore(marks[0]))
        if name is None or not last.text.rstrip().endswith(":") or MARK.search(last.text):
            continue
        domain = frozenset(words.words(name.replace("_", " ")))
        if words.residue(last.text, words.META, words.OUTPUT, words.EXHORT, domain) or words.negated(last.text):
            continue
        short = name.replace("_", " ").capitalize() + ":"
        if now.worth(last.text, short) and last.text.strip("*_# ").casefold() != short.casefold():
            now.report("filler", Sentence(last.text, last.line), short, "a long way to say what follows")
            last.text = short
            after.newlines = 1


def _column(placeholder: str) -> str | None:
    found = re.fullmatch(r"\{\{-?\s*([a-z_]\w*)\b.*\}\}", placeholder, re.IGNORECASE | re.DOTALL)
    return None if found is None or is_labels(placeholder) else found[1]


def _phrases(now: _Round) -> None:
    for place in waste.places(now.blocks):
        if not _english(place.text):
            continue
        before = Sentence(place.text, place.sentence.line)
        text, edits = phrases.shorten(place.text, now.worth)
        if edits:
            code = edits[0][0]
            now.report(_CODES.get(code, code), before, text, _MESSAGES[code])
            place.sentence.text = text


def _repeated(now: _Round) -> None:
    found = [place for place in waste.places(now.blocks) if place.text.strip()]
    for gone, kept in list(waste.repeats(found, now.masks)):
        now.drop(gone, "repeat", f"said already, at line {kept.sentence.line}")


def _restated_format(now: _Round) -> None:
    """Of sentences that ask for the same format and say nothing else, the strictest stays."""
    by_format: dict[str, list[waste.Place]] = {}
    for place in waste.places(now.blocks):
        name = waste.says_format(place.text) if place.text.strip() else None
        if name and not words.negated(place.text):
            by_format.setdefault(name, []).append(place)
    for found in by_format.values():
        strict = [place for place in found if re.search(r"\b(?:only|just|nothing)\b", place.text, re.IGNORECASE)]
        kept = (strict or found)[0]
        for place in found:
            if place is not kept and not waste.needed(place) and _covered(place.text, kept.text):
                now.drop(place, "repeat", f"the output format, said already at line {kept.sentence.line}")


def _covered(text: str, kept: str) -> bool:
    forms = {"valid", "array", "list", "markdown", "raw", "object", "indented", "minified"}
    own = {word for word in words.words(text) if word in forms} - {"valid", "object"}
    return own <= set(words.words(kept))


def _bare_headings(now: _Round) -> None:
    """A heading of which nothing is left goes with it."""
    for index, block in enumerate(now.blocks):
        if block.kind != "heading" or not block.text.strip():
            continue
        below = []
        for other in now.blocks[index + 1 :]:
            if other.kind == "heading":
                break
            below.append(other)
        if below and all(not other.text.strip() for other in below):
            line = block.sentences[0].line
            now.report("decoration", Sentence(block.text, line), "", "a heading with nothing left below it")
            for each in block.sentences:
                each.text = ""


def _decoration(now: _Round) -> None:
    blocks = now.blocks
    for index, block in enumerate(blocks):
        for sentence in block.sentences:
            bare = sentence.text.strip()
            if block.kind == "raw" and re.fullmatch(r"([-=*_~#])\1{2,}|(?:[-=*_~#] ){2,}[-=*_~#]", bare):
                near = [*blocks[max(0, index - 2) : index], *blocks[index + 1 : index + 3]]
                if not any(MARK.search(other.text) or other.kind == "raw" for other in near):
                    now.report("decoration", Sentence(bare, sentence.line), "", "a line that only decorates")
                    sentence.text = ""
            elif block.kind in ("prose", "item", "heading") and bare:
                before = Sentence(sentence.text, sentence.line)
                text, edits = phrases.plain(sentence.text, now.worth, heading=block.kind == "heading")
                if edits and not (block.kind == "heading" and not text.strip()):
                    code = edits[0][0]
                    now.report(_CODES.get(code, code), before, text, _MESSAGES[code])
                    sentence.text = text


def _spaced(now: _Round, source: str) -> str:
    """The text put together, without runs of empty lines and white space at the ends of lines."""
    loose = render(now.blocks, now.masks)
    for block in now.blocks:
        block.newlines = min(block.newlines, 2)
        for each in block.sentences:
            if block.kind != "raw":
                each.text = each.text.rstrip()
    text = render(now.blocks, now.masks)
    if "```" not in text and "~~~" not in text:
        text = textwrap.dedent(text)
    count = now.about.meter.count
    saved = count(loose) - count(text)
    if saved > 0:
        now.found.append(
            Finding(
                code="whitespace",
                line=None,
                tokens=saved,
                message=_MESSAGES["whitespace"],
                where=now.about.where,
                fix="",
            )
        )
    return text + ("\n" if source.endswith("\n") and not text.endswith("\n") else "")


def _safe(source: str, new: str, about: About) -> bool:
    """Whether something is left, and every placeholder of the rows with it."""
    before, after = fields(source), fields(new)

    def rows(found: Counter[str]) -> Counter[str]:
        return Counter({name: times for name, times in found.items() if not (about.labels and is_labels(name))})

    return bool(words.words(about.meter.constant(new).replace(GAP, " "))) and rows(before) == rows(after)


def _without_line(found: Finding) -> Finding:
    return replace(found, line=None)
