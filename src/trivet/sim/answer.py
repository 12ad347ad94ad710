"""What the model says: reads the prompt as a model would and writes an answer in the form it asks for."""

from __future__ import annotations

import re

import msgspec

from trivet.sim import content, document, text
from trivet.sim.chooser import Chooser
from trivet.sim.draws import Draws
from trivet.sim.read import Shape, read
from trivet.sim.request import Call

_LOOSE_WORDS = 60
"""Words of an ask beyond which a label that is not asked for bare comes with its reasons."""


def answer(call: Call, draws: Draws, noise: float) -> str:
    """The text of the answer to one attempt; `noise` is the share of labels that come out otherwise."""
    system, user = _prompt(call)
    ask, matter = content.split(system, user)
    shape = read(ask)
    choose = Chooser(draws, noise)
    kind = call.format["type"]
    if kind == "json_schema":
        writer = document.Writer(call.format["schema"], shape, matter, call.verbosity, choose)
        return _json(writer.write())
    if kind == "json_object":
        value = document.of_keys(shape, matter, call.verbosity, choose)
        return _json(value or {"answer": text.talk(matter, "low")})
    if shape.keys:
        return _prose_object(shape, ask, matter, call, choose)
    if shape.labels:
        return _labels(shape, ask, matter, call, choose)
    if _asks_for_text(shape):
        return text.write(shape, matter, verbosity=call.verbosity)
    return text.talk(matter, "high" if shape.explain else call.verbosity)


def _prompt(call: Call) -> tuple[str, str]:
    system = [call.instructions or ""]
    user = ""
    for message in call.messages:
        if message.role in ("system", "developer"):
            system.append(message.text)
        elif message.role == "user":
            user = message.text or user
    return "\n\n".join(part for part in system if part), user


def _asks_for_text(shape: Shape) -> bool:
    sized = shape.sentences or shape.bullets or shape.words or shape.characters
    return bool(sized) or shape.kind == "number" or shape.topic in ("summary", "action", "extract", "reply")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _prose_object(shape: Shape, ask: str, matter: str, call: Call, choose: Chooser) -> str:
    entries = content.rows(matter)
    if entries and re.search(r"(?i)\barray\b|\blist of\b|\beach\b", ask):
        value: object = [document.of_keys(shape, row, call.verbosity, choose) for _, row in entries]
    else:
        value = document.of_keys(shape, matter, call.verbosity, choose)
    return _json(value)


def _labels(shape: Shape, ask: str, matter: str, call: Call, choose: Chooser) -> str:
    entries = content.rows(matter)
    if entries and re.search(r"(?i)\beach\b|\bevery\b|\barray\b|\bone (?:label )?per line\b|\ball of\b", ask):
        chosen = [choose(shape.labels, row) for _, row in entries]
        if re.search(r"(?i)\bjson\b|\barray\b", ask):
            return _json(chosen)
        return "\n".join(f"{number}. {label}" for (number, _), label in zip(entries, chosen, strict=True))
    label = choose(shape.labels, matter)
    loose = shape.explain or len(ask.split()) > _LOOSE_WORDS
    if (shape.bare and not shape.explain) or not loose or call.verbosity == "low":
        return label
    count = 4 if shape.explain else 2
    count += 1 if call.verbosity == "high" else 0
    return f"{text.reasons(matter, count)}\n\nCategory: {label}" if shape.explain else (
        f"**{label}**\n\n{text.reasons(matter, count)}"
    )  # fmt: skip
