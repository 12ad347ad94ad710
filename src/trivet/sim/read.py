"""Reads out of a prompt in plain words what shape of answer it asks for.

Labels to choose from, keys of a JSON object, bullets, sentences, words, a number; and whether anything but
the bare answer is wanted. Only the words of the prompt count: nothing here knows any dataset.
"""

from __future__ import annotations

import functools
import re
from itertools import islice

import msgspec
from msgspec import Struct


class Shape(Struct, frozen=True, kw_only=True):
    """What is asked for. `labels` with their descriptions; `keys` of a JSON object with the shape of each.

    `counts` holds sentences, bullets, words and characters where they are bounded. `bare`: only the answer
    itself. `explain`: the reasons as well. `topic`: summary, action, reply, translation, ... or "".
    """

    labels: tuple[tuple[str, str], ...] = ()
    keys: tuple[tuple[str, Shape], ...] = ()
    kind: str = "text"  # text | number | boolean | list
    sentences: int | None = None
    bullets: int | None = None
    words: int | None = None
    per_bullet: bool = False
    characters: int | None = None
    low: int = 1
    high: int = 100
    bare: bool = False
    explain: bool = False
    topic: str = ""


_NUMBERS = {
    "one": 1, "a single": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20,
}  # fmt: skip
_COUNT = rf"(\d{{1,4}}|{'|'.join(_NUMBERS)})"
_RANGE = rf"(?:(?:\d+|{'|'.join(_NUMBERS)})\s*(?:-|–|to|or)\s*)?"
_SENTENCES = re.compile(rf"(?i)\b{_RANGE}{_COUNT}[ -](?:\w+ )?sentences?\b")
_BULLETS = re.compile(rf"(?i)\b{_RANGE}{_COUNT}[ -](?:\w+ )?(?:bullets?(?: points?)?|points)\b")
_WORDS = re.compile(
    rf"(?i)\b(under|at most|no more than|not more than|fewer than|less than|maximum(?: of)?|max\.?|"
    rf"within|up to|"
    rf"limit(?:ed)? (?:it |the \w+ )?to|exactly|in|of|below|about|around)\s+{_RANGE}{_COUNT}\s+words?\b"
)
_WORDS_AFTER = re.compile(rf"(?i)\b{_COUNT}\s+words?\s+(?:or (?:less|fewer)|max(?:imum)?|at most|each)\b")
_CHARACTERS = re.compile(rf"(?i)\b{_COUNT}\s+char(?:acter)?s\b")
_EACH = re.compile(r"(?i)\b(?:each|every|per)\b[^.\n]{0,40}\b(?:bullet|point|word|under|at most)|words? each\b")
_BARE = re.compile(
    r"(?i)\b(?:only|just|nothing (?:else|but)|no (?:other|extra|additional) (?:text|words?|output)|"
    r"no explanations?|without (?:any )?(?:explanation|other text|comment)|"
    r"do not (?:explain|add|include)|don't (?:explain|add|include)|single word|one word|"
    r"(?:answer|respond|reply) with (?:exactly|one of|(?:a|the) (?:single )?(?:label|name|category|intent|class)))\b"
)
_EXPLAIN = re.compile(
    r"(?i)\b(?:explain(?:ing)? (?:your|why|the|how|each|in)|step[- ]by[- ]step|show your (?:work|"
    r"reasoning)|justif|"
    r"reason(?:ing)? (?:for|behind|carefully)|think (?:carefully|through|step)|rationale|elaborate|"
    r"in detail|detailed|"
    r"thorough|comprehensive|with (?:an? )?explanation|provide (?:your )?reasoning|give reasons)"
)
_NO_EXPLAIN = re.compile(
    r"(?i)\b(?:no|without|do not|don't|never|avoid|not)\b[^.\n]{0,25}(?:expla|reason|justif|elabor)"
)
_YES_NO = re.compile(r"(?i)\b(yes(?:/|,? or )no|true(?:/|,? or )false)\b")
_SCORE = re.compile(r"(?<![\w.])(-?\d{1,3})\s*(?:to|-|–|and)\s*(-?\d{1,3})\b")
_NUMBER = re.compile(
    r"(?i)\b(?:(?:return|answer|respond|reply|output)[^.\n]{0,30}\b(?:number|integer|digit)|how "
    r"many|score|rating|"
    r"rate (?:the|this|it|how)|as an? (?:number|integer)|percentage)\b"
)
_TOPICS = (
    ("action", re.compile(r"(?i)next[_ -]?step|recommended? step|what (?:should|to do)|action")),
    ("translation", re.compile(r"(?i)\btranslat")),
    ("reply", re.compile(r"(?i)\b(?:draft|write|compose)\w*\b[^.\n]{0,30}\b(?:reply|response|e-?mail)")),
    ("summary", re.compile(r"(?i)summar|tl;?dr|gist|overview|(?:key|main) points|condense|bullet|title")),
    ("extract", re.compile(r"(?i)\bextract|list (?:the|all)|find all|entities|keywords")),
)  # fmt: skip

