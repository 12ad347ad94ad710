"""Counting sentences in prose.

A sentence ends at a full stop, an exclamation or a question mark (those of other scripts too) that white
space, a closing quote or the end follows, and at a blank line. A full stop within a number or a name
(`4.50`, `example.com`) has no white space after it, one before a small letter or after a title (`Dr.`) ends
nothing, and after other abbreviations, initials, numbers and dots of omission nobody can tell: such a stop
counts either way, so the count is a range.
"""

from __future__ import annotations

import re
from itertools import pairwise

_END = re.compile(r"""(?<![.!?…؟।۔])[.!?…؟।۔]++["'”’»)\]]*+(?=\s|$)|[。！？]+[」』”’）)]*|\n\s*\n""")
_TITLES = re.compile("mr|mrs|ms|mx|dr|prof|st|messrs|sr|jr|rev|hon|gen|col|capt|lt")
_ABBREVIATIONS = re.compile(
    "etc|vs|approx|ca|cf|al|inc|ltd|co|corp|llc|no|nos|nr|figs?|eq|sec|ch|vol|eds?|pp|art|dept|est|min|max|tel|ext"
    "|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|bzw|usw|ggf"
)
_DOTTED = re.compile(r"(?:\w\.)+\w|\w|[\d.,]+")


def sentences(text: str) -> tuple[int, int]:
    """The fewest and the most sentences that the text can be read as; what has no letter or digit is none."""
    certain = [0]
    possible = [0]
    for end in _END.finditer(text):
        kind = _kind(text, end)
        if kind != "none":
            possible.append(end.end())
        if kind == "certain":
            certain.append(end.end())
    return _pieces(text, certain), _pieces(text, possible)


def _kind(text: str, end: re.Match[str]) -> str:
    stop = end.group()
    if stop[0] in "\n。！？":
        return "certain"
    following = text[end.end() : end.end() + 50].lstrip()
    small = following[:1].islower()
    if stop[0] != ".":
        return "possible" if small else "certain"
    if small:
        return "none"
    if stop.startswith(".."):
        return "possible"
    before = text[max(0, end.start() - 30) : end.start()].split()
    word = before[-1].lstrip("(\"'“‘[«").casefold() if before and not text[end.start() - 1].isspace() else ""
    if _TITLES.fullmatch(word):
        return "none"
    unsure = _ABBREVIATIONS.fullmatch(word) or _DOTTED.fullmatch(word)
    return "possible" if unsure else "certain"


def _pieces(text: str, cuts: list[int]) -> int:
    return sum(any(map(str.isalnum, text[start:end])) for start, end in pairwise([*cuts, len(text)]))
