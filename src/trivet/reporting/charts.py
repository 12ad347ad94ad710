"""Charts as SVG that stays readable at any width.

Nothing is scaled as a picture: places along the width are percentages and heights are pixels, so that text keeps its
size from a phone to a wide screen. Curves, which can't be given in percentages, lie in a field of their own that is
stretched, with lines whose width is not. There are no style attributes, which the page's policy would refuse: colours
are classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trivet.markup import Markup, join, tag
from trivet.reporting.axes import Scale, Show

FIELD = 1000
"""Units that a stretched field is wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The ground that a chart is drawn on. Heights in pixels: of the plot, and what is left free over and under it."""

    name: str
    title: str
    told: str
    x: Scale
    y: Scale
    height: int = 170
    over: int = 18
    under: int = 22
    parts: list[Markup] = field(default_factory=list)
    labels: list[Markup] = field(default_factory=list)

    def across(self, value: float) -> str:
        """Where along the width a value is."""
        return percent(self.x.at(value))

    def down(self, value: float) -> float:
        """How many pixels from the top a value is."""
        return round(self.over + self.height * (1 - self.y.at(value)), 1)

    def add(self, *parts: object) -> None:
        """Draw on top of what is there."""
        self.parts.append(join(*parts))

    def grid(self, show: Show, most: int = 4) -> None:
        """Lines across at round values, each with its value; the base line without one."""
        for value in self.y.ticks(most):
            y = self.down(value)
            self.add(tag("line", x1=0, x2="100%", y1=y, y2=y, class_="base" if value == self.y.low else "grid"))
            if value != self.y.low:
                self.labels.append(tag("text", show(value), x=0, y=y - 4, class_="tick halo"))

    def below(self, show: Show, most: int = 5, ticks: Sequence[float] | None = None) -> None:
        """Round values along the foot; one too near the one before has no words."""
        free = -1.0
        for value in self.x.ticks(most) if ticks is None else ticks:
            place = self.x.at(value)
            x = percent(place)
            foot = self.over + self.height
            self.add(tag("line", x1=x, x2=x, y1=foot, y2=foot + 4, class_="base"))
            side = anchor(place)
            if place >= free:
                self.add(tag("text", show(value), x=x, y=foot + 17, text_anchor=side, class_="tick"))
                free = place + (0.2 if side == "start" else 0.14)

    def bars(self, bars: Sequence[tuple[float, float, float]], kind: str, titles: Sequence[str] = ()) -> None:
        """Bars from the base line: lower bound, upper bound, value."""
        for place, (low, high, value) in enumerate(bars):
            if value <= 0:
                continue
            left, right = self.x.at(low), self.x.at(high)
            y = self.down(value)
            bar = tag(
                "rect",
                tag("title", titles[place]) if titles else None,
                x=percent(left + 0.0006),
                width=percent(max(0.001, right - left - 0.0012)),
                y=y,
                height=max(0.5, round(self.over + self.height - y, 1)),
                class_=kind,
            )
            self.add(bar)

    def upright(self, value: float, kind: str, words: str = "", row: int = 0) -> None:
        """A line from top to base at a value, and words beside its upper end."""
        place = self.x.at(value)
        x = percent(place)
        y = 12 + 14 * row
        self.add(tag("line", x1=x, x2=x, y1=y + 4, y2=self.over + self.height, class_=kind))
        if words:
            self.add(tag("text", words, x=x, y=y, text_anchor=anchor(place), class_="mark halo"))

    def level(self, value: float, kind: str, words: str) -> None:
        """A line across at a value, and words on it at the right."""
        y = self.down(value)
        self.add(tag("line", x1=0, x2="100%", y1=y, y2=y, class_=kind))
        self.add(tag("text", words, x="100%", y=y - 5, text_anchor="end", class_="mark halo"))

    def curve(self, points: Sequence[tuple[float, float]], kind: str, *, steps: bool = False, area: str = "") -> None:
        """A line through points; `steps`: level between them; `area`: the class of what is under it."""
        if not points:
            return
        placed = [(round(FIELD * self.x.at(x), 1), round(self.height * (1 - self.y.at(y)), 1)) for x, y in points]
        path = f"M{placed[0][0]:g} {placed[0][1]:g}"
        for x, y in placed[1:]:
            path += f"H{x:g}V{y:g}" if steps else f"L{x:g} {y:g}"
        inside = []
        if area:
            closed = f"{path}V{self.height}H{placed[0][0]:g}Z"
            inside.append(tag("path", d=closed, class_=area))
        inside.append(tag("path", d=path, class_=f"line {kind}", vector_effect="non-scaling-stroke"))
        self.add(
            tag(
                "svg",
                inside,
                x=0,
                y=self.over,
                width="100%",
                height=self.height,
                viewBox=f"0 0 {FIELD} {self.height}",
                preserveAspectRatio="none",
                overflow="visible",
            )
        )

    def dot(self, x: float, y: float, kind: str, words: str = "", radius: int = 6) -> None:
        """A point, and words beside it."""
        place = self.x.at(x)
        left, top = percent(place), self.down(y)
        self.add(tag("circle", tag("title", words) if words else None, cx=left, cy=top, r=radius, class_=kind))
        if words:
            side = {"start": 10, "middle": 0, "end": -10}[anchor(place)]
            lift = -11 if side == 0 else 4
            self.add(tag("text", words, x=left, y=top + lift, dx=side, text_anchor=anchor(place), class_="name halo"))

    def draw(self) -> Markup:
        """The chart with its title and its description, for those who can't see it."""
        title, told = f"{self.name}-title", f"{self.name}-told"
        height = self.over + self.height + self.under
        return tag(
            "svg",
            tag("title", self.title, id=title),
            tag("desc", self.told, id=told),
            self.parts,
            self.labels,
            class_="chart",
            width="100%",
            height=height,
            role="img",
            aria_labelledby=f"{title} {told}",
        )


def anchor(place: float) -> str:
    """How text at a place along the width is put, so that it stays inside."""
    return "start" if place < 0.07 else "end" if place > 0.93 else "middle"


def percent(place: float) -> str:
    """A share of the width."""
    return f"{100 * place:.5g}%" if place >= 1e-6 else "0"


def strip(parts: Sequence[tuple[str, float, str]], name: str, title: str, told: str, height: int = 34) -> Markup:
    """One bar made of parts: the class of each, its share of the whole, its own words."""
    left = 0.0
    drawn = []
    for kind, part, words in parts:
        drawn.append(
            tag(
                "rect",
                tag("title", words),
                x=percent(left),
                width=percent(max(0.0, part - 0.002)),
                y=0,
                height=height,
                class_=kind,
            )
        )
        left += part
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", told, id=f"{name}-told"),
        drawn,
        class_="chart",
        width="100%",
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-told",
    )


def meter(part: float, kind: str = "k1") -> Markup:
    """A share as a small bar; the number stands beside it."""
    bar = tag("rect", width=percent(min(1.0, max(0.0, part))), height=12, rx=2, class_=kind)
    return tag("svg", bar, class_="meter", width="100%", height=12, aria_hidden="true")
