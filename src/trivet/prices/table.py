"""The dated price table: `table.json` read into plain structs, and entries of the user's own beside it.

Every row holds from its date until the next one of its model. Prices are US dollars per million tokens as
`Decimal`, written as strings; None is not known. Tiers are multiples of the standard price in every
dimension, as the provider states them (half for Batch and Flex, twice for Fast).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from trivet.errors import SettingsError

Tier = Literal["standard", "batch", "flex", "fast", "ultrafast"]

_ONE = Decimal(1)


class LongContext(Struct, frozen=True, kw_only=True):
    """Above `over` input tokens the whole request costs `input` times more for input and cache, `output`
    times more for output, on the `tiers` listed; on the others it is not known."""

    over: int
    input: Decimal
    output: Decimal
    tiers: tuple[Tier, ...] = ("standard",)


class Row(Struct, frozen=True, kw_only=True):
    """What a model costs from a date on, standard tier, short context."""

    since: date = field(name="from")
    input: Decimal
    cached_input: Decimal | None
    cache_write: Decimal | None
    cache_write_12h: Decimal | None
    output: Decimal
    tiers: Mapping[Tier, Decimal]
    source: str
    note: str = ""


class Model(Struct, frozen=True, kw_only=True):
    """A model's context window and longest output in tokens, the day it shuts down, its rows by date."""

    context_window: int | None
    max_output: int | None
    shutdown: date | None
    long_context: LongContext | None
    rows: tuple[Row, ...]


class Table(Struct, frozen=True, kw_only=True):
    """All models by name, other names of theirs, and the day the table was read."""

    as_of: date
    about: tuple[str, ...]
    aliases: Mapping[str, str]
    models: Mapping[str, Model]


class Price(Struct, frozen=True, kw_only=True):
    """US dollars per million tokens of one model on one tier from a day on; None: not known.

    `long_context` is the model's, `long_context_known` whether it holds on this tier.
    """

    model: str
    tier: Tier
    since: date
    source: str
    input: Decimal
    cached_input: Decimal | None
    cache_write: Decimal | None
    cache_write_12h: Decimal | None
    output: Decimal
    long_context: LongContext | None = None

    @property
    def long_context_known(self) -> bool:
        """Whether a request above the long-context threshold has a known price on this tier."""
        return self.long_context is None or self.tier in self.long_context.tiers


class _Override(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_12h: Decimal | None = None
    context_window: int | None = None
    max_output: int | None = None
    tiers: Mapping[Tier, Decimal] = {}
    long_context: LongContext | None = None


def load() -> Table:
    """The table that ships with the package."""
    return msgspec.json.decode(Path(__file__).with_name("table.json").read_bytes(), type=Table)


def override(name: str, entry: object, known: Model | None) -> Model:
    """A model at the user's own prices, its limits taken from the `known` one where not given.

    A price that is left out is that of input: a list that names no price for cached input gives no discount.
    SettingsError where the entry is not a price list.
    """
    try:
        own = msgspec.convert(_exact(entry), _Override)
    except msgspec.ValidationError as bad:
        raise SettingsError(
            f"the price of {name!r} can't be read: {bad}; give dollars per million tokens, as in "
            '{"input": "0.10", "output": "0.40"}'
        ) from None
    _refuse_nonsense(name, own)
    row = Row(
        since=date.min,
        input=own.input,
        cached_input=own.input if own.cached_input is None else own.cached_input,
        cache_write=own.input if own.cache_write is None else own.cache_write,
        cache_write_12h=own.input if own.cache_write_12h is None else own.cache_write_12h,
        output=own.output,
        tiers=own.tiers,
        source="given by the user",
    )
    return Model(
        context_window=own.context_window or (known.context_window if known else None),
        max_output=own.max_output or (known.max_output if known else None),
        shutdown=known.shutdown if known else None,
        long_context=own.long_context,
        rows=(row,),
    )


def prices_of(name: str, model: Model) -> Iterator[Price]:
    """The prices of a model on every tier it is sold on, newest first."""
    for row in sorted(model.rows, key=lambda row: row.since, reverse=True):
        tiers: dict[Tier, Decimal] = {"standard": _ONE, **row.tiers}
        for tier, times in tiers.items():
            yield Price(
                model=name,
                tier=tier,
                since=row.since,
                source=row.source,
                input=row.input * times,
                cached_input=_times(row.cached_input, times),
                cache_write=_times(row.cache_write, times),
                cache_write_12h=_times(row.cache_write_12h, times),
                output=row.output * times,
                long_context=model.long_context,
            )


def _times(price: Decimal | None, times: Decimal) -> Decimal | None:
    return None if price is None else price * times


def _exact(value: object) -> object:
    """The same data with numbers as the text they were written as, so that 0.1 stays 0.1."""
    if isinstance(value, Mapping):
        items: Mapping[Any, Any] = value
        return {key: _exact(item) for key, item in items.items()}
    return repr(value) if isinstance(value, float) else value


def _refuse_nonsense(name: str, own: _Override) -> None:
    multiples = [own.long_context.input, own.long_context.output] if own.long_context else []
    prices = [own.input, own.output, own.cached_input, own.cache_write, own.cache_write_12h]
    for amount in (*prices, *own.tiers.values(), *multiples):
        if amount is not None and not (amount.is_finite() and amount >= 0):
            raise SettingsError(f"the price of {name!r} holds {amount}: a price is a number from 0 on")
    for count in (own.context_window, own.max_output):
        if count is not None and count < 1:
            raise SettingsError(f"the price of {name!r} holds a limit of {count} tokens: it is at least 1")
