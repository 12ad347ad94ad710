"""Wastes that no edit mends by rule: each is a hint that takes a decision, or a change outside of the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from trivet import tokens
from trivet.linting import contract, waste, words
from trivet.linting.document import Block, parse
from trivet.linting.mask import BLOCK, FIELD, MARK, Masks, fields, is_labels
from trivet.linting.measure import GAP
from trivet.linting.result import Finding
from trivet.linting.shorter import MOST, About

CACHED_FROM = 1024
"""Tokens of a shared prefix from which the provider caches it (source: the provider's documentation)."""

NEARLY = 768
MANY_EXAMPLES = 150
LONG_STATIC = 500
LONG_DESCRIPTION = 40

_DOCUMENT = re.compile(
    r"(?:^|_)(?:doc|document|article|transcript|report|contract|book|pages?|file|context|history|conversation|thread"
    r"|paper|chapter|manual|filing|html|webpage|passages?|chunks|full_text|source_text|documents|logs?"
    r"|readme)(?:s|_text|_body)?$",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"\b(?:\d+|one|two|three|four|five|six|seven|ten|single|few|at most|no more than|fewer than|under|up to"
    r"|short|brief|concise"
    r"|only|exactly|format|json|xml|yaml|csv|table|bullets?|bulleted|sentences?|words?|paragraphs?|lines?"
    r"|list|characters?|yes or no"
    r"|true or false|nothing else|schema|template|label|title|headline|score|number|markdown|verbatim|one of"
    r"|either|limit|length|alone)\b",
    re.IGNORECASE,
)
_CATEGORIES = re.compile(
    r"\b(?:categor(?:y|ies)|labels?|class(?:es)?|options?|choices|types?|kinds)\b[^.:\n]{0,40}"
    r"(?:\b(?:is|are|include|includes|called|named)\b|:)",
    re.IGNORECASE,
)
_EXPLAINS = re.compile(r";|\(|\b(?:which|means?|covers?|for|about|when|where|i\.e\.|that (?:is|are))\b", re.IGNORECASE)
_ORDINAL = re.compile(
    r"\b(?:first|second|third|fourth|fifth|last|final|another|next) (?:category|label|class|option|type)\b",
    re.IGNORECASE,
)
_REASON_FIELD = re.compile(
    r"reason|rationale|explanation|thought|thinking|justification|analysis|steps|why|evidence|chain", re.IGNORECASE
)
_ONLY_ANSWER = re.compile(
    r"\b(?:only|just|nothing (?:else|but))\b[^.\n]{0,60}\b(?:label|category|json|answer|number|word|name"
    r"|score|yes|letter|result)\b"
    r"|\b(?:no|without(?: any)?|not (?:include|add|give|provide)(?: any| an)?) (?:explanations?|reasoning"
    r"|commentary|justification)\b",
    re.IGNORECASE,
)


def advise(source: str, about: About) -> list[Finding]:
    """What else wastes tokens in the text, in no order."""
    masks = Masks()
    blocks = parse(source, masks) if len(source) <= MOST else []
    english = bool(blocks) and words.english(MARK.sub(" ", masks.mask(source)))
    found = [*_examples(blocks, masks, about), *_documents(source, about), *_order(source, about)]
    if english:
        found += [
            *_near_repeats(blocks, masks, about),
            *_prose(blocks, masks, about),
            *_reasoning(blocks, masks, about),
        ]
        found += _unbounded(source, about)
    return found


def reasons(schema: Mapping[str, Any] | None) -> bool:
    """Whether a schema has a place for reasoning."""
    return schema is not None and any(_REASON_FIELD.search(name) for name, _, _ in _properties(schema))


def of_schema(schema: Mapping[str, Any], prompt: str) -> list[Finding]:
    """Fields that nothing asks for, and descriptions that are long: a schema is billed with every request."""
    asked = {words.stem(word) for word in words.words(re.sub(r"[_-]", " ", prompt))}
    found = []
    for name, inner, required in _properties(schema):
        parts = {words.stem(word) for word in words.words(re.sub(r"[_-]|(?<=[a-z])(?=[A-Z])", " ", name))}
        size = tokens.count(msgspec.json.encode({name: inner}).decode())
        description = inner.get("description") if isinstance(inner, Mapping) else None
        if not (parts & asked) and not description:
            message = (
                f"the prompt never asks for the field '{name}': if nobody reads it, each answer pays for it in vain"
            )
            found.append(
                Finding(code="unread_field", line=None, tokens=size, message=message, where="schema", text=name)
            )
        elif not required and not (parts & asked):
            message = f"the optional field '{name}' is not asked for in the prompt: drop it if nobody reads it"
            found.append(
                Finding(code="unread_field", line=None, tokens=size, message=message, where="schema", text=name)
            )
        if isinstance(description, str) and (long := tokens.count(description)) > LONG_DESCRIPTION:
            message = f"the description of '{name}' is sent with every request: shorten it"
            found.append(
                Finding(
                    code="long_description", line=None, tokens=long, message=message, where="schema", text=description
                )
            )
    return found


def uncapped(about: About) -> Finding:
    """No bound on what an answer may cost."""
    size = (
        "a label takes a few tokens: max_output_tokens = 16" if about.labels else "set max_output_tokens under [params]"
    )
    message = f"no cap on the output: an answer that runs on is billed to its end; {size}"
    return Finding(code="no_output_cap", line=None, tokens=0, message=message, where="params")


def near_cacheable(prefix: int) -> Finding | None:
    """A shared beginning that is just too short for the provider's prompt cache."""
    if not NEARLY <= prefix < CACHED_FROM:
        return None
    message = (
        f"the {prefix:,} tokens that all calls begin with are {CACHED_FROM - prefix:,} short of the "
        f"{CACHED_FROM:,} from which "
        "the provider caches a prefix: examples that earn their place may make the call cheaper, not dearer"
    )
    return Finding(code="cache_length", line=None, tokens=prefix, message=message)


def _properties(schema: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, Any, bool]]:
    if depth > 8:
        return
    required = schema.get("required")
    inner = schema.get("properties")
    for name, each in inner.items() if isinstance(inner, Mapping) else ():
        yield name, each, isinstance(required, list) and name in required
        if isinstance(each, Mapping):
            yield from _properties(each, depth + 1)
    items = schema.get("items")
    if isinstance(items, Mapping):
        yield from _properties(items, depth + 1)


