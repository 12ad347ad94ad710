"""What a request costs, by hand; what it could cost at most; and None wherever something is not known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import SettingsError
from trivet.prices.book import MARGIN_TOKENS, Book, standard_book
from trivet.prices.table import Table
from trivet.types import Usage

TODAY = date(2026, 11, 23)
BOOK = standard_book()
TIERS = [None, "auto", "default", "standard", "flex", "batch", "fast", "priority", "ultrafast"]


def cost(usage: Usage, model: str, tier: str | None = None, day: date = TODAY) -> Decimal | None:
    return BOOK.cost(usage, model=model, tier=tier, day=day)


@pytest.mark.parametrize(
    ("usage", "model", "tier", "dollars"),
    [
        # 1,020 x 0.75 + 51 x 4.50, per million
        (Usage(input=1020, output=51), "gpt-5.4-mini", "default", "0.0009945"),
        # 600 x 0.75 + 400 x 0.075 + 100 x 4.50
        (Usage(input=1000, cached_input=400, output=100, reasoning=90), "gpt-5.4-mini", None, "0.00093"),
        # halved
        (Usage(input=1000, cached_input=400, output=100), "gpt-5.4-mini", "flex", "0.000465"),
        (Usage(input=1000, cached_input=400, output=100), "gpt-5.4-mini", "batch", "0.000465"),
        # doubled, under both names
        (Usage(input=1000, cached_input=400, output=100), "gpt-5.4-mini", "priority", "0.00186"),
        (Usage(input=1000, cached_input=400, output=100), "gpt-5.4-mini", "fast", "0.00186"),
        # 500 x 0.10 + 1,000 x 0.01 + 2,000 x 0.125 + 500 x 0.25 + 100 x 0.50
        (
            Usage(input=4000, cached_input=1000, cache_write=2000, cache_write_12h=500, output=100),
            "gpt-6-luna",
            None,
            "0.000485",
        ),
        # 300,000 > 272,000: (299,000 x 2 x 4.00 + 1,000 x 2 x 0.40) + 10 x 1.5 x 20.00
        (Usage(input=300_000, cached_input=1000, output=10), "gpt-5.6", None, "2.3931"),
        # exactly 272,000 is short context
        (Usage(input=272_000, output=0), "gpt-5.6-sol", None, "1.088"),
        # 1.8 and 2.5 times where the provider's Fast is not double
        (Usage(input=1_000_000, output=1_000_000), "gpt-5-mini", "fast", "4.05"),
        (Usage(input=100_000, output=1_000_000), "gpt-5.5", "fast", "76.25"),
        (Usage(), "gpt-5.4-mini", None, "0"),
    ],
)
def test_by_hand(usage: Usage, model: str, tier: str | None, dollars: str) -> None:
    """The documented formula, worked by hand."""
    assert cost(usage, model, tier) == Decimal(dollars)


@pytest.mark.parametrize(
    ("day", "dollars"),
    [
        (date(2026, 7, 8), None),
        (date(2026, 7, 9), "1.00"),
        (date(2026, 7, 29), "1.00"),
        (date(2026, 7, 30), "0.20"),
        (TODAY, "0.20"),
    ],
)
def test_the_price_of_the_day(day: date, dollars: str | None) -> None:
    """A cut holds from its date on, and before its release a model has no price."""
    price = BOOK.price_of("gpt-5.6-luna", None, day)
    assert (price.input if price else None) == (Decimal(dollars) if dollars else None)


@pytest.mark.parametrize(
    "name",
    ["gpt-5.4-mini", "gpt-5.4-mini-2026-03-17", "openai/gpt-5.4-mini", "openai/gpt-5.4-mini-2026-03-17"],
)
def test_names_of_one_model(name: str) -> None:
    """A dated snapshot and a provider's prefix are the same model."""
    assert BOOK.price_of(name, None, TODAY) == BOOK.price_of("gpt-5.4-mini", None, TODAY)


