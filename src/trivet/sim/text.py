"""Writes text of an asked size: extracts, next actions, scores, and talk where nothing is asked.

What is written is plausible, never right: its length and form are what a simulated run is about.
"""

from __future__ import annotations

import re

from trivet.sim.labels import rank, stems
from trivet.sim.read import Shape

_SENTENCE = re.compile(r"[^.!?。！？।؟\n]+(?:[.!?。！？।؟]+(?=\s|$|[^\x00-\x7f])|\.(?=\S)[^.!?。！？\n]*[.!?]*|$|\n)")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

_ACTIONS = {
    "bill charge refund invoice payment": "Check the charges and confirm the refund to the customer",
    "login password access locked account": "Verify the customer's identity and restore their access",
    "bug error crash broken app technical": "Reproduce the fault and send the customer a fix or a workaround",
    "delivery shipping order package late": "Trace the order and tell the customer when it arrives",
    "cancel subscription": "Confirm the cancellation and its date to the customer",
    "discount quote demo offer school": "Send the customer the offer that fits and its price",
    "general question information": "Answer the question and ask whether anything else is needed",
}
_GREETING = re.compile(
    r"(?i)^(?:subject:\s*[^\n]*\n\s*|(?:hi|hello|hey|dear|good (?:morning|day|evening))\b[^,.!\n]{0,30}[,!]\s+)+"
)
_DANGLING = re.compile(
    r"(?i)(?:[\s,;:–-]+(?:a|an|the|and|or|but|nor|so|of|to|in|on|at|by|for|from|with|as|than|that|which|who|when|while|if|"
    r"because|after|before|until|once|again|is|are|was|were|be|been|has|have|had|will|would|can|could|my|your|our|their|"
    r"his|her|its|this|these|those|not|no|more|like))+$"
)
_TAIL = 120
"""Characters at the end of a cut text in which words are looked for that can't end a sentence."""
_ACTION_LABELS = tuple((words, "") for words in _ACTIONS)