def _examples(blocks: list[Block], masks: Masks, about: About) -> Iterator[Finding]:
    raw = [(block, masks.restore(block.lead + block.text)) for block in blocks if block.kind == "raw"]
    shown = [(block, text) for block, text in raw if not FIELD.search(text) and len(words.words(text)) > 1]
    total = sum(about.meter.count(text) for _, text in shown)
    if total >= MANY_EXAMPLES:
        line = shown[0][0].sentences[0].line
        message = f"examples and fixed material of {len(shown)} lines go with every call: compare with half of them"
        yield Finding(code="examples", line=line, tokens=total, message=message, where=about.where, text=shown[0][1])
    for block in blocks:
        text = masks.restore(block.text)
        if block.kind in ("prose", "item") and (size := about.meter.count(text)) >= LONG_STATIC:
            message = "a long fixed text goes with every call: an excerpt of what the rows need may do"
            yield Finding(
                code="static_text",
                line=block.sentences[0].line,
                tokens=size,
                message=message,
                where=about.where,
                text=text,
            )


def _documents(source: str, about: About) -> Iterator[Finding]:
    for placeholder, times in fields(source).items():
        name = re.sub(r"^[{$%(<\[]+-?|[^\w.].*$", "", placeholder)
        line = _line_of(source, placeholder)
        if times > 1 and not is_labels(placeholder):
            message = f"the same placeholder {times} times: each row pays for its text each time"
            yield Finding(
                code="repeated_field", line=line, tokens=0, message=message, where=about.where, text=placeholder
            )
        if _DOCUMENT.search(name.split(".")[-1]):
            message = (
                f"the whole of {name} goes with every call: the parts that the question needs may do "
                f"(the plan's `fit`, later)"
            )
            yield Finding(
                code="whole_document", line=line, tokens=0, message=message, where=about.where, text=placeholder
            )


def _order(source: str, about: About) -> Iterator[Finding]:
    if about.where != "prompt":
        return
    constant = about.meter.constant(source)
    head, varying, rest = constant.partition(GAP)
    after = sum(tokens.count(piece) for piece in rest.split(GAP) if piece)
    if not varying or after < 12:
        return
    before = tokens.count(head)
    open_fields = FIELD.finditer(BLOCK.sub("", source))
    first = next((each for each in open_fields if not (about.labels and is_labels(each.group()))), None)
    if first is None:
        return
    total = before + after
    worth = (
        f"{total:,} tokens could be a cached prefix, {before:,} can now"
        if total >= CACHED_FROM
        else f"at {total:,} tokens in all it gains nothing yet: the provider caches from {CACHED_FROM:,} on"
    )
    message = (
        f"constant text after the first text that varies cannot be cached: put what all rows share first ({worth})"
    )
    line = _line_of(source, re.sub(r"\s+", "", first.group()))
    yield Finding(code="cache_order", line=line, tokens=after, message=message, where=about.where, text=first.group())


