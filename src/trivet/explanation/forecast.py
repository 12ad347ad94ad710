"""From what is to be asked and the account's limits to the time it takes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from trivet.client.client import AsyncClient
from trivet.explanation import pace, speed
from trivet.explanation.answers import Length, effort_of
from trivet.explanation.bill import Load
from trivet.explanation.memory import Memory, Pace
from trivet.explanation.pace import Account, Charge, Work
from trivet.explanation.parts import LimitsAhead
from trivet.explanation.speed import Speed
from trivet.explanation.survey import Question, Survey
from trivet.limits.charge import START
from trivet.settings import DEFAULT_BASE_URL
from trivet.sim.models import TIERS, find
from trivet.tasks.task import Task
from trivet.types import Reply

SEEDS = 3
RESAMPLED = 9
SLACK = 0.03
"""Part by which a time is widened for what is not played through: the network, the machine."""

ALIKE = 1.05
"""Times are alike up to this ratio."""

NORMAL_90 = 1.2816


class Ahead(Struct, frozen=True, kw_only=True):
    """The calls to come: their load, the length of their answers, tokens charged for some of them."""

    task: Task
    model: str
    tier: str
    load: Load
    length: Length
    charge: tuple[Charge, ...]


class Timed(Struct, frozen=True, kw_only=True):
    """How long it takes. `works`: the calls at the shortest, usual and longest answers, where a speed is known.

    `account`: the limits it is reckoned with, where they are known.
    """

    time_s: tuple[float, float] | None = None
    by_usage_tier: dict[str, float] | None = None
    binding: str | None = None
    latency_from: str | None = None
    works: tuple[Work, ...] = ()
    account: Account | None = None


def charges(sample: Sequence[Question], each: Sequence[int]) -> tuple[Charge, ...]:
    """What is charged to the tokens a minute: the cap on the answer, or the prompt by its characters."""
    characters = sum(question.request.characters for question in sample)
    ratio = min(START, sum(each) / characters) if characters else START
    requests = [question.request for question in sample]
    return tuple(
        Charge(
            own=max(float(request.max_output or 0), request.characters * ratio, 1.0),
            provider=max(float(request.max_output or 0), request.characters * START, 1.0),
        )
        for request in requests
    )


def limits(
    client: AsyncClient, model: str, usage_tier: int | None, simulated_tier: int | None, memory: Memory
) -> LimitsAhead:
    """The limits to reckon with: of the usage tier that is named, of the simulator, else as they were learned."""
    caps = client.config.limits

    def reckoned(source: str, rpm: float | None = None, tpm: float | None = None) -> LimitsAhead:
        return LimitsAhead(
            source=source, rpm=rpm, tpm=tpm, cap_rpm=caps.rpm, cap_tpm=caps.tpm, concurrency=caps.concurrency
        )

    tier = usage_tier or simulated_tier
    rpm, tpm = (None, None) if tier is None else published(model, tier)
    if rpm is not None:
        return reckoned(f"usage tier {tier}", rpm, tpm)
    learned = memory.limits(client.endpoint, model)
    if learned is not None:
        return reckoned("learned", learned.rpm, learned.tpm)
    if caps.rpm or caps.tpm:  # of the provider they are taken for the account's, which its replies will tell
        return reckoned("given", *((caps.rpm, caps.tpm) if is_provider(client) else ()))
    if caps.concurrency and not is_provider(client):
        return reckoned("given")
    return reckoned("unknown")


def published(model: str, usage_tier: int) -> tuple[float | None, float | None]:
    """Requests and tokens a minute of a model at a usage tier, as the provider publishes them."""
    known = find(model)
    return (None, None) if known is None else TIERS[known.limits][usage_tier - 1]


def is_provider(client: AsyncClient) -> bool:
    """Whether it is the provider itself, whose replies tell limits."""
    return client.endpoint.simulated is None and client.endpoint.host == urlsplit(DEFAULT_BASE_URL).netloc


def account(limits: LimitsAhead) -> Account:
    """The limits as the pace is reckoned from them."""
    return Account(
        rpm=limits.rpm, tpm=limits.tpm, cap_rpm=limits.cap_rpm, cap_tpm=limits.cap_tpm, concurrency=limits.concurrency
    )


def timed(
    ahead: Ahead, limits: LimitsAhead, latencies: Sequence[float], learned: Pace | None, *, provider: bool
) -> Timed:
    """The time of the whole run; None where the server's speed, or whatever paces it, is not known."""
    if not ahead.load.calls:
        return Timed(time_s=(0.0, 0.0), binding="latency")
    speeds = _speeds(ahead, latencies, learned)
    if not speeds:
        return Timed()
    works = tuple(Work(calls=ahead.load.calls, charges=ahead.charge, latencies=each.latencies) for each in speeds)
    source = speeds[0].source
    if limits.source == "unknown" and find(ahead.model) is not None and provider:
        by_tier = {
            str(tier): pace.duration(works[len(works) // 2], replace(account(limits), rpm=rpm, tpm=tpm), 0)
            for tier in range(1, 6)
            for rpm, tpm in [published(ahead.model, tier)]
            if rpm is not None
        }
        if not by_tier or max(by_tier.values()) > min(by_tier.values()) * ALIKE:
            return Timed(by_usage_tier=by_tier or None, latency_from=source, works=works)
        rpm, tpm = published(ahead.model, 1)
        limits = replace(limits, source="any", rpm=rpm, tpm=tpm)
    taken = account(limits)
    return Timed(
        time_s=spread(works, taken),
        binding=pace.binding(works[len(works) // 2], taken),
        latency_from=source,
        works=works,
        account=taken,
    )


def spread(works: Sequence[Work], taken: Account) -> tuple[float, float]:
    """From, to: over draws of the latencies, and answers as short and as long as they may be."""
    times = [pace.duration(work, taken, seed) for work in works for seed in range(SEEDS)]
    return min(times) * (1 - SLACK), max(times) * (1 + SLACK)


def _speeds(ahead: Ahead, latencies: Sequence[float], learned: Pace | None) -> list[Speed]:
    found = speed.measured(latencies)
    if found is not None:  # drawn again and again, because so few tell the mean only roughly
        draws = [random.Random(seed).choices(found.latencies, k=found.count) for seed in range(RESAMPLED)]
        return [Speed(latencies=tuple(drawn), source="measured", count=found.count) for drawn in [*draws]]
    if learned is not None:
        draw, sigma = random.Random(0), math.log(learned.p90 / learned.p50) / NORMAL_90
        drawn = tuple(learned.p50 * draw.lognormvariate(0, sigma) for _ in range(speed.DRAWS))
        return [Speed(latencies=drawn, source="learned", count=learned.count)]
    length = ahead.length
    usual: tuple[float, ...] = length.each or (length.low, length.mean, length.mean, length.high)
    ends = (usual,) if length.each else ((length.low,), usual, (length.high,))
    found_all = [speed.published(ahead.model, ahead.tier, ahead.load.inputs, outputs) for outputs in ends]
    return [each for each in found_all if each is not None]


def hits_uncertain(replies: Sequence[Reply | None], found: Survey) -> float:
    """By what part the number of calls may be off, where not every question was looked up."""
    n = len(replies)
    share = sum(reply is not None for reply in replies) / n if n else 0.0
    if found.whole or not 0 < share < 1:
        return 0.0
    return 1.96 * math.sqrt(share * (1 - share) / n * (1 - n / found.distinct)) / (1 - share)


def notes(task: Task, model: str, length: Length, limits: LimitsAhead, timed: Timed, priced: bool) -> Iterator[str]:
    """What the figures rest on, where that is not firm."""
    effort = effort_of(task, model)
    if length.source != "answers" and length.reasoning:
        yield (
            f"{model} thinks before it answers (effort {effort}), billed as output; how much is not published: "
            f"{length.reasoning:,.0f} tokens an answer is a guess, and --pilot 30 measures it"
        )
    elif length.source == "guess":
        yield "how long the answers will be is a guess from what the task allows; --pilot 30 measures it"
    if length.heavy:
        yield "one answer is over five times as long as the mean: the mean of all rows may lie outside the interval"
    if not priced:
        yield f"no price is known for {model}: see docs/prices.md"
    if limits.source == "unknown" and timed.by_usage_tier:
        yield "the account's limits are not known: name its usage tier (--usage-tier 1 to 5); any run learns them"
    if timed.time_s is None and not timed.works:
        yield "nothing is known of this server's speed: --pilot 30 measures it"
    if timed.latency_from in ("published", "assumed"):
        yield f"a call's time is reckoned from {timed.latency_from} speeds of the model; --pilot 30 measures it"