def test_a_snapshot_with_its_own_price_keeps_it() -> None:
    """A snapshot in the table is not its base model."""
    price = BOOK.price_of("gpt-4o-2024-05-13", None, TODAY)
    assert price is not None and price.input == Decimal("5.00")


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("gpt-5.4-minimal", None),
        ("ft:gpt-4.1-mini:acme::abc", None),
        ("", None),
        ("📈-2026-01-01", None),
        ("gpt-5.4-mini", "scale"),
        ("gpt-5.4-mini", "turbo"),
        ("gpt-5.4-nano", "fast"),
        ("gpt-6.2-sol", "flex"),
    ],
)
def test_unknown_is_none_and_never_nought(model: str, tier: str | None) -> None:
    """No price for a model or tier: no cost and no bound, however little was used."""
    assert BOOK.price_of(model, tier, TODAY) is None
    assert cost(Usage(input=1, output=1), model, tier) is None
    assert BOOK.worst_case(10, 10, model, tier, TODAY) is None


def test_an_unknown_dimension_matters_only_where_it_is_used() -> None:
    """gpt-6.2-astra has no known price for a cache write: what writes nothing has a cost, the rest none."""
    assert cost(Usage(input=1000, cached_input=500, output=10), "gpt-6.2-astra") == Decimal("0.0046")
    assert cost(Usage(input=1000, cache_write=1, output=10), "gpt-6.2-astra") is None
    assert BOOK.worst_case(10, 10, "gpt-6.2-astra", None, TODAY) is None
    assert cost(Usage(input=1000, cached_input=1), "gpt-5.4-pro") is None


def test_long_context_on_a_tier_without_it_is_unknown() -> None:
    """Fast excludes long context on gpt-5.4: such a bill has no known price."""
    assert cost(Usage(input=272_001), "gpt-5.4", "fast") is None
    assert cost(Usage(input=272_001), "gpt-5.4", "flex") == Decimal("0.6800025")


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input=10, cached_input=11),
        Usage(input=10, cached_input=6, cache_write=6),
        Usage(input=-1),
        Usage(input=5, output=-1),
        Usage(input=5, cached_input=-1),
    ],
)
def test_counts_that_contradict_each_other_have_no_cost(usage: Usage) -> None:
    """Parts beyond the whole and negative counts give None, not a wrong sum."""
    assert cost(usage, "gpt-6-luna") is None


# --- the worst case


@st.composite
def usages(draw: st.DrawFn, tokens: int) -> Usage:
    total = draw(st.integers(0, tokens))
    cached = draw(st.integers(0, total))
    write = draw(st.integers(0, total - cached))
    return Usage(
        input=total,
        cached_input=cached,
        cache_write=write,
        cache_write_12h=draw(st.integers(0, total - cached - write)),
    )


@given(
    st.data(),
    st.sampled_from(sorted(BOOK.models())),
    st.sampled_from(TIERS),
    st.integers(0, 900_000),
    st.integers(0, 200_000),
)
def test_no_bill_exceeds_the_worst_case(data: st.DataObject, model: str, tier: str | None, size: int, cap: int) -> None:
    """Whatever the split of at most a token a byte, on the tier asked or on standard, the bound holds."""
    bound = BOOK.worst_case(size, cap, model, tier, TODAY)
    usage = data.draw(usages(size + MARGIN_TOKENS))
    longest = BOOK.models()[model].max_output or cap
    spent = Usage(
        input=usage.input,
        cached_input=usage.cached_input,
        cache_write=usage.cache_write,
        cache_write_12h=usage.cache_write_12h,
        output=data.draw(st.integers(0, min(cap, longest))),
    )
    for served in (tier, tier if tier == "batch" else "default"):
        bill = cost(spent, model, served)
        if bound is not None and bill is not None:
            assert bill <= bound


def test_worst_case_by_hand() -> None:
    """2,000 bytes and the margin as input at the dearest, 16 tokens of output."""
    assert BOOK.worst_case(2000, 16, "gpt-5.4-mini", None, TODAY) == Decimal("0.001764")
    # a 12-hour cache write at 2.5 times input
    assert BOOK.worst_case(744, 100, "gpt-6-luna", None, TODAY) == Decimal("0.0003")


