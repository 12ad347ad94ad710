"""What a request cost, and what it could cost at most, from the dated table.

    cost = (input - cached - writes) p + cached p_cached + writes p_write + output p_output

per the provider's documentation, at the tier that served it and the price of that day; above the
long-context threshold the whole request is multiplied. What is not known gives None, never 0. Money is
`Decimal` throughout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from typing import Self

from trivet.prices.table import Model, Price, Table, Tier, load, override, prices_of
from trivet.types import Usage

MARGIN_TOKENS = 256
"""Tokens added to a worst case for what the provider wraps around a body: roles, boundaries, a schema."""

_PER_TOKEN = Decimal("0.000001")
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_TIERS: Mapping[str | None, Tier] = {
    None: "standard",
    "auto": "standard",
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "batch": "batch",
    "fast": "fast",
    "priority": "fast",
    "ultrafast": "ultrafast",
}


class Book:
    """Prices by model, tier and day. Immutable; share one freely."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._prices: dict[tuple[str, Tier], list[Price]] = {}
        for name, model in table.models.items():
            for price in prices_of(name, model):
                self._prices.setdefault((name, price.tier), []).append(price)
        # Asked for every attempt and every reply, of a handful of models.
        self._resolve = lru_cache(maxsize=256)(self._find)
        self._priced = lru_cache(maxsize=256)(self._price)
        self._bounded = lru_cache(maxsize=4096)(self._bound)

    def __repr__(self) -> str:
        return f"Book(models={len(self._table.models)}, as_of={self._table.as_of})"

    @property
    def as_of(self) -> date:
        """The day the table was read."""
        return self._table.as_of

    def with_overrides(self, entries: Mapping[str, object]) -> Self:
        """A book in which the named models cost what the user says, on every day.

        Each entry maps `input` and `output`, and optionally `cached_input`, `cache_write`, `cache_write_12h`
        (input's price where left out), `tiers` (multiples), `long_context`, `context_window`, `max_output`;
        dollars per million tokens. SettingsError where it can't be read.
        """
        models = dict(self._table.models)
        for name, entry in entries.items():
            models[name] = override(name, entry, self.model(name))
        return type(self)(
            Table(
                as_of=self._table.as_of,
                about=self._table.about,
                aliases=self._table.aliases,
                models=models,
            )
        )

    def models(self) -> Mapping[str, Model]:
        """All models by name."""
        return dict(self._table.models)

    def model(self, name: str) -> Model | None:
        """A model's limits and prices, by its name, an alias or a dated snapshot; `openai/` may lead."""
        known = self._resolve(name)
        return None if known is None else self._table.models[known]

    def price_of(self, model: str, tier: str | None, day: date) -> Price | None:
        """What a model costs on a tier and day; None where any of the three is not known.

        `auto`, `default` and None are the standard tier, `priority` is `fast`; `scale` is sold by contract.
        """
        return self._priced(model, tier, day)

    def _price(self, model: str, tier: str | None, day: date) -> Price | None:
        name, known = self._resolve(model), _TIERS.get(tier)
        if name is None or known is None:
            return None
        return next((price for price in self._prices.get((name, known), ()) if price.since <= day), None)

    def cost(self, usage: Usage, *, model: str, tier: str | None, day: date) -> Decimal | None:
        """US dollars that the provider bills for `usage`; None where a price it needs is not known.

        None too where the counts contradict each other: parts of the input beyond the whole, or below nought.
        """
        price = self.price_of(model, tier, day)
        return None if price is None else _cost(usage, price)

    def worst_case(
        self, body_bytes: int, max_output: int | None, model: str, tier: str | None, day: date
    ) -> Decimal | None:
        """US dollars that one attempt can cost at most; None where no bound is known.

        A token is at least one byte of the body, so its length bounds the input: dearest as a 12-hour cache
        write, above the long-context threshold if it can be. A tier other than batch may fall back to
        standard. Output is the cap sent, else the model's maximum, else its context window. It is a bound for
        what the body itself says: files, images by reference, stored conversations and tools billed by the
        call are not in it, nor is a project's setting that turns `auto` into a dearer tier.
        """
        return self._bounded(body_bytes, max_output, model, tier, day)

    def _bound(
        self, body_bytes: int, max_output: int | None, model: str, tier: str | None, day: date
    ) -> Decimal | None:
        found, asked = self.model(model), self.price_of(model, tier, day)
        fallback = asked if asked and asked.tier == "batch" else self.price_of(model, None, day)
        if found is None or asked is None or fallback is None:
            return None
        most = found.max_output or found.context_window
        bounds = [bound for bound in (max_output, most) if bound is not None]
        if not bounds:
            return None
        tokens, output = body_bytes + MARGIN_TOKENS, min(bounds)
        worst, worst_fallback = _worst(tokens, output, asked), _worst(tokens, output, fallback)
        return None if worst is None or worst_fallback is None else max(worst, worst_fallback)

    def _find(self, name: str) -> str | None:
        plain = name.removeprefix("openai/")
        # The name as it stands comes first: a server may call its own model "openai/...".
        for candidate in (name, plain, _SNAPSHOT.sub("", plain)):
            if candidate in self._table.models:
                return candidate
            if candidate in self._table.aliases:
                return self._table.aliases[candidate]
        return None


@cache
def standard_book() -> Book:
    """The table that ships with the package, read on first use."""
    return Book(load())


def _cost(usage: Usage, price: Price) -> Decimal | None:
    plain = usage.input - usage.cached_input - usage.cache_write - usage.cache_write_12h
    parts = (
        (plain, price.input),
        (usage.cached_input, price.cached_input),
        (usage.cache_write, price.cache_write),
        (usage.cache_write_12h, price.cache_write_12h),
    )
    cost_in = Decimal(0)
    for tokens, rate in parts:
        if tokens < 0 or (tokens and rate is None):
            return None
        if rate is not None:
            cost_in += tokens * rate
    if usage.output < 0:
        return None
    cost_out = usage.output * price.output
    long = price.long_context
    if long is not None and usage.input > long.over:
        if not price.long_context_known:
            return None
        cost_in, cost_out = cost_in * long.input, cost_out * long.output
    return (cost_in + cost_out) * _PER_TOKEN


def _worst(tokens: int, output: int, price: Price) -> Decimal | None:
    if price.cache_write is None or price.cache_write_12h is None:
        return None
    rate_in, rate_out = max(price.input, price.cache_write, price.cache_write_12h), price.output
    long = price.long_context
    if long is not None and tokens > long.over:
        if price.long_context_known:
            rate_in, rate_out = rate_in * long.input, rate_out * long.output
        else:
            tokens = long.over  # a longer request is not sold on this tier and is served as standard
    return (tokens * rate_in + output * rate_out) * _PER_TOKEN
