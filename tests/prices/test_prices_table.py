"""The price table against itself and against genai-prices."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from genai_prices import types as genai

import trivet.prices.table
from trivet.prices.table import Table, load

TABLE = load()
SHORT, LONG = 1_000, 300_000

# Models of ours that genai-prices 0.2.3 does not have: released after it.
ONLY_OURS = {"gpt-6.2-astra", "gpt-6.2-sol"}

# Known disagreements, (model, dimension): the reason. Empty on the day the table was read.
DISAGREEMENTS: dict[tuple[str, str], str] = {}


def _theirs(model: str, day: date) -> genai.ModelPrice:
    """The standard prices genai-prices has for a model on a day."""
    moment = datetime.combine(day, time(12), tzinfo=UTC)
    usage = genai_prices.Usage(input_tokens=SHORT, output_tokens=0)
    return genai_prices.calc_price(usage, model, provider_id="openai", genai_request_timestamp=moment).model_price


def _at(price: Any, tokens: int) -> Any:
    """A price of theirs at a number of input tokens: flat, or by tier."""
    if isinstance(price, genai.TieredPrices):
        above = [tier.price for tier in price.tiers if tokens > tier.start]
        return above[-1] if above else price.base
    return price


@pytest.mark.parametrize("model", sorted(set(TABLE.models) - ONLY_OURS))
def test_agrees_with_genai_prices(model: str) -> None:
    """Input, cached, cache write and output agree on the day each row starts, at short and long context."""
    entry = TABLE.models[model]
    for row in entry.rows:
        theirs = _theirs(model, row.since)
        pairs = {
            "input": (row.input, theirs.input_mtok),
            "cached_input": (row.cached_input, theirs.cache_read_mtok),
            "cache_write": (row.cache_write, theirs.cache_write_mtok),
            "output": (row.output, theirs.output_mtok),
        }
        for dimension, (ours, their) in pairs.items():
            if their is None or (model, dimension) in DISAGREEMENTS:
                continue
            assert ours == _at(their, SHORT), (model, row.since, dimension)
            times = Decimal(1)
            if entry.long_context is not None:
                times = entry.long_context.output if dimension == "output" else entry.long_context.input
            assert ours is not None
            assert ours * times == _at(their, LONG), (model, row.since, dimension, "long context")


@pytest.mark.parametrize("model", sorted(ONLY_OURS))
def test_models_that_only_we_have(model: str) -> None:
    """Once genai-prices learns these, they join the comparison above."""
    with pytest.raises(LookupError):
        _theirs(model, TABLE.as_of)


def test_the_file_holds_what_it_should() -> None:
    """Every row has a date and a source, rows of a model rise by date, and no price is a JSON number."""
    path = Path(trivet.prices.table.__file__).with_name("table.json")
    document = json.loads(path.read_text("utf-8"), parse_float=lambda text: pytest.fail(f"a float: {text}"))
    assert document["aliases"].keys().isdisjoint(document["models"])
    assert set(document["aliases"].values()) <= document["models"].keys()
    for name, model in document["models"].items():
        days = [row["from"] for row in model["rows"]]
        assert days and days == sorted(set(days)), name
        for row in model["rows"]:
            assert row["source"], name
            dimensions = ("input", "cached_input", "cache_write", "cache_write_12h", "output")
            assert all(row[d] is None or isinstance(row[d], str) for d in dimensions), name
            assert all(isinstance(times, str) for times in row["tiers"].values()), name


def test_every_price_is_sane() -> None:
    """Cached input is never dearer than input, a write never cheaper, output never cheaper than input."""
    for name, model in TABLE.models.items():
        for row in model.rows:
            assert Decimal(0) < row.input <= row.output, name
            assert row.cached_input is None or row.cached_input < row.input, name
            assert row.cache_write is None or row.cache_write >= row.input, name
            if row.cache_write is not None and row.cache_write_12h is not None:
                assert row.cache_write_12h >= row.cache_write, name


def test_reading_it_is_fast_and_typed() -> None:
    """The whole file decodes into one frozen table."""
    assert isinstance(TABLE, Table)
    with pytest.raises(AttributeError):
        TABLE.models["gpt-5.4-mini"].rows[0].input = Decimal(0)  # type: ignore[misc]
