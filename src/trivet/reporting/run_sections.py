"""The sections of one run: what it came to, what it cost, and which rows stand out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from time import localtime, strftime

from trivet.markup import Markup, join, tag
from trivet.reporting import parts
from trivet.reporting.charts import meter, strip
from trivet.reporting.figures import Call, Costs, RunFigures
from trivet.reporting.time_sections import latency, timeline
from trivet.summary import Summary
from trivet.wording import dollars, one_line, seconds

KINDS = {
    "input": "k1",
    "cached input": "k2",
    "cache write": "k3",
    "cache write, 12 h": "k3",
    "output": "k4",
    "reasoning": "k5",
    "failed attempts": "bad",
}
UNSPLIT = "k6"

STATES = {
    "finished": "finished",
    "interrupted": "stopped before its rows came to an end",
    "unfinished": "unfinished: still running, or cut off",
}


def run_sections(run: RunFigures, name: str) -> Markup:
    """A whole run, as a section of the page with sections of its own. `name`: unique on the page."""
    return parts.section(
        name,
        tag("bdi", one_line(run.name, 100)),
        about(run),
        warnings(run),
        tiles(run.summary),
        _cost(run.costs, name),
        latency(run, name),
        timeline(run, name),
        _labels(run, name),
        _rows(run, name),
        _failed(run, name),
    )


def about(run: RunFigures) -> Markup:
    """What was run, where and when, in one line."""
    when = strftime("%Y-%m-%d %H:%M", localtime(run.at)) if 0 < run.at < 4e9 else None
    words = [
        one_line(Path(run.task).name, 100),
        one_line(run.model, 60),
        one_line(run.provider, 80),
        when,
        STATES[run.state],
    ]
    return tag("p", [tag("span", tag("bdi", each)) for each in words if each], class_="about")


def warnings(run: RunFigures) -> Markup:
    """What the reader has to know before believing the figures."""
    said = []
    if run.state != "finished":
        said.append(f"This run is {STATES[run.state]}: the figures are of the {run.summary.rows:,} rows so far.")
    if run.summary.error is not None:
        message = f": {one_line(run.summary.error.message, 400)}" if run.summary.error.message else ""
        said.append(f"What stopped it: {one_line(run.summary.error.code, 60)}{message}")
    if run.summary.possibly_billed:
        many = run.summary.possibly_billed
        said.append(f"{many:,} {'call was' if many == 1 else 'calls were'} possibly billed without an answer.")
    if run.costs.unpriced:
        said.append(f"The price of {run.costs.unpriced:,} attempts is not known; they are in no sum of money.")
    if run.damaged:
        said.append(f"{run.damaged:,} lines of the records are damaged and left out.")
    return join([parts.note(each) for each in said])


def tiles(summary: Summary) -> Markup:
    """The summary in a few large figures."""
    calls, tokens, late = summary.calls, summary.tokens, summary.latency_s
    per_1000 = None if summary.cost_usd is None or not summary.rows else summary.cost_usd / summary.rows * 1000
    failed = (parts.count(summary.failed, "failed"), " failed")
    rate = None if summary.rows_per_s is None else join(f"{summary.rows_per_s:,.1f} rows/s")
    tail = next(((p, v) for p in ("p99", "p95", "p90") if (v := getattr(late, p)) is not None), None)
    shared = f", {calls.coalesced:,} shared" if calls.coalesced else ""
    cached = f"{tokens.cached_input:,} cached" if tokens.cached_input else None
    first = None if summary.ttft_s is None else ("first token ", parts.duration(summary.ttft_s.p50, "ttft_s.p50"))
    return tag(
        "dl",
        parts.tile(
            "Rows with a result",
            (parts.count(summary.ok, "ok"), tag("small", " of ", parts.count(summary.rows, "rows"))),
            tag("span", failed, class_="badly") if summary.failed else failed,
        ),
        parts.tile(
            "Cost",
            parts.money(summary.cost_usd, "cost_usd"),
            None if per_1000 is None else f"{dollars(per_1000)} per 1,000 rows",
        ),
        parts.tile("Latency, median", parts.duration(late.p50, "latency_s.p50"),
                   None if tail is None else (f"{tail[0]} ", parts.duration(tail[1], f"latency_s.{tail[0]}")), first),
        parts.tile("Total time", parts.duration(summary.wall_s, "wall_s"), rate),
        parts.tile("Answered without a call", parts.share(summary.cache_hit_rate, "cache_hit_rate"),
                   f"{calls.cache_hits:,} from the cache{shared}",
                   None if not summary.saved_usd else (parts.money(summary.saved_usd, "saved_usd"), " saved")),
        parts.tile("Calls sent", parts.count(calls.sent, "calls.sent"),
                   (parts.count(calls.retries, "calls.retries"), " retries"),
                   (parts.count(calls.rate_limited, "calls.rate_limited"), " refused for pace")),
        parts.tile("Tokens in", parts.count(tokens.input, "tokens.input"), cached),
        parts.tile("Tokens out", parts.count(tokens.output, "tokens.output"),
                   f"{tokens.reasoning:,} of them reasoning" if tokens.reasoning else None),
        class_="tiles",
    )  # fmt: skip


def _cost(costs: Costs, name: str) -> Markup | None:
    if not costs.kinds and not costs.savings:
        return None
    whole = sum((kind.usd for kind in costs.kinds), Decimal(0))
    shares = [(KINDS.get(kind.name, UNSPLIT), kind, float(kind.usd / whole) if whole else 0.0) for kind in costs.kinds]
    told = ", ".join(f"{kind.name} {share:.1%}" for _, kind, share in shares)
    chart = strip(
        [(colour, share, f"{kind.name}: {dollars(kind.usd)}, {share:.1%}") for colour, kind, share in shares],
        f"{name}-cost-bar",
        "Cost by kind",
        told,
    )
    rows: list[tuple[object, ...]] = [
        (
            (parts.key(colour), kind.name),
            None if kind.tokens is None else f"{kind.tokens:,}",
            dollars(kind.usd),
            f"{share * 100:.1f} %",
        )
        for colour, kind, share in shares
    ]
    rows.append((tag("strong", "all"), "", tag("strong", parts.money(costs.usd, "cost_usd")), ""))
    lead = f"Prices as of {costs.prices_as_of}, at the tier that served each call."
    wasted = f" {dollars(costs.without_result)} of it went to rows without a result." if costs.without_result else ""
    return parts.section(
        f"{name}-cost",
        "Where the money went",
        parts.drawn(chart) if whole else None,
        parts.table(
            "Cost by kind", ("Kind", "Tokens", "US dollars", "Share"), rows, name=f"{name}-cost-table", hidden=True
        ),
        _savings(costs, name),
        level=3,
        lead=lead + wasted,
    )


def _savings(costs: Costs, name: str) -> Markup | None:
    rows = [
        (saving.name, f"{saving.count:,} {saving.unit}", parts.money(saving.usd, "saving")) for saving in costs.savings
    ]
    if not rows:
        return None
    return parts.table("Not paid, because of", ("", "For", "US dollars saved"), rows, name=f"{name}-saved", words=(1,))


def _labels(run: RunFigures, name: str) -> Markup | None:
    if not run.labels:
        return None
    whole, most = sum(run.labels.values()), max(run.labels.values())
    rows = [
        (
            tag("bdi", one_line(label, 64)),
            meter(n / most),
            parts.count(n, f"counts.{label}"),
            f"{100 * n / whole:.1f} %",
        )
        for label, n in run.labels.items()
    ]
    return parts.section(
        f"{name}-labels",
        "Outputs",
        tag("div", parts.table("Rows by output", ("Output", "", "Rows", "Share"), rows, name=f"{name}-labels-table",
                               words=(1,), hidden=True), class_="meters"),
        level=3,
    )  # fmt: skip


def _rows(run: RunFigures, name: str) -> Markup | None:
    if not run.slowest and not run.dearest:
        return None
    return parts.section(
        f"{name}-rows",
        "Rows that stand out",
        _calls("The slowest", run.slowest, f"{name}-slowest") if run.slowest else None,
        parts.folded("The dearest", _calls("The dearest", run.dearest, f"{name}-dearest")) if run.dearest else None,
        level=3,
    )


def _calls(caption: str, calls: Sequence[Call], name: str) -> Markup:
    heads: list[object] = ["Row", "Latency", "Waited", "Attempts", "Tokens in", "Tokens out", "US dollars"]
    shown = [call.output or call.error for call in calls]
    if any(shown):
        heads.append("Output, or why not")
    rows = []
    for call, words in zip(calls, shown, strict=True):
        row: list[object] = [
            tag("bdi", call.id),
            seconds(call.latency),
            seconds(call.queued) if call.queued else None,
            _attempts(call),
            None if call.input_tokens is None else f"{call.input_tokens:,}",
            None if call.output_tokens is None else f"{call.output_tokens:,}",
            None if call.usd is None else dollars(call.usd),
        ]
        rows.append([*row, tag("bdi", words or "")] if any(shown) else row)
    return parts.table(caption, heads, rows, name=name, words=(7,))


def _attempts(call: Call) -> str:
    refused = f" ({call.refused} refused)" if call.refused else ""
    return f"{call.attempts}{refused}"


def _failed(run: RunFigures, name: str) -> Markup | None:
    if not run.failed:
        return None
    rows = [
        (
            tag("code", each.code),
            parts.count(each.count, f"failures.{each.code}"),
            None if each.usd is None else dollars(each.usd),
            each.reason,
            tag("bdi", ", ".join(str(call.id) for call in each.rows) + (", …" if each.count > len(each.rows) else "")),
        )
        for each in run.failed
    ]
    heads = ("Code", "Rows", "US dollars", "Why", "Which, the first few")
    return parts.section(
        f"{name}-failed",
        "Rows that failed",
        parts.table("Failed rows by reason", heads, rows, name=f"{name}-failed-table", words=(3, 4), hidden=True),
        _texts(call for each in run.failed for call in each.rows),
        level=3,
    )


def _texts(calls: Iterable[Call]) -> Markup | None:
    """What was said of failed rows, where text may be shown."""
    rows = [
        (tag("bdi", call.id), tag("bdi", call.message), tag("bdi", call.text or ""))
        for call in calls
        if call.message is not None
    ]
    if not rows:
        return None
    heads = ("Row", "Message", "What the model said")
    return parts.folded("Messages", parts.table("Messages", heads, rows, name=f"messages-{id(rows)}", words=(1, 2)))