_TALK = (
    "This concerns {topic}, and the details given are enough to take the next step.",
    "The main point is {topic}, which should be looked at before anything else.",
    "There are a few things to consider here, starting with {topic}.",
    "It also helps to know when this began and what has been tried so far.",
    "If the situation changes, the answer should be checked again against the latest information.",
    "In short, {topic} is what matters most, and the rest follows from it.",
    "Several options exist, and the best one depends on how soon a result is needed.",
    "Taking the points one at a time makes it easier to see which of them is decisive.",
)
_REPLY = (
    "Thank you for writing to us about {topic}.",
    "We are sorry for the trouble this has caused you.",
    "We are looking into it now and will come back to you within one working day.",
    "If you have anything to add in the meantime, please reply to this message.",
)
_REASONS = (
    "The text speaks of {topic}, which is typical of this category.",
    "None of the other categories fits as well, because the words point to {topic} rather than elsewhere.",
    "The wording leaves little doubt about the customer's main concern.",
    "If more context were available, the decision could be confirmed, but {topic} is the strongest sign.",
    "I considered each of the options in turn before settling on this one.",
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, of 300 characters at most each."""
    found = [match[0].strip() for match in _SENTENCE.finditer(text[:6000])]
    return [sentence[:300].strip() for sentence in found if re.search(r"\w", sentence)]


def topic(matter: str) -> str:
    """The matter's first words that carry meaning, as a noun phrase to talk of."""
    words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", _matter_of_fact(matter[:600]))
    kept = [word.lower() for word in words if stems(word)][:4]
    return "the " + " ".join(kept) if kept else "the request"


def write(shape: Shape, matter: str, *, verbosity: str) -> str:
    """Text in the shape asked for, drawn from the matter."""
    if shape.kind == "number":
        found = re.search(r"\d[\d.,]*\d|\d", matter) if shape.topic == "extract" else None
        return found[0] if found else str(score(shape, matter))
    if shape.bullets:
        each = shape.words if shape.per_bullet else None
        each = each or (max(1, shape.words // shape.bullets) if shape.words else 14)
        points = _points(shape, matter, shape.bullets)
        return "\n".join(f"- {first_words(point, each)}" for point in points)
    if shape.topic == "reply":
        parts = [sentence.format(topic=topic(matter)) for sentence in _REPLY]
        text = " ".join(parts[: shape.sentences or len(parts)])
    elif shape.topic == "action":
        text = _finished(action(matter), shape.sentences or 1)
    else:
        wanted = shape.sentences or (1 if shape.words or shape.characters else _default_sentences(shape, verbosity))
        text = " ".join(_stop(point) for point in _points(shape, matter, wanted))
    if shape.words:
        text = _stop(first_words(text, shape.words)) if len(text.split()) > shape.words else text
    if shape.characters and len(text) > shape.characters:
        text = text[: shape.characters].rstrip()
    return text


def action(matter: str) -> str:
    """What could be done next, as an imperative without its full stop."""
    return _ACTIONS[rank(_ACTION_LABELS, matter)[0][1]]


def score(shape: Shape, matter: str) -> int:
    """A number between the shape's bounds: higher, the more pressing the matter sounds."""
    scale = (("low minor", ""), ("medium normal", ""), ("high urgent critical", ""))
    place = [name for name, _ in scale].index(rank(scale, matter)[0][1])
    return shape.low + round((shape.high - shape.low) * (0.2, 0.5, 0.9)[place])


def talk(matter: str, verbosity: str) -> str:
    """A free answer, of a length that only the verbosity decides."""
    count = {"low": 2, "medium": 5, "high": 8}.get(verbosity, 5)
    about = topic(matter)
    if re.fullmatch(r"(?i)\s*(?:say )?(?:hi|hello|hey|hallo)\b.{0,20}", matter):
        return "Hello! How can I help you today?"
    return " ".join(sentence.format(topic=about) for sentence in _TALK[:count])


def reasons(matter: str, count: int) -> str:
    """Why a label was chosen, in so many sentences."""
    about = topic(matter)
    return " ".join(sentence.format(topic=about) for sentence in _REASONS[:count])


def first_words(text: str, limit: int) -> str:
    """The first words of a text; of a script without spaces, twice as many characters."""
    words = text.split()
    if len(words) <= 2 and _WIDE.search(text):
        return text[: 2 * limit]
    if len(words) <= limit:
        return text
    kept = " ".join(words[:limit]).rstrip(",;:-")
    return kept[:-_TAIL] + _DANGLING.sub("", kept[-_TAIL:]) if kept[:-_TAIL] else _DANGLING.sub("", kept) or kept


def _matter_of_fact(matter: str) -> str:
    """The matter without its subject line and greeting, which no summary repeats."""
    rest = _GREETING.sub("", matter.lstrip(), count=1)
    return rest[:1].upper() + rest[1:] if rest.strip() and rest != matter.lstrip() else matter


def _default_sentences(shape: Shape, verbosity: str) -> int:
    count = {"low": 1, "medium": 2, "high": 4}.get(verbosity, 2)
    return count + 2 if shape.explain else count


def _points(shape: Shape, matter: str, count: int) -> list[str]:
    matter = _matter_of_fact(matter)
    found = sentences(matter)
    if len(found) > count:
        weight = [min(len(stems(sentence)), 8) - 1.5 * place for place, sentence in enumerate(found)]
        keep = sorted(sorted(range(len(found)), key=lambda place: -weight[place])[:count])
        found = [found[n] for n in keep]
    about = topic(matter)
    spare = [sentence.format(topic=about) for sentence in _TALK[1:]]
    found += [spare[n % len(spare)] for n in range(count - len(found))]
    return [point.strip(" -*•\t").rstrip(".;") for point in found]


def _finished(text: str, count: int) -> str:
    more = (
        "Then confirm the result with the customer",
        "Note what was done in the ticket",
        "Follow up in two days",
    )
    parts = [text, *(more[n % len(more)] for n in range(count - 1))]
    return " ".join(_stop(part) for part in parts)


def _stop(text: str) -> str:
    text = re.sub(r"(?<=\w)[.](?=\s+\S)", ",", text.strip().rstrip(",;: "))
    return text if text.endswith(tuple(".!?。！？।؟")) else text + ("。" if _WIDE.search(text[-1:]) else ".")
