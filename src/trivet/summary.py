"""A whole run in figures: what is written to `summary.json`, and the same in words."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trivet.markup import tag
from trivet.records import Failure
from trivet.wording import SIMULATED, dollars, one_line, plain, seconds


class Latency(Struct, frozen=True, kw_only=True):
    """Seconds over the replies of the provider (hits left out); None where the sample can't support it."""

    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class Calls(Struct, frozen=True, kw_only=True):
    """How the rows were answered, and what it took."""

    sent: int = 0
    cache_hits: int = 0
    coalesced: int = 0
    attempts: int = 0
    retries: int = 0
    rate_limited: int = 0


class Tokens(Struct, frozen=True, kw_only=True):
    """Tokens billed over all attempts; `cached_input` is part of `input`, `reasoning` of `output`.

    None, all of them, where a server does not say what it counted.
    """

    input: int | None = 0
    cached_input: int | None = 0
    output: int | None = 0
    reasoning: int | None = 0


class TagBill(Struct, frozen=True, kw_only=True):
    """What the calls with one tag came to; `cost_usd` is None where a price is not known."""

    rows: int
    cost_usd: Decimal | None


class Predicted(Struct, frozen=True, kw_only=True):
    """What `trivet explain` said of this run before it began: US dollars and seconds, from and to."""

    cost_usd: tuple[Decimal, Decimal] | None
    time_s: tuple[float, float] | None
    at: float = 0.0


class Summary(Struct, frozen=True, kw_only=True):
    """A whole run in figures: what `trivet run --json` prints. A figure that is not known is None."""

    run: str
    task: str
    model: str
    provider: str  # "simulated", or the server's host
    rows: int
    ok: int
    failed: int
    wall_s: float
    rows_per_s: float | None
    calls: Calls
    cache_hit_rate: float | None
    latency_s: Latency
    ttft_s: Latency | None
    tokens: Tokens
    cost_usd: Decimal | None
    saved_usd: Decimal | None
    counts: dict[str, int]
    failures: dict[str, int]
    input_chars_mean: float | None
    output_chars_mean: float | None
    oldest_hit_s: float | None
    possibly_billed: int
    interrupted: bool
    results: str | None
    by_tag: dict[str, TagBill] = {}  # "team=search" and the like
    error: Failure | None = None  # what stopped the run before its rows came to an end
    predicted: Predicted | None = None

    def __str__(self) -> str:
        return summary_text(self)

    def _repr_html_(self) -> str:
        return summary_html(self)


def summary_text(summary: Summary) -> str:
    """The whole summary as text; what the simulator made up is called so."""
    title, pairs = _described(summary)
    lines = [title, *(f"  {name:20} {text}" for name, text in pairs)]
    return "\n".join([*lines, *(f"  {text}" for text in _warned(summary))])


def summary_html(summary: Summary) -> str:
    """The same as HTML, for notebooks."""
    title, pairs = _described(summary)
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", one_line(text, 1000)))
        for name, text in [*pairs, *(("", text) for text in _warned(summary))]
    ]
    return tag("table", tag("caption", one_line(title, 300)), tag("tbody", rows))


def _described(summary: Summary) -> tuple[str, list[tuple[str, str]]]:
    pairs = [
        ("rows", _rows(summary)),
        ("total time", f"{seconds(summary.wall_s)}{_rate(summary)}"),
        ("latency", _latency(summary.latency_s)),
        ("time to first token", _latency(summary.ttft_s) if summary.ttft_s else ""),
        ("calls", _calls(summary)),
        ("cache hit rate", _percent(summary.cache_hit_rate)),
        ("tokens", _tokens(summary)),
        ("cost", _cost(summary)),
        ("by tag", _by_tag(summary)),
        ("predicted", _predicted(summary)),
        ("categories", ", ".join(f"{plain(k)} {n}" for k, n in list(summary.counts.items())[:12])),
        ("failures", ", ".join(f"{code} {n}" for code, n in summary.failures.items())),
        ("results", summary.results or ""),
    ]
    title = f"{summary.task} · {summary.model} · {summary.provider}"
    return title, [(name, text) for name, text in pairs if text]


def _warned(summary: Summary) -> list[str]:
    said = [SIMULATED] if summary.provider == "simulated" else []
    if summary.cost_usd is None:
        said.append("warning: the price of some calls is not known, so neither is the cost")
    return said


def _rows(summary: Summary) -> str:
    failed = f", {summary.failed:,} failed" if summary.failed else ""
    return f"{summary.ok:,} of {summary.rows:,} ok{failed}{', interrupted' if summary.interrupted else ''}"


def _rate(summary: Summary) -> str:
    return f" ({summary.rows_per_s:,.1f} rows/s)" if summary.rows_per_s else ""


def _latency(latency: Latency) -> str:
    if latency.mean is None:
        return "no call was sent"
    parts = [f"mean {seconds(latency.mean)}"]
    for name in ("p50", "p90", "p95", "p99"):
        value = getattr(latency, name)
        if value is not None:
            parts.append(f"{name} {seconds(value)}")
    return ", ".join([*parts, f"max {seconds(latency.max)}"])


def _calls(summary: Summary) -> str:
    calls = summary.calls
    parts = [f"{calls.sent:,} sent", f"{calls.cache_hits:,} from the cache", f"{calls.coalesced:,} shared"]
    if calls.retries:
        parts.append(f"{calls.retries:,} retries")
    if calls.rate_limited:
        parts.append(f"{calls.rate_limited:,} refused for pace")
    if summary.possibly_billed:
        parts.append(f"{summary.possibly_billed:,} possibly billed without an answer")
    return ", ".join(parts)


def _by_tag(summary: Summary) -> str:
    bills = list(summary.by_tag.items())
    shown = [f"{plain(tag)} {dollars(bill.cost_usd)} for {bill.rows:,} rows" for tag, bill in bills[:12]]
    return "; ".join([*shown, f"{len(bills) - 12:,} more"] if len(bills) > 12 else shown)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.0f} %"


def _tokens(summary: Summary) -> str:
    tokens = summary.tokens
    if tokens.input is None or tokens.output is None:
        return "unknown: the server does not count them"
    extra = f", {tokens.reasoning:,} of them reasoning" if tokens.reasoning else ""
    cached = f" ({tokens.cached_input:,} cached)" if tokens.cached_input else ""
    return f"{tokens.input:,} in{cached}, {tokens.output:,} out{extra}"


def _cost(summary: Summary) -> str:
    saved = f", {dollars(summary.saved_usd)} saved" if summary.saved_usd else ""
    return f"{dollars(summary.cost_usd)}{saved}"


def _predicted(summary: Summary) -> str:
    """What was said before, and whether it came so."""
    said = summary.predicted
    if said is None:
        return ""
    parts = []
    if said.cost_usd is not None:
        low, high = said.cost_usd
        parts.append(f"cost {_range(dollars(low), dollars(high))}{_held(summary.cost_usd, low, high)}")
    if said.time_s is not None:
        fast, slow = said.time_s
        parts.append(f"time {_range(seconds(fast), seconds(slow))}{_held(summary.wall_s, fast, slow)}")
    return ", ".join(parts)


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _held(actual: Decimal | float | None, low: Decimal | float, high: Decimal | float) -> str:
    """How far outside the interval the actual figure is."""
    if actual is None:
        return ""
    value, least, most = float(actual), float(low), float(high)
    if least <= value <= most:
        return " (held)"
    bound = most if value > most else least
    return f" (actual {abs(value / bound - 1) * 100:.0f} % {'above' if value > most else 'below'})" if bound else ""