_NOUN = (
    r"(?:categor(?:y|ies)|labels?|class(?:es)?|options?|intents?|topics?|choices?|tags?|types?|"
    r"values?|departments?|"
    r"queues?|teams?|sentiments?|priorit(?:y|ies)|levels?|severit(?:y|ies)|areas?|groups?)"
)
_LISTED = re.compile(
    rf"(?i)(?:one of(?: the| these)?(?: following)?|following|{_NOUN}|either|choose (?:from|between)|"
    rf"pick (?:from|one)|"
    rf"choose one|allowed|possible|available|valid)(?:[^:\n.;]{{0,70}}?):[*]*[ \t]*(?=\S|\n)"
)
_ONE_OF = re.compile(
    rf"(?i)\b(?:one of(?: the following| the| these)?(?: {_NOUN})?|(?:must|should|can) be(?: either)?|either|"
    rf"(?:classify|categori[sz]e|label|mark|tag|rate|sort|triage|route)\b[^.:\n]{{0,60}}?\b(?:as|"
    rf"into|to|under)(?: either)?|is|=|:)\s+"
    rf"(?=[\w\"'`*])"
)
_NAMED = re.compile(
    rf"(?i)\b{_NOUN}\s+(?:are\s+)?(?!(?:above|below|following|listed|given|that|which|and|or)\b)"
    r"([\w/&-]+(?:,\s+[\w/&-]+)+(?:,?\s+(?:and|or)\s+[\w/&-]+)?)"
)
_GROUPED = re.compile(r"[(\[{]([^()\[\]{}\n]{3,2000})[)\]}]")
_SIZES = frozenset(
    word + plural
    for word in ("sentence", "word", "bullet", "character", "number", "string", "integer", "most", "least", "must")
    for plural in ("", "s")
)
_TRIES = 60
_LIST_LENGTH = 8_000
"""Places where a list is looked for, and characters it may have: bounds on the time that reading takes."""
_BULLET = re.compile(r"^[ \t]*(?:[-*•‣–]|\d{1,3}[.)])[ \t]+(.*\S)[ \t]*$")
_QUOTES = "\"'`“”‘’«»*"


@functools.lru_cache(maxsize=512)
def read(ask: str) -> Shape:
    """The shape that an ask in plain words wants."""
    keys = _keys(ask)
    if keys:
        return Shape(keys=keys, kind="object", explain=_explains(ask), topic=_topic(ask))
    return _plain(ask)


def _plain(ask: str) -> Shape:
    yes_no = _YES_NO.search(ask)
    labels = find_labels(ask) or tuple((word, "") for word in (re.split(r"(?i)/|,? or ", yes_no[1]) if yes_no else ()))
    words, sentences = _words(ask), _count(_SENTENCES, ask)
    bullets = _count(_BULLETS, ask)
    if bullets is None and re.search(r"(?i)\bbullet(?:ed|s)?\b", ask):
        bullets = 3
    characters = _count(_CHARACTERS, ask)
    number = not labels and _NUMBER.search(ask) is not None and bullets is None and sentences is None
    score = _SCORE.search(ask) if number else None
    low, high = (int(score[1]), int(score[2])) if score and int(score[1]) < int(score[2]) else (1, 100)
    return Shape(
        labels=labels,
        kind="number" if number else "text",
        sentences=sentences,
        bullets=bullets,
        words=words,
        per_bullet=bullets is not None and words is not None and _EACH.search(ask) is not None,
        characters=characters,
        low=low,
        high=high,
        bare=_BARE.search(ask) is not None,
        explain=_explains(ask),
        topic=_topic(ask),
    )


def _explains(ask: str) -> bool:
    return _EXPLAIN.search(ask) is not None and _NO_EXPLAIN.search(ask) is None


def _topic(ask: str) -> str:
    return next((name for name, pattern in _TOPICS if pattern.search(ask)), "")


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text.lower()]


def _count(pattern: re.Pattern[str], ask: str) -> int | None:
    found = pattern.search(ask)
    return max(1, _number(found[1])) if found else None


