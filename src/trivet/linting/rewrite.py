"""A shorter prompt by a model: what it is asked, and whether what it wrote may be offered."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trivet.linting.contract import mentioned
from trivet.linting.lint import diff_of
from trivet.linting.mask import BLOCK, fields
from trivet.linting.measure import Meter

_ASKED = """Rewrite the prompt template below in as few tokens as possible, for a language model to read.
Keep the meaning of every rule, definition, condition, exception, negation, number, name, example and format.
Keep every placeholder and template tag ({{ ... }}, {% ... %}, {name}) exactly as it is and as often as it occurs.
Write in the template's language. Return only the rewritten template.

<template>
%s
</template>"""


def asked(prompt: str) -> str:
    """What a model is asked for a prompt."""
    return _ASKED.replace("%s", prompt)


def taken(reply: str) -> str:
    """The prompt in a reply, without the fence or the tags that it may stand in."""
    text = reply.strip()
    fenced = re.fullmatch(r"```[^\n]*\n(.*?)\n?```", text, re.DOTALL)
    text = fenced[1] if fenced else text
    tagged = re.fullmatch(r"<template>\n?(.*?)\n?</template>", text, re.DOTALL)
    return (tagged[1] if tagged else text).strip("\n")


def objections(old: str, new: str, labels: Sequence[str] | None) -> list[str]:
    """Why a rewritten prompt can't be offered: what it lost or made up, or that it is no shorter."""
    if not new.strip():
        return ["it is empty"]
    found = []
    before, after = fields(old), fields(new)
    found = [
        f"the placeholder {name} occurs {after[name]} times and not {before[name]}"
        for name in before.keys() | after.keys()
        if before[name] != after[name]
    ]
    if sorted(BLOCK.findall(old)) != sorted(BLOCK.findall(new)):
        found.append("the template's blocks are not the same")
    lost = mentioned(old, labels or ()) - mentioned(new, labels or ())
    found += [f"the label {label!r} is gone" for label in sorted(lost)]
    meter = Meter(labels)
    if meter.count(new) >= meter.count(old):
        found.append(f"it is no shorter: {meter.count(new):,} tokens, and {meter.count(old):,} before")
    return sorted(found)


def difference(old: str, new: str) -> str:
    """The unified diff of a rewritten prompt."""
    return diff_of({"prompt": (old, new)})