def _near_repeats(blocks: list[Block], masks: Masks, about: About) -> Iterator[Finding]:
    found = [
        (place, words.content(waste.masks_out(place.text))) for place in waste.places(blocks)[: waste.MOST_SENTENCES]
    ]
    done: set[int] = set()
    for index, (place, own) in enumerate(found):
        for earlier, theirs in found[:index]:
            if (
                id(earlier.sentence) not in done
                and waste.nearly(theirs, own)
                and not waste.covers(earlier.text, theirs, place.text, own)
            ):
                done.add(id(place.sentence))
                text = masks.restore(place.text)
                message = f"says nearly what line {earlier.sentence.line} says: could they be one sentence?"
                yield Finding(
                    code="near_repeat",
                    line=place.sentence.line,
                    tokens=about.meter.count(text),
                    message=message,
                    where=about.where,
                    text=text,
                )
                break


def _prose(blocks: list[Block], masks: Masks, about: About) -> Iterator[Finding]:
    if about.labels is not None:
        yield from _prose_labels(blocks, masks, about, about.labels)
        return
    found = [place for place in waste.places(blocks) if place.block.kind == "prose"]
    ordinal = [place for place in found if _ORDINAL.search(place.text)]
    enumerated = [
        place for place in found if _CATEGORIES.search(place.text) and len(_EXPLAINS.findall(place.text)) >= 2
    ]
    times = sum(len(_ORDINAL.findall(place.text)) for place in ordinal)
    chosen = ordinal if times > 1 else enumerated
    if chosen:
        text = masks.restore(" ".join(place.text for place in chosen))
        message = (
            "categories in prose: a list of `name: what it is` says it in fewer tokens, and a task's "
            "labels check the answer"
        )
        yield Finding(
            code="prose_labels",
            line=chosen[0].sentence.line,
            tokens=about.meter.count(text),
            message=message,
            where=about.where,
            text=text,
        )


def _prose_labels(blocks: list[Block], masks: Masks, about: About, labels: Sequence[str]) -> Iterator[Finding]:
    for place in waste.places(blocks):
        text = masks.restore(place.text)
        named = contract.mentioned(text, labels)
        # Names alone are an enumeration; with as many words again they are explained.
        if 3 <= len(named) == len(labels) and len(words.words(text)) >= 4 * len(labels) and "{{" not in text:
            message = "all categories are explained in one sentence: a list, one `name: what it is` a line, is shorter"
            yield Finding(
                code="prose_labels",
                line=place.sentence.line,
                tokens=about.meter.count(text),
                message=message,
                where=about.where,
                text=text,
            )


def _reasoning(blocks: list[Block], masks: Masks, about: About) -> Iterator[Finding]:
    asked = [
        place
        for place in waste.places(blocks)
        if words.ASKS_REASONING.search(place.text) and not words.negated(place.text)
    ]
    whole = " ".join(masks.restore(place.text) for place in waste.places(blocks))
    bound = about.labels is not None or about.structured
    if not asked or about.reasons or not (bound or _ONLY_ANSWER.search(whole)):
        return
    for place in asked:
        text = masks.restore(place.text)
        message = (
            "asks for reasoning that the answer has no place for: it is billed as output and thrown "
            "away, or breaks the format"
        )
        yield Finding(
            code="discarded_reasoning",
            line=place.sentence.line,
            tokens=about.meter.count(text),
            message=message,
            where=about.where,
            text=text,
        )


def _unbounded(source: str, about: About) -> Iterator[Finding]:
    if about.labels is not None or about.structured or _BOUND.search(FIELD.sub(" ", source)):
        return
    message = "nothing says how long the answer may be or what form it has: output tokens are the dear ones"
    yield Finding(code="no_output_constraint", line=None, tokens=0, message=message, where=about.where)


def _line_of(source: str, placeholder: str) -> int | None:
    for found in FIELD.finditer(source):
        if re.sub(r"\s+", "", found.group()) == placeholder:
            return source.count("\n", 0, found.start()) + 1
    return None
