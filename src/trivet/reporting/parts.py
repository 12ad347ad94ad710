"""The pieces that pages are put together from: figures, tables, tiles, sections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from trivet.markup import Markup, join, tag
from trivet.wording import dollars, seconds

NOTHING = "–"


def figure(value: object, shown: str, name: str) -> Markup:
    """A number as it is shown, with its exact value and its name in `summary.json` for programs that read the page."""
    if value is None:
        return tag("span", NOTHING, class_="none", title="not known")
    exact = f"{value:f}" if isinstance(value, Decimal) else value
    return tag("data", shown, value=exact, data_figure=name)


def money(value: Decimal | float | None, name: str) -> Markup:
    """Dollars."""
    amount = None if value is None else value if isinstance(value, Decimal) else Decimal(repr(value))
    shown = "" if amount is None else f"−{dollars(-amount)}" if amount < 0 else dollars(amount)
    return figure(value, shown, name)


def duration(value: float | None, name: str) -> Markup:
    """A duration."""
    return figure(value, seconds(value).replace(" us", " µs") if value else "0 s", name)


def count(value: float | None, name: str) -> Markup:
    """A whole number, or a mean of whole numbers."""
    if value is None:
        return figure(None, "", name)
    return figure(value, f"{value:,.0f}" if value == int(value) else f"{value:,.1f}", name)


def share(value: float | None, name: str) -> Markup:
    """A share as a percentage."""
    return figure(value, "" if value is None else f"{value * 100:.3g} %", name)


def tile(label: str, value: object, *more: object) -> Markup:
    """A figure that counts, with what it is and what belongs to it."""
    lesser = [tag("span", line, class_="more") for line in more if line is not None]
    return tag("div", tag("dt", label), tag("dd", tag("span", value, class_="value"), lesser), class_="tile")


def table(
    caption: str,
    heads: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    name: str,
    words: Sequence[int] = (0,),
    hidden: bool = False,
) -> Markup:
    """A table that scrolls by itself where it is too wide. `words`: columns that hold text, the first one always.

    `hidden`: the caption is for screen readers alone, because a heading says the same.
    """
    text = {0, *words}

    def cell(place: int, value: object) -> Markup:
        kind = None if place in text else "number"
        if place == 0:
            return tag("th", value, scope="row", class_=kind)
        return tag("td", NOTHING if value is None else value, class_=kind)

    top = [tag("th", each, scope="col", class_=None if k in text else "number") for k, each in enumerate(heads)]
    lines = [tag("tr", [cell(place, value) for place, value in enumerate(row)]) for row in rows]
    whole = tag(
        "table",
        tag("caption", caption, id=name, class_="unseen" if hidden else None),
        tag("thead", tag("tr", top)),
        tag("tbody", lines),
    )
    return tag("div", whole, class_="scroll", role="region", aria_labelledby=name, tabindex=0)


def folded(title: str, *inside: object) -> Markup:
    """Something that is there for whoever asks for it."""
    return tag("details", tag("summary", title), inside)


def section(name: str, title: object, *inside: object, level: int = 2, lead: str = "") -> Markup:
    """A part of the page with a heading."""
    return tag(
        "section",
        tag(f"h{level}", title, id=name),
        tag("p", lead, class_="lead") if lead else None,
        inside,
        aria_labelledby=name,
        class_=f"level{level}",
    )


def drawn(chart: object, *below: object) -> Markup:
    """A chart and what stands under it."""
    return tag("figure", chart, tag("figcaption", below) if any(below) else None)


def legend(entries: Iterable[tuple[str, object]]) -> Markup:
    """Which colour is what."""
    return tag("ul", [tag("li", key(kind), words) for kind, words in entries], class_="legend")


def key(kind: str) -> Markup:
    """A patch of a colour."""
    square = tag("rect", width=11, height=11, rx=2, class_=kind)
    return tag("svg", square, class_="key", width=11, height=11, aria_hidden="true")


def note(*inside: object, kind: str = "note") -> Markup:
    """Something that must not be overlooked."""
    return tag("p", join(*inside), class_=kind, role="note")