def _words(ask: str) -> int | None:
    found = _WORDS.search(ask)
    if found:
        strictly = found[1].lower() in ("under", "fewer than", "less than", "below")
        return max(1, _number(found[2]) - strictly)
    return _count(_WORDS_AFTER, ask)


def find_labels(ask: str) -> tuple[tuple[str, str], ...]:
    """The labels a text lists, each with its description: inline, in brackets, or as bullets."""
    for match in islice(_LISTED.finditer(ask), _TRIES):
        rest = ask[match.end() : match.end() + _LIST_LENGTH]
        found = _bulleted(rest) if rest.startswith("\n") or not rest.split("\n", 1)[0].strip() else _inline(rest)
        if not found:
            found = _inline(rest) if rest.startswith("\n") else _bulleted("\n" + rest)
        if found:
            return found
    for match in islice(_ONE_OF.finditer(ask), _TRIES):
        found = _inline(ask[match.end() : match.end() + _LIST_LENGTH])
        if found:
            return found
    for match in islice(_NAMED.finditer(ask), _TRIES):
        found = _inline(match[1])
        if len(found) > 2:  # two words after a comma are as often a turn of phrase
            return found
    for match in islice(_GROUPED.finditer(ask), _TRIES):
        found = _inline(match[1])
        if found:
            return found
    return _bulleted("\n" + ask) if re.search(r"(?i)classif|categor|label|intent|triage", ask) else ()


def _inline(text: str) -> tuple[tuple[str, str], ...]:
    text = re.sub(r"(?i)^\s*(?:exactly )?(?:either|one of|any of|the following)\b:?\s*", "", text).lstrip()
    if text[:1] in ("[", "(", "{"):
        close = {"[": "]", "(": ")", "{": "}"}[text[0]]
        text = text[1:].split(close, 1)[0].replace("\n", " ")
    else:
        text = _one_line(text)
    if "|" in text or re.fullmatch(r"\s*[\w-]+(?:/[\w-]+)+\W*", text):
        parts = re.split(r"[|/]", text)
    else:
        parts = re.split(r"[,;]|\s+/\s+", text)
        tail = re.split(r"\s+(?:or|and|&)\s+", parts[-1].strip())
        parts = [*parts[:-1], *tail]
        parts = [re.sub(r"^(?:or|and)\s+", "", part.strip()) for part in parts]
    names = [_clean(part) for part in parts]
    names = [name for name in names if name]
    if len(names) < 2 or not all(_labelish(name) for name in names) or len(set(names)) != len(names):
        return ()
    return tuple((name, "") for name in names)


def _one_line(text: str) -> str:
    lines = text.split("\n")
    line = lines[0]
    for following in lines[1:]:
        if not line.rstrip().endswith((",", "|")):
            break
        line = f"{line} {following.strip()}"
    return re.split(
        r"[.!?:](?=\s|$)|[。！？：]|[.](?=[\"'”’])|\s(?:[-–—]|based on|depending|according|that|which)\s",
        line,
        maxsplit=1,
    )[0]


def _labelish(name: str) -> bool:
    words = name.lower().split()
    if len(name) > 60 or len(words) > 5 or ":" in name or re.search(r"\w", name) is None:
        return False
    return not any(word.strip("()") in _SIZES for word in words)


def _clean(text: str) -> str:
    return text.strip().strip(_QUOTES + ",;. \t").strip()


