"""What a run's money went for, from the usage of its attempts and the dated prices.

Tokens are added up by model, tier and day, and each sum is priced once, by the rule of `prices.book`. A sum that does
not come to what was recorded was made at prices that this table does not hold, a user's own: it is not split.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from trivet.prices.book import Book
from trivet.prices.table import Price
from trivet.records import Record
from trivet.reporting.figures import Costs, Kind, Saving
from trivet.types import Usage

_DAY = 86400
_PER_TOKEN = Decimal("0.000001")
_ZERO = Decimal(0)


class _Sums:
    """Tokens and dollars of the answers of one model, tier and day."""

    __slots__ = ("cached", "calls", "input", "output", "price", "reasoning", "times", "usd", "write", "write_12h")

    def __init__(self, price: Price | None, times: tuple[Decimal, Decimal]) -> None:
        self.price = price
        self.times = times
        self.calls = self.input = self.cached = self.write = self.write_12h = self.output = self.reasoning = 0
        self.usd = _ZERO

    def add(self, usage: Usage, usd: Decimal) -> None:
        self.calls += 1
        self.input += usage.input
        self.cached += usage.cached_input
        self.write += usage.cache_write
        self.write_12h += usage.cache_write_12h
        self.output += usage.output
        self.reasoning += usage.reasoning
        self.usd += usd

    def add_all(self, usages: Sequence[Usage], usd: Decimal) -> None:
        self.calls += len(usages)
        self.input += sum([usage.input for usage in usages])
        self.cached += sum([usage.cached_input for usage in usages])
        self.write += sum([usage.cache_write for usage in usages])
        self.write_12h += sum([usage.cache_write_12h for usage in usages])
        self.output += sum([usage.output for usage in usages])
        self.reasoning += sum([usage.reasoning for usage in usages])
        self.usd += usd

    def parts(self, price: Price) -> list[tuple[str, int, Decimal]]:
        """Each kind of token: its name, how many, the dollars for them."""
        times_in, times_out = self.times
        plain = self.input - self.cached - self.write - self.write_12h
        rates = (
            ("input", plain, price.input * times_in),
            ("cached input", self.cached, (price.cached_input or _ZERO) * times_in),
            ("cache write", self.write, (price.cache_write or _ZERO) * times_in),
            ("cache write, 12 h", self.write_12h, (price.cache_write_12h or _ZERO) * times_in),
            ("output", self.output - self.reasoning, price.output * times_out),
            ("reasoning", self.reasoning, price.output * times_out),
        )
        return [(name, tokens, tokens * rate * _PER_TOKEN) for name, tokens, rate in rates]


class Bill:
    """Adds up calls of the provider, and what hits and shared flights saved."""

    def __init__(self, prices: Book) -> None:
        self._prices = prices
        self._groups: dict[tuple[str, str | None, int], tuple[int | None, _Sums, _Sums]] = {}
        self._failed_attempts = 0
        self._failed_usd = _ZERO
        self._unpriced = 0
        self._without_result = _ZERO
        self._hits = {"cache": 0, "coalesced": 0}
        self._saved: dict[str, Decimal | None] = {"cache": _ZERO, "coalesced": _ZERO}

    def add(self, record: Record) -> None:
        """Count a call, whatever became of it."""
        source = record.source
        if source == "cache" or source == "coalesced":
            self._hits[source] += 1
            known = self._saved[source]
            self._saved[source] = None if known is None or record.saved is None else known + record.saved
            return
        for attempt in record.attempts:
            if attempt.error is not None:
                self._failed_attempts += attempt.usage is not None or attempt.possibly_billed
                self._failed_usd += attempt.cost or _ZERO
                self._unpriced += attempt.cost is None
            else:
                self._answer(record, attempt.usage, attempt.cost)
        if not record.attempts and record.source is not None:
            self._answer(record, record.usage, record.cost)
        if record.error is not None and record.cost is not None:
            self._without_result += record.cost

    def add_plain(self, records: Sequence[Record]) -> None:
        """The same for many records that are `is_plain`, faster where they are of one model, tier and day."""
        if not records:
            return
        usages = [usage for record in records if (usage := record.attempts[0].usage) is not None]
        alike = len({(record.model, record.tier, record.at // _DAY) for record in records}) == 1
        over = self._group_of(records[0])[0] if alike else 0
        if not alike or (over is not None and max([usage.input for usage in usages]) > over):
            for record in records:
                self.add(record)
            return
        usd = sum([cost for record in records if (cost := record.attempts[0].cost) is not None], _ZERO)
        self._group_of(records[0])[1].add_all(usages, usd)

    def _answer(self, record: Record, usage: Usage | None, usd: Decimal | None) -> None:
        if usd is None:
            self._unpriced += 1
            return
        if usage is None:
            return
        over, short, long = self._group_of(record)
        (short if over is None or usage.input <= over else long).add(usage, usd)

    def _group_of(self, record: Record) -> tuple[int | None, _Sums, _Sums]:
        key = (record.model or "", record.tier, int(record.at // _DAY))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._group(*key)
        return group

    def _group(self, model: str, tier: str | None, day: int) -> tuple[int | None, _Sums, _Sums]:
        price = self._prices.price_of(model, tier, _date(day))
        one = (Decimal(1), Decimal(1))
        if price is None or price.long_context is None:
            return None, _Sums(price, one), _Sums(None, one)
        long = price.long_context
        known = price if price.long_context_known else None
        return long.over, _Sums(price, one), _Sums(known, (long.input, long.output))

    def figures(self, usd: Decimal | None) -> Costs:
        """The bill; `usd`: the cost of the run, None where it is not known."""
        kinds: dict[str, tuple[int, Decimal]] = {}
        unsplit, prompt_cache, cached = _ZERO, _ZERO, 0
        for _, *both in self._groups.values():
            for sums in both:
                parts = [] if sums.price is None else sums.parts(sums.price)
                if sums.price is None or sum((part for _, _, part in parts), _ZERO) != sums.usd:
                    unsplit += sums.usd
                    continue
                for name, tokens, part in parts:
                    before = kinds.get(name, (0, _ZERO))
                    kinds[name] = (before[0] + tokens, before[1] + part)
                prompt_cache += _discount(sums, sums.price)
                cached += sums.cached
        listed = [Kind(name=name, tokens=tokens, usd=part) for name, (tokens, part) in kinds.items() if tokens]
        if self._failed_usd:
            listed.append(Kind(name="failed attempts", tokens=None, usd=self._failed_usd))
        if unsplit:
            listed.append(Kind(name="at prices that this table lacks", tokens=None, usd=unsplit))
        return Costs(
            usd=usd,
            kinds=tuple(listed),
            unpriced=self._unpriced,
            without_result=self._without_result,
            savings=self._savings(prompt_cache, cached),
            tiers=self._tiers(),
            prices_as_of=self._prices.as_of.isoformat(),
        )

    def _savings(self, prompt_cache: Decimal, cached: int) -> tuple[Saving, ...]:
        savings = [
            Saving(name="answers from the cache", count=self._hits["cache"], unit="rows", usd=self._saved["cache"]),
            Saving(
                name="calls shared in flight", count=self._hits["coalesced"], unit="rows", usd=self._saved["coalesced"]
            ),
            Saving(name="the provider's prompt cache", count=cached, unit="tokens", usd=prompt_cache),
        ]
        for tier, (calls, less) in self._by_tier().items():
            savings.append(Saving(name=f"tier {tier} instead of standard", count=calls, unit="calls", usd=less))
        return tuple(saving for saving in savings if saving.count)

    def _by_tier(self) -> dict[str, tuple[int, Decimal]]:
        """Of each tier but the standard one: its calls, and how much less than standard they cost."""
        found: dict[str, tuple[int, Decimal]] = {}
        for (model, _, day), (_, *both) in self._groups.items():
            standard = self._prices.price_of(model, None, _date(day))
            for sums in both:
                if sums.price is None or standard is None or sums.price.tier == "standard" or not sums.calls:
                    continue
                would = sum((part for _, _, part in sums.parts(standard)), _ZERO)
                calls, less = found.get(sums.price.tier, (0, _ZERO))
                found[sums.price.tier] = (calls + sums.calls, less + would - sums.usd)
        return found

    def _tiers(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for (_, tier, _), (_, *both) in self._groups.items():
            name = next((sums.price.tier for sums in both if sums.price is not None), tier or "unknown")
            found[name] = found.get(name, 0) + sum(sums.calls for sums in both)
        return found


def _discount(sums: _Sums, price: Price) -> Decimal:
    """Dollars that cached input cost less than other input, what its writing cost more taken off."""
    rate = price.input
    less = sums.cached * (rate - (price.cached_input or _ZERO))
    more = sums.write * ((price.cache_write or rate) - rate) + sums.write_12h * ((price.cache_write_12h or rate) - rate)
    return (less - more) * sums.times[0] * _PER_TOKEN


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=min(max(day, 0), 2_000_000))
