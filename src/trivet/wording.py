"""Figures and foreign text as people may see them: money, durations, and nothing that a terminal would obey."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

SIMULATED = "simulated: answers, output lengths and times are assumed; tokens and prices are exact for them"

_SHOWN = {"\n": "\n", "\t": "\t"}
_FORMAT_ALLOWED = {"\u200c", "\u200d"}  # joiners: emoji and several scripts need them


def plain(text: str) -> str:
    """The text with every control, override and surrogate character written out as `\\x1b` and the like."""
    if text.isprintable():
        return text
    return "".join(_safe(character) for character in text)


def _safe(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and character not in _FORMAT_ALLOWED):
        return _SHOWN.get(character) or character.encode("unicode_escape").decode("ascii")
    return character


def one_line(text: str, most: int = 200) -> str:
    """`plain`, in one line of at most `most` characters."""
    line = " ".join(plain(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def dollars(amount: Decimal | None) -> str:
    """An amount as people read it: cents for large ones, four significant digits for small ones."""
    if amount is None:
        return "unknown"
    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.6f}" if amount else "$0"


def seconds(value: float | None) -> str:
    """A duration as people read it."""
    if value is None:
        return "-"
    if value < 0.001:
        return f"{value * 1e6:.0f} us"
    if value < 1:
        return f"{value * 1e3:.0f} ms"
    if value < 120:
        return f"{value:.2f} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"