def test_worst_case_of_a_tier_that_may_fall_back() -> None:
    """Flex is bounded by standard, Fast by itself; Batch never falls back."""
    standard = BOOK.worst_case(1000, 100, "gpt-5.4-mini", None, TODAY)
    assert standard is not None
    assert BOOK.worst_case(1000, 100, "gpt-5.4-mini", "flex", TODAY) == standard
    assert BOOK.worst_case(1000, 100, "gpt-5.4-mini", "priority", TODAY) == 2 * standard
    assert BOOK.worst_case(1000, 100, "gpt-5.4-mini", "batch", TODAY) == standard / 2


def test_worst_case_without_a_cap_takes_the_models_longest_output() -> None:
    """Without max_output_tokens the model may write as long as it can; where that is not known, no bound."""
    uncapped = BOOK.worst_case(1000, None, "gpt-5.4-mini", None, TODAY)
    assert uncapped == BOOK.worst_case(1000, 128_000, "gpt-5.4-mini", None, TODAY)
    assert uncapped == BOOK.worst_case(1000, 10**9, "gpt-5.4-mini", None, TODAY)
    assert BOOK.worst_case(1000, None, "gpt-5.5", None, TODAY) is None
    assert BOOK.worst_case(1000, 10, "gpt-5.5", None, TODAY) is not None


# --- prices of the user's own


def test_a_servers_own_price() -> None:
    """A price in a mapping is used for cost and bound; cached input without a price is billed as input."""
    book = BOOK.with_overrides({"openai/my-model": {"input": "0.10", "output": "0.40"}})
    usage = Usage(input=1_000_000, cached_input=400_000, output=1_000_000)
    assert book.cost(usage, model="openai/my-model", tier=None, day=TODAY) == Decimal("0.5")
    assert book.worst_case(744, 1000, "openai/my-model", None, TODAY) == Decimal("0.0005")
    assert book.worst_case(744, None, "openai/my-model", None, TODAY) is None
    assert BOOK.price_of("openai/my-model", None, TODAY) is None


def test_an_override_replaces_the_price_and_keeps_the_limits() -> None:
    """A negotiated price holds for the snapshots too, on the tiers it names, with the model's own limits."""
    entry = {"input": 0.5, "output": 3, "tiers": {"flex": "0.4"}}
    book = BOOK.with_overrides({"gpt-5.4-mini": entry})
    million = Usage(input=1_000_000)
    assert book.cost(million, model="gpt-5.4-mini-2026-03-17", tier=None, day=TODAY) == Decimal("0.5")
    assert book.cost(million, model="gpt-5.4-mini", tier="flex", day=TODAY) == Decimal("0.2")
    assert book.cost(million, model="gpt-5.4-mini", tier="fast", day=TODAY) is None
    found = book.model("gpt-5.4-mini")
    assert found is not None and found.max_output == 128_000


def test_a_number_stays_what_was_written() -> None:
    """A price written as the number 0.1 is a tenth and not the float next to it."""
    price = BOOK.with_overrides({"m": {"input": 0.1, "output": 0.7}}).price_of("m", None, TODAY)
    assert price is not None and (price.input, price.output) == (Decimal("0.1"), Decimal("0.7"))


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"input": "0.10"},
        {"input": "ten", "output": "1"},
        {"input": "-1", "output": "1"},
        {"input": "NaN", "output": "1"},
        {"input": float("inf"), "output": "1"},
        {"input": "1", "output": "1", "outptu": "1"},
        {"input": "1", "output": "1", "tiers": {"turbo": "2"}},
        {"input": "1", "output": "1", "tiers": {"flex": "-2"}},
        {"input": "1", "output": "1", "max_output": 0},
        {"input": True, "output": "1"},
        "0.10",
        None,
        ["0.1", "0.2"],
    ],
)
def test_a_price_that_is_none_is_refused(entry: object) -> None:
    """What is not a price list is a settings error that names the model and never a price of nought."""
    with pytest.raises(SettingsError, match="my-модель"):
        BOOK.with_overrides({"my-модель": entry})


def test_an_empty_book_knows_nothing() -> None:
    """Without a table there are no prices and no models."""
    book = Book(Table(as_of=TODAY, about=(), aliases={}, models={}))
    assert book.models() == {}
    assert book.price_of("gpt-5.4-mini", None, TODAY) is None
