"""The staircase of a task: cost and quality after each change that was tried."""

from __future__ import annotations

from collections.abc import Callable
from time import localtime, strftime

from trivet.markup import Markup, tag
from trivet.reporting import axes, parts
from trivet.reporting.axes import Scale, up_to
from trivet.reporting.charts import Chart
from trivet.reporting.comparison_sections import VERDICTS
from trivet.reporting.figures import Staircase, Step
from trivet.wording import one_line


def staircase_section(found: Staircase, name: str) -> Markup:
    """The steps of one file of experiments."""
    lead = "Each change was measured against the best so far; full points were kept, and the line is what holds."
    damaged = f"{found.damaged:,} lines of it could not be read." if found.damaged else ""
    return parts.section(
        name,
        ("Step by step: ", tag("bdi", one_line(found.name, 100))),
        parts.note(damaged) if damaged else None,
        tag(
            "div",
            _stairs(found, "cost_per_1000", "US dollars per 1,000 rows", "s4", axes.money, f"{name}-cost"),
            _stairs(found, "quality", "Quality", "s1", axes.share, f"{name}-quality"),
            _table(found, f"{name}-table"),
            class_="card",
        ),
        lead=lead,
    )


def _stairs(
    found: Staircase, figure: str, title: str, line: str, show: Callable[[float], str], name: str
) -> Markup | None:
    values = [(k, step, getattr(step, figure)) for k, step in enumerate(found.steps)]
    known = [(k, step, float(value)) for k, step, value in values if value is not None]
    if not known:
        return None
    levels = [value for _, _, value in known]
    low, high = min(levels), max(levels)
    y = up_to(high, 3) if figure == "cost_per_1000" else Scale(max(0.0, low - 0.05), min(1.0, high + 0.05))
    chart = Chart(
        name=name,
        title=f"{title} after each step",
        told="; ".join(f"{step.change}: {show(value)}, {_kept(step)}" for _, step, value in known),
        x=Scale(-0.5, len(found.steps) - 0.5),
        y=y,
        height=120,
    )
    chart.grid(show, 3)
    held = [(float(k), value) for k, step, value in known if step.kept]
    if held:
        chart.curve([*held, (len(found.steps) - 0.5, held[-1][1])], line, steps=True)
    for k, step, value in known:
        kind = line.replace("s", "k") if step.kept else "tried"
        x, y_ = chart.across(float(k)), chart.down(value)
        chart.add(tag("circle", tag("title", f"{step.change}: {show(value)}"), cx=x, cy=y_, r=5, class_=f"dot {kind}"))
    ticks = range(0, len(found.steps), max(1, len(found.steps) // 12))
    chart.below(lambda k: str(int(k)), ticks=[float(k) for k in ticks])
    return parts.drawn(chart.draw(), f"{title}, by step.")


def _kept(step: Step) -> str:
    return "kept" if step.kept else "not kept"


def _table(found: Staircase, name: str) -> Markup:
    rows = []
    for k, step in enumerate(found.steps):
        words = VERDICTS.get(step.verdict or "", (step.verdict or "", ""))[0]
        when = strftime("%Y-%m-%d %H:%M", localtime(step.at)) if step.at and 0 < step.at < 4e9 else None
        rows.append(
            (
                k,
                tag("code", tag("bdi", step.change)),
                None if step.cost_per_1000 is None else axes.money(step.cost_per_1000),
                None if step.quality is None else axes.share(step.quality),
                words,
                _kept(step),
                when,
            )
        )
    heads = ("Step", "Change", "US dollars per 1,000", "Quality", "Verdict", "", "When")
    return parts.table("Steps", heads, rows, name=name, words=(1, 4, 5, 6))
