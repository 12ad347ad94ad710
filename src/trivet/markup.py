"""HTML and SVG written by hand: every text is escaped, every tag is closed, nothing that came from elsewhere is markup.

What a browser would obey without being markup - controls, overrides of the writing direction, halves of surrogate
pairs - is written out, as on a terminal.
"""

from __future__ import annotations

from html import escape

from trivet.wording import plain

_VOID = {"meta", "link", "br", "hr"}


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """A value as inert text."""
    return value if isinstance(value, Markup) else Markup(escape(plain(str(value)), quote=True))


def tag(name: str, /, *inside: object, **attributes: object) -> Markup:
    """An element with what is inside it; None is nothing, and an attribute that is None or False is left out.

    `class_` and `for_` are `class` and `for`, any other `_` is a `-`.
    """
    listed = "".join(
        f' {key.removesuffix("_").replace("_", "-")}="{text(value)}"'
        if value is not True
        else f" {key.removesuffix('_').replace('_', '-')}"
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{listed}>")
    return Markup(f"<{name}{listed}>{join(*inside)}</{name}>")


def join(*parts: object) -> Markup:
    """Parts one after the other; a list is its items, None is nothing."""
    return Markup(
        "".join(join(*part) if isinstance(part, list | tuple) else text(part) for part in parts if part is not None)
    )