def _bulleted(text: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    bulleted = True
    for line in text.split("\n")[1:]:
        bullet = _BULLET.match(line)
        if bullet is None and not line.strip():
            if found and not bulleted:
                break
            continue
        if not found:
            bulleted = bullet is not None
        if bullet is None and bulleted:
            if line.startswith((" ", "\t")):
                continue
            break
        name, _, description = _described(bullet[1] if bullet else line)
        if not _labelish(name) or (not bulleted and "," in name):
            return ()
        found.append((name, description))
    return tuple(found) if len(found) > 1 and len({name for name, _ in found}) == len(found) else ()


def _described(item: str) -> tuple[str, str, str]:
    for separator in (":", " - ", " – ", " — ", " ("):
        name, mark, description = item.partition(separator)
        if mark and _labelish(_clean(name)):
            return _clean(name), mark, description.strip(" )")
    return _clean(item), "", ""


_KEYED = re.compile(
    r"(?i)\b(?:json|object|dict(?:ionary)?)\b[^.\n{]{0,80}?\b(?:keys?|fields?|propert(?:y|ies)|"
    r"attributes?|containing|with)"
    r"\b[^:\w\n{]*(?:named |called |exactly |these |the |following |keys? |fields? |are "
    r")*:?\s*([^\n{}]{2,400})"
)
_KEYS_OF = re.compile(r"(?i)\b(?:keys?|fields?)(?: named| called| are| exactly)?:?\s+([^\n{}]{2,400})")
_NO_KEYS = frozenset(
    ("a", "an", "the", "key", "keys", "field", "fields", "following", "json", "format", "schema", "object")
)
_KEY = re.compile(r"^[A-Za-z_][\w.-]{0,60}$")


def _keys(ask: str) -> tuple[tuple[str, Shape], ...]:
    if re.search(r"(?i)\bjson\b|\{\s*[\"']", ask) is None:
        return ()
    example = _example(ask)
    if example:
        return tuple((name, _key_shape(name, ask, value)) for name, value in example.items())
    for pattern in (_KEYED, _KEYS_OF):
        for match in pattern.finditer(ask):
            names = _key_names(match[1])
            if names:
                return tuple((name, _key_shape(name, ask, None)) for name in names)
    bullets = [_BULLET.match(line) for line in ask.split("\n")]
    names = [_clean(re.split(r"[:(]|\s[-–—]\s", bullet[1])[0]) for bullet in bullets if bullet]
    names = [name for name in names if _KEY.match(name)]
    return tuple((name, _key_shape(name, ask, None)) for name in names) if names else ()


def _key_names(text: str) -> list[str]:
    text = re.sub(r"\([^()]*\)", " ", text)
    text = re.split(r"[.;:](?=\s|$)|\s(?:where|for|whose|based|from|using|that)\s", text)[0]
    names = [_clean(part) for part in re.split(r",|\s+and\s+|\s+&\s+", text)]
    names = [re.sub(r"^(?:and|the|an?)\s+", "", name) for name in names if name]
    keys = bool(names) and all(_KEY.match(name) and name.lower() not in _NO_KEYS for name in names)
    return names if keys else []


def _example(ask: str) -> dict[str, object]:
    for start in [match.start() for match in re.finditer(r"\{", ask)][:20]:
        for end in [match.end() for match in re.finditer(r"\}", ask[start : start + 4000])][-1::-1][:20]:
            try:
                value = msgspec.json.decode(ask[start : start + end])
            except (msgspec.MsgspecError, UnicodeEncodeError):
                continue
            if isinstance(value, dict) and value and "type" not in value and "properties" not in value:
                return value
        loose = re.findall(r"[\"'](\w+)[\"']\s*:", ask[start : start + 2000].split("}")[0])
        if loose:
            return dict.fromkeys(loose, "...")
    return {}


def _key_shape(name: str, ask: str, example: object) -> Shape:
    if isinstance(example, bool):
        return Shape(kind="boolean")
    if isinstance(example, (int, float)):
        return Shape(kind="number", high=1 if isinstance(example, float) and 0 <= example <= 1 else 100)
    if isinstance(example, list):
        return Shape(kind="list")
    if isinstance(example, dict):
        return Shape(keys=tuple((key, _key_shape(key, ask, value)) for key, value in example.items()), kind="object")
    if isinstance(example, str) and re.search(r"\||<.* or .*>", example):
        return Shape(labels=_inline(example.strip("<> ")))
    words = re.escape(name).replace("_", "[_ -]")
    about = re.search(
        rf"(?i)[\"'`*]*\b{words}\b[\"'`*]*(?:\s*\([^)]*\))?\s*(?::|=|\bis\b|\bmust\b|\bshould\b|-|–|"
        rf"\()([^\n]*(?:\n[ \t]+[-*•][^\n]*)*)",
        ask,
    )
    said = re.split(r"[.;)](?=\W|$)", about[1], maxsplit=1)[0] if about else ""
    shape = _plain(f"{name}: {said}" if about else name.replace("_", " "))
    if {label.lower() for label, _ in shape.labels} == {"true", "false"}:
        return Shape(kind="boolean")
    if not shape.labels and re.search(r"(?i)categor|label|class|intent|sentiment|priority|type", name):
        shape = Shape(labels=find_labels(ask), topic=shape.topic)
    if not shape.labels and not (shape.words or shape.sentences or shape.bullets):
        whole = _plain(_clause(name, ask))
        shape = Shape(
            kind=shape.kind, words=whole.words, sentences=whole.sentences, topic=shape.topic or whole.topic,
            low=shape.low, high=shape.high,
        )  # fmt: skip
    return shape


def _clause(name: str, ask: str) -> str:
    stem = name.replace("_", " ").split()[-1].lower()
    return " ".join(
        part for part in re.split(r"(?<=[.;\n])\s+", ask) if stem in part.lower() and "json" not in part.lower()
    )
