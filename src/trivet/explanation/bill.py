"""What the calls will cost, by tier and by model, at the dated prices; part by part, so that none is guessed twice.

The provider's own prompt cache is counted as it is documented: a prefix that all questions share is read at its
reduced price from 1,024 tokens on, where the model reads blocks of a prefix; where it reads and writes up to the end of
a message alone (GPT-5.6 and later), every question from 1,024 tokens on is written, at a quarter more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from trivet.errors import TaskError
from trivet.explanation.answers import Length, effort_of
from trivet.limits.knee import START
from trivet.prices.book import Book
from trivet.sim.constants import CACHE_BLOCK, CACHE_MIN, CACHE_WIDE, REASONING, REPLY_TOKENS
from trivet.sim.models import find
from trivet.tasks.task import Task

TIERS = ("standard", "flex", "batch", "fast")

_PER_TOKEN = Decimal("0.000001")


class Load(Struct, frozen=True, kw_only=True):
    """What is to be asked: `calls`, of some of which the input tokens are known, and the output tokens of each.

    `shared`: tokens of the prefix that all have in common; `explicit`: no cache write is asked for.
    """

    calls: int
    inputs: tuple[int, ...]
    output: float
    shared: int = 0
    explicit: bool = False


class Choice(Struct, frozen=True, kw_only=True):
    """A model that could do it, what the run would cost there on the standard tier, and since when that is so."""

    model: str
    cost_usd: Decimal
    price_since: date
    note: str | None = None


def cost(load: Load, book: Book, model: str, tier: str, day: date) -> Decimal | None:
    """US dollars for all calls; None where a price that is needed is not known."""
    price = book.price_of(model, tier, day)
    if price is None:
        return None
    if not load.calls or not load.inputs:
        return Decimal(0)
    over = price.long_context.over if price.long_context is not None else None
    total = Decimal(0)
    for part in (True, False):
        sizes = [size for size in load.inputs if (over is not None and size > over) is part]
        if not sizes:
            continue
        read, written = _through_cache(load, model, sizes)
        plain = sum(sizes) - read - written
        if (read and price.cached_input is None) or (written and price.cache_write is None):
            return None
        cost_in = plain * price.input + read * (price.cached_input or 0) + written * (price.cache_write or 0)
        cost_out = Decimal(repr(load.output)) * len(sizes) * price.output
        if part and price.long_context is not None:
            if not price.long_context_known:
                return None
            cost_in, cost_out = cost_in * price.long_context.input, cost_out * price.long_context.output
        total += cost_in + cost_out
    return total * _PER_TOKEN * load.calls / len(load.inputs)


def by_tier(load: Load, book: Book, model: str, day: date) -> dict[str, Decimal | None]:
    """The cost on each tier that the model is sold on; standard always, None where its price is not known."""
    costs = {tier: cost(load, book, model, tier, day) for tier in TIERS}
    return {tier: amount for tier, amount in costs.items() if amount is not None or tier == "standard"}


def choices(load: Load, book: Book, task: Task, own: str, reasoning: float, day: date) -> list[Choice]:
    """Every model whose price is known, that takes the task as it stands and has room for it; cheapest first.

    The answers are taken to be as long as the task's own model's, but for reasoning, which goes by the effort each
    model would have.
    """
    longest = max(load.inputs, default=0)
    found = []
    for name, model in book.models().items():
        price = book.price_of(name, "standard", day)
        if price is None or (model.shutdown is not None and model.shutdown <= day) or _is_snapshot(name, own):
            continue
        if model.context_window is not None and longest + load.output > model.context_window:
            continue
        try:
            effort = effort_of(task, name)
        except TaskError:  # an effort that this model refuses
            continue
        known = find(name)
        if known is None or (effort is not None and effort not in known.efforts):
            continue
        thought = reasoning if name == own else float(REASONING.value.get(effort or "none", 0))
        amount = cost(
            Load(
                calls=load.calls,
                inputs=load.inputs,
                output=load.output - reasoning + thought,
                shared=load.shared,
                explicit=load.explicit,
            ),
            book,
            name,
            "standard",
            day,
        )
        if amount is not None:
            ends = f"until {model.shutdown}" if model.shutdown is not None else None
            thinks = f"a guess: it thinks (effort {effort})" if thought and name != own else None
            notes = "; ".join(note for note in (thinks, ends) if note)
            found.append(Choice(model=name, cost_usd=amount, price_since=price.since, note=notes or None))
    return sorted(found, key=lambda choice: choice.cost_usd)


def surcharge(load: Load, book: Book, model: str, tier: str, day: date) -> Decimal:
    """US dollars of cache writes that nothing reads, and that need not be asked for."""
    price = book.price_of(model, tier, day)
    if price is None or price.cache_write is None or not load.inputs:
        return Decimal(0)
    _, written = _through_cache(load, model, load.inputs)
    return written * max(Decimal(0), price.cache_write - price.input) * _PER_TOKEN * load.calls / len(load.inputs)


def interval(load: Load, length: Length, inputs: tuple[float, float], **of: object) -> tuple[Decimal, Decimal] | None:
    """The cost at both ends of what is not known: `inputs` as shares of the mean, outputs from their interval."""
    low, high = (
        cost(
            Load(
                calls=load.calls,
                inputs=tuple(round(size * share) for size in load.inputs),
                output=output,
                shared=load.shared,
                explicit=load.explicit,
            ),
            **of,  # type: ignore[arg-type]
        )
        for share, output in zip(inputs, (length.low, length.high), strict=True)
    )
    return None if low is None or high is None else (low, high)


def _through_cache(load: Load, model: str, sizes: Sequence[int]) -> tuple[int, int]:
    """Tokens of these questions that the provider's prompt cache reads, and that it writes."""
    known = find(model)
    if known is None:
        return 0, 0
    if known.cache == "exact":
        if load.explicit:
            return 0, 0
        return 0, sum(size - REPLY_TOKENS.value for size in sizes if size - REPLY_TOKENS.value >= CACHE_MIN.value)
    step = CACHE_WIDE.value if known.cache == "wide" else CACHE_BLOCK.value
    prefix = load.shared - load.shared % step
    if prefix < CACHE_MIN.value:
        return 0, 0
    warm = max(0, load.calls - START) / load.calls  # the first ones go at once, before there is anything to read
    return round(warm * sum(prefix for size in sizes if size >= CACHE_MIN.value)), 0


def _is_snapshot(name: str, own: str) -> bool:
    return name != own and name.count("-20") > 0
