"""What a benchmark found: ours, the control of the same run, and their ratio, as lines of one Markdown table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One line. `ratio` is ours over the control's, as a number or in words; `wanted` is the goal, if there is one."""

    what: str
    ours: str
    control: str
    ratio: float | str
    wanted: str = ""

    def cells(self) -> list[str]:
        """The line's cells, as text."""
        ratio = self.ratio if isinstance(self.ratio, str) else number(self.ratio)
        return [self.what, self.ours, self.control, ratio, self.wanted]


HEADER = ["measured", "trivet", "control", "ratio", "wanted"]


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def table(found: list[Ratio]) -> str:
    """The lines as a table in Markdown."""
    rows = [HEADER, ["---"] * len(HEADER), *(each.cells() for each in found)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def show(found: list[Ratio], *, as_json: bool) -> None:
    """Print them, for people or for `all.py`."""
    print(json.dumps([asdict(each) for each in found]) if as_json else "\n" + table(found))


def read(printed: str) -> list[Ratio]:
    """What `show` printed as JSON."""
    return [Ratio(**each) for each in json.loads(printed.splitlines()[-1])]
