"""The page: one HTML file that asks the network for nothing, runs no script, and may load nothing.

Its policy allows the one stylesheet in it, by its hash, and no script at all; so even markup that came through
unescaped could do nothing.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from time import localtime, strftime

from trivet.markup import Markup, join, tag
from trivet.reporting import parts
from trivet.reporting.comparison_sections import VERDICTS, comparison_sections
from trivet.reporting.curves import curves
from trivet.reporting.figures import Figures, RunFigures
from trivet.reporting.run_sections import run_sections
from trivet.reporting.staircase_section import staircase_section
from trivet.wording import SIMULATED, dollars, one_line, seconds

MARK = "<!doctype html><!-- trivet report -->"
"""What every page begins with, so that a page may replace a page and nothing else."""


def page(figures: Figures) -> str:
    """The whole file."""
    title = _title(figures)
    style = stylesheet()
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(style)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="generator", content=f"trivet {figures.version}"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", style),
    )
    return f"{MARK}\n{tag('html', head, tag('body', _body(figures, title)), lang='en')}\n"


@cache
def stylesheet() -> Markup:
    """The page's own style."""
    return Markup(files("trivet.reporting").joinpath("style.css").read_text("utf-8"))


def policy(style: str) -> str:
    """Nothing is allowed but the one stylesheet."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    rules = (
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules)


def _title(figures: Figures) -> str:
    names = [
        *(run.name for run in figures.runs),
        *(each.name for each in figures.comparisons),
        *(each.name for each in figures.staircases),
    ]
    return f"trivet report: {one_line(', '.join(names), 120)}"


def _body(figures: Figures, title: str) -> Markup:
    entries = [
        *((f"run-{k}", run.name) for k, run in enumerate(figures.runs)),
        *((f"comparison-{k}", each.name) for k, each in enumerate(figures.comparisons)),
        *((f"steps-{k}", each.name) for k, each in enumerate(figures.staircases)),
    ]
    several = len(figures.runs) > 1
    if several:
        entries.insert(0, ("side-by-side", "Side by side"))
    links = [tag("li", tag("a", tag("bdi", one_line(words, 60)), href=f"#{name}")) for name, words in entries]
    simulated = figures.simulated
    written = strftime("%Y-%m-%d %H:%M", localtime(figures.written_at))
    return join(
        tag("a", "To the figures", href="#main", class_="skip"),
        tag(
            "header",
            tag("p", "trivet report", class_="brand"),
            tag("h1", _headline(figures)),
            tag("p", tag("strong", "SIMULATED"), f" · {SIMULATED.removeprefix('simulated: ')}.", class_="simulated",
                role="note") if simulated else None,
            tag("nav", tag("ul", links), aria_label="Contents") if len(links) > 1 else None,
        ),
        tag(
            "main",
            _side_by_side(figures.runs) if several else None,
            [run_sections(run, f"run-{k}") for k, run in enumerate(figures.runs)],
            [comparison_sections(each, f"comparison-{k}") for k, each in enumerate(figures.comparisons)],
            [staircase_section(each, f"steps-{k}") for k, each in enumerate(figures.staircases)],
            id="main",
            tabindex="-1",
        ),
        tag("footer", tag("p", _footer(figures, written))),
    )  # fmt: skip


def _headline(figures: Figures) -> Markup:
    """What there is to know in one sentence."""
    if len(figures.runs) == 1 and not figures.comparisons:
        summary = figures.runs[0].summary
        cost = "" if summary.cost_usd is None else f" for {dollars(summary.cost_usd)}"
        return join(f"{summary.ok:,} of {summary.rows:,} rows answered in {seconds(summary.wall_s)}{cost}")
    if len(figures.comparisons) == 1 and not figures.runs:
        candidates = [v for v in figures.comparisons[0].variants if not v.baseline]
        if len(candidates) == 1:
            words, _ = VERDICTS.get(candidates[0].verdict or "", ("no verdict", ""))
            return join(f"{one_line(candidates[0].name, 40)}: {words}")
        return join(f"{len(candidates)} candidates against a baseline")
    kinds = (
        (len(figures.runs), "run"),
        (len(figures.comparisons), "comparison"),
        (len(figures.staircases), "staircase"),
    )
    return join(", ".join(f"{many} {word}{'s' if many > 1 else ''}" for many, word in kinds if many) or "Nothing")


def _side_by_side(runs: Sequence[RunFigures]) -> Markup:
    def line(label: str, *cells: object) -> list[object]:
        return [label, *cells]

    each = [run.summary for run in runs]
    rows = [
        line("Model", *(tag("bdi", one_line(run.model, 40)) for run in runs)),
        line("Rows", *(parts.count(s.rows, "rows") for s in each)),
        line("With a result", *(parts.count(s.ok, "ok") for s in each)),
        line("Failed", *(parts.count(s.failed, "failed") for s in each)),
        line("Cost", *(parts.money(s.cost_usd, "cost_usd") for s in each)),
        line("Total time", *(parts.duration(s.wall_s, "wall_s") for s in each)),
        line("Latency, mean", *(parts.duration(s.latency_s.mean, "latency_s.mean") for s in each)),
        line("Latency, p50", *(parts.duration(s.latency_s.p50, "latency_s.p50") for s in each)),
        line("Latency, p95", *(parts.duration(s.latency_s.p95, "latency_s.p95") for s in each)),
        line("Answered without a call", *(parts.share(s.cache_hit_rate, "cache_hit_rate") for s in each)),
        line("Tokens in", *(parts.count(s.tokens.input, "tokens.input") for s in each)),
        line("Tokens out", *(parts.count(s.tokens.output, "tokens.output") for s in each)),
        line("Retries", *(parts.count(s.calls.retries, "calls.retries") for s in each)),
        line("Refused for pace", *(parts.count(s.calls.rate_limited, "calls.rate_limited") for s in each)),
    ]
    heads = ("", *(tag("a", tag("bdi", one_line(run.name, 40)), href=f"#run-{k}") for k, run in enumerate(runs)))
    samples = [(run.name, run.latency) for run in runs if run.latency is not None]
    lead = "Runs at different times, over rows of their own: to say which is better, compare them over the same rows."
    return parts.section(
        "side-by-side",
        "Side by side",
        tag(
            "div",
            parts.table("Runs side by side", heads, rows, name="side-table", words=(), hidden=True),
            curves(samples, "side-latency") if len(samples) > 1 else None,
            class_="card",
        ),
        lead=lead,
    )


def _footer(figures: Figures, written: str) -> str:
    text = (
        "with text of prompts' columns and of the model" if figures.with_text else "no text of prompts or of the model"
    )
    by = f"Written by trivet {figures.version} on {written} from the records alone; {text}."
    return f"{by} A dash is a figure that is not known."
