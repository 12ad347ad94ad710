"""What an explanation says: as data, which `trivet explain --json` prints, and as people read it.

In words: what is known, where it is from, and how sure it is, in 78 columns at most.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from trivet.explanation.bill import Choice
from trivet.explanation.levers import Lever
from trivet.explanation.parts import Cached, Duplicates, LimitsAhead, Piloted, Plan, TokensAhead
from trivet.linting.result import Finding
from trivet.wording import SIMULATED, dollars, one_line, seconds

WIDTH = 78
_NAMES = 12
_MODELS = 8
_FINDINGS = 3


class Explanation(Struct, frozen=True, kw_only=True):
    """What a run will cost and take. A figure that is not known is None.

    `cost_usd` by tier and `cost_interval_usd` are of the calls that will be sent, `calls` of them: without hits and,
    where there is a cache, without duplicates. `time_s`: from, to; `time_by_usage_tier` where the account's is unknown.
    """

    task: str
    data: str
    model: str
    provider: str
    rows: int
    bad_rows: int
    complaints: tuple[str, ...]
    columns: tuple[str, ...]
    duplicates: Duplicates
    tokens: TokensAhead
    cache: Cached
    calls: int
    cost_usd: dict[str, Decimal | None]
    cost_interval_usd: tuple[Decimal, Decimal] | None
    price_since: str | None
    tier: str
    time_s: tuple[float, float] | None
    time_by_usage_tier: dict[str, float] | None
    binding_limit: str | None
    limits: LimitsAhead
    latency_from: str | None
    models: tuple[Choice, ...]
    levers: tuple[Lever, ...]
    lint: tuple[Finding, ...]
    lint_saves_tokens: int
    deadline_s: float | None
    plans: tuple[Plan, ...]
    pilot: Piloted | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def _lines(x: Explanation) -> Iterator[str]:
    yield from textwrap.wrap(one_line(f"{x.task} · {x.data}", 300), WIDTH, break_on_hyphens=False)
    yield f"{one_line(x.model, 100)} at {_provider(x)}"
    yield ""
    yield from _item("rows", *_rows(x))
    yield from _item("to send", *_calls(x))
    yield from _item("tokens in", *_input(x))
    yield from _item("tokens out", *_output(x))
    yield ""
    yield from _item("cost", *_cost(x))
    yield from _item("time", *_time(x))
    if x.plans:
        yield from _item("deadline", *_deadline(x))
    if x.levers:
        yield ""
        yield from _item("levers", *_levers(x))
    if len(x.models) > 1:
        yield ""
        yield from _item("models", *_models(x))
    yield ""
    yield from _item("lint", *_lint(x))
    notes = [*x.notes, *([SIMULATED] if x.provider == "simulated" else [])]
    if notes:
        yield ""
    for note in notes:
        yield from textwrap.wrap(f"- {note}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _item(name: str, *lines: str) -> Iterator[str]:
    """Lines beside their name; what is too long goes on below, further in."""
    first = True
    for line in lines:
        lead = len(line) - len(line.lstrip())
        for part in textwrap.wrap(
            line, WIDTH - _NAMES, subsequent_indent=" " * (lead + 2), break_on_hyphens=False, drop_whitespace=True
        ):
            yield f"{name if first else '':{_NAMES}}{part}"
            first = False


def _provider(x: Explanation) -> str:
    return "the simulated provider" if x.provider == "simulated" else x.provider


def _rows(x: Explanation) -> Iterator[str]:
    bad = f", {x.bad_rows:,} of them bad" if x.bad_rows else ""
    yield f"{_many(x.rows, 'row')}{bad}; the prompt uses {', '.join(x.columns)}"
    for complaint in x.complaints:
        yield f"  {one_line(complaint, 200)}"
    if x.bad_rows > len(x.complaints):
        yield f"  ... and {x.bad_rows - len(x.complaints):,} more"
    same, alike = x.duplicates.exact, x.duplicates.normalised
    if same or alike:
        parts = [f"{same:,} ask what an earlier row asks"] if same else []
        parts += (
            [f"{alike:,}{' more' if same else ''} differ from an earlier row by white space alone"] if alike else []
        )
        yield ", ".join(parts)


def _calls(x: Explanation) -> Iterator[str]:
    hits = f"{x.cache.hits:,} of {_many(x.cache.questions, 'question')}"
    sampled = f" (of {x.cache.looked_up:,} looked up)" if x.cache.looked_up < x.cache.questions else ""
    known = f"; {hits} {_are(x.cache.hits)} in the cache{sampled}" if x.cache.hits else ""
    yield f"{_many(x.calls, 'call')}{known}"


def _input(x: Explanation) -> Iterator[str]:
    tokens = x.tokens
    low, high = tokens.input_interval
    yield f"{tokens.input:,}: {tokens.constant:,} constant + {tokens.varying:,.1f} varying a row"
    if tokens.counted < x.cache.questions:
        yield f"[{low:,}, {high:,}] by a sample of {tokens.counted:,}, at 95 %"


def _output(x: Explanation) -> Iterator[str]:
    tokens = x.tokens
    low, high = tokens.output_estimate
    source = {
        "answers": f"by {_many(tokens.output_answers, 'answer')}, at 95 %",
        "contract": "as the task allows",
        "guess": "a guess",
    }[tokens.output_from]
    span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    yield f"{span}, about {tokens.output_mean:,.1f} an answer ({source})"
    if tokens.reasoning_mean:
        yield f"{tokens.reasoning_mean:,.0f} of them reasoning"


def _cost(x: Explanation) -> Iterator[str]:
    sure = ""
    if x.cost_interval_usd is not None and x.cost_interval_usd[0] != x.cost_interval_usd[1]:
        sure = " [{}, {}]".format(*map(dollars, x.cost_interval_usd))
    since = f"  price of {x.price_since}" if x.price_since else ""
    own = x.cost_usd.get(x.tier)
    yield f"{x.tier:9} {dollars(own)}{sure}{since}"
    for tier, amount in x.cost_usd.items():
        if tier != x.tier:
            yield f"{tier:9} {dollars(amount)}"
    if x.pilot is not None:
        asked = f"the pilot of {_many(x.pilot.rows, 'row')} cost {dollars(x.pilot.cost_usd)}"
        if not x.pilot.failed:
            yield f"{asked}, which the run need not pay again"
        else:
            yield f"{asked}; {x.pilot.failed:,} of them failed, and will be paid for again: {_first(x.pilot.failure)}"


def _first(failure: str | None) -> str:
    return one_line(failure or "", 160)


def _time(x: Explanation) -> Iterator[str]:
    if not x.calls:
        yield "no call is sent"
    elif x.time_s is not None:
        bound = {
            "requests": "requests a minute bind",
            "tokens": "tokens a minute bind",
            "concurrency": "the number at once binds",
            "latency": "no limit binds, only the latency of a call",
        }.get(x.binding_limit or "", "")
        yield f"{_span(x.time_s)}; {bound}"
    elif x.time_by_usage_tier:
        yield "by the account's usage tier, which is not known:"
        yield ", ".join(f"tier {tier} {seconds(taken)}" for tier, taken in x.time_by_usage_tier.items())
    else:
        yield "not known"
    limits = []
    if x.limits.rpm or x.limits.tpm:
        rates = [f"{rate:,.0f} {what}" for rate, what in ((x.limits.rpm, "requests"), (x.limits.tpm, "tokens")) if rate]
        limits.append(f"{', '.join(rates)} a minute ({x.limits.source})")
    caps = [
        f"{option} {value:,.0f}"
        for option, value in (
            ("--rpm", x.limits.cap_rpm),
            ("--tpm", x.limits.cap_tpm),
            ("--concurrency", x.limits.concurrency),
        )
        if value
    ]
    if limits or caps:
        yield f"limits: {', '.join([*limits, *caps])}"


def _deadline(x: Explanation) -> Iterator[str]:
    yield f"in {seconds(x.deadline_s)}:"
    for plan in x.plans:
        yield f"{plan.tier:9} {_planned(plan)}"
    chosen = next((plan for plan in x.plans if plan.in_time and plan.tier != "batch"), None)
    if chosen is not None:
        yield f"cheapest in time: --tier {chosen.tier}"
    elif all(plan.in_time is False for plan in x.plans):
        yield "no tier is in time"


def _planned(plan: Plan) -> str:
    note = f" ({plan.note})" if plan.note else ""
    if plan.in_time is None:
        return f"not known{note}"
    if plan.tier == "batch":
        return f"{'in time' if plan.in_time else 'not surely in time'}, {dollars(plan.cost_usd)}{note}"
    taken = f"{_span(plan.time_s)}, " if plan.time_s else ""
    needs = f"; {plan.concurrency:,} at once would do" if plan.concurrency else ""
    return f"{'in time' if plan.in_time else 'too late'}: {taken}{dollars(plan.cost_usd)}{needs}{note}"


def _levers(x: Explanation) -> Iterator[str]:
    for lever in x.levers:
        verb = "saved" if lever.pulled else "saves"
        change = "" if lever.exact else " (can change answers: prove it with trivet compare)"
        yield f"{lever.lever:14} {verb} {dollars(lever.saves_usd)}: {lever.note}{change}"


def _models(x: Explanation) -> Iterator[str]:
    shown = list(x.models[:_MODELS])
    own = next((each for each in x.models if each.model == x.model), None)
    if own is not None and own not in shown:
        shown.append(own)
    width = max(len(each.model) for each in shown)
    for each in shown:
        mark = " (this task's)" if each.model == x.model else ""
        note = f"; {each.note}" if each.note else ""
        yield f"{each.model:{width}}  {dollars(each.cost_usd):>10}{mark}  price of {each.price_since}{note}"
    more = len(x.models) - len(shown)
    dearer = f"{more} dearer ones left out; " if more else ""
    yield f"standard tier, answers as long as here; {dearer}which are good enough: trivet compare"


def _lint(x: Explanation) -> Iterator[str]:
    if not x.lint:
        yield "nothing to find fault with"
        return
    saves = f"; {x.lint_saves_tokens:,} tokens a call could go" if x.lint_saves_tokens else ""
    yield f"{_many(len(x.lint), 'finding')}{saves}; all of them, and the shorter prompt: trivet lint"
    for finding in sorted(x.lint, key=lambda each: -each.tokens)[:_FINDINGS]:
        tokens = f" ({finding.tokens:,} tokens)" if finding.tokens else ""
        yield f"  {finding.code}{tokens}: {one_line(finding.message, 120)}"


def _span(times: Sequence[float]) -> str:
    low, high = seconds(times[0]), seconds(times[1])
    return low if low == high else f"{low} to {high}"


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
