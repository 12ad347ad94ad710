"""Lengths of answers, pace, deadlines, bills and levers, each from values alone."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import SettingsError
from trivet.explanation import answers, bill, deadline, pace
from trivet.explanation.bill import Load
from trivet.explanation.memory import MOST_FILES, Memory
from trivet.explanation.pace import Account, Charge, Work
from trivet.prices.book import standard_book
from trivet.settings import Endpoint
from trivet.summary import Predicted
from trivet.tasks.labels import Labels
from trivet.tasks.task import Task
from trivet.tasks.text import Text

DAY = date(2026, 11, 23)


def work(calls: int, tokens: float = 100, latency: float = 1.0) -> Work:
    """So many calls, all alike."""
    return Work(calls=calls, charges=(Charge(tokens, tokens),), latencies=(latency,))


@pytest.mark.parametrize(
    ("account", "calls", "seconds", "binds"),
    [
        (Account(rpm=600, tpm=10_000_000), 3000, 300, "requests"),
        (Account(rpm=600_000, tpm=60_000), 3000, 300, "tokens"),
        (Account(rpm=600_000, tpm=60_000_000, concurrency=10), 3000, 300, "concurrency"),
        (Account(cap_rpm=600, rpm=10_000), 3000, 300, "requests"),
        (Account(rpm=600, tpm=10_000_000), 30_000, 3000, "requests"),
        (Account(rpm=60_000), 50, 2, "latency"),  # sixteen go before the first reply has told the limit
    ],
)
def test_what_binds_decides_the_time(account: Account, calls: int, seconds: float, binds: str) -> None:
    """Within the margin that a run keeps below a limit, and a reply or two."""
    assert pace.duration(work(calls), account, 0) == pytest.approx(seconds, rel=0.05)
    assert pace.binding(work(calls), account) == binds


def test_the_rule_of_growth_slows_what_is_large() -> None:
    """40 million tokens at 4 million a minute take over ten minutes: a million a minute may go at first."""
    taken = pace.duration(work(100_000, tokens=400), Account(rpm=10**6, tpm=4_000_000), 0)
    assert 25 * 60 < taken < 40 * 60


@given(st.integers(0, 400), st.integers(0, 3))
def test_more_calls_never_take_less_time(calls: int, seed: int) -> None:
    account = Account(rpm=1000, tpm=100_000)
    assert pace.duration(work(calls), account, seed) <= pace.duration(work(calls + 50), account, seed) + 1e-9


def test_nothing_to_send_takes_no_time() -> None:
    assert pace.duration(work(0), Account(), 0) == 0


def length(output: Any, **params: Any) -> answers.Length:
    """What an output contract allows."""
    return answers.allowed(Task("About {{ x }}", output=output, params=params), "gpt-5.4-mini")


def test_labels_are_counted_in_tokens() -> None:
    found = length(Labels("billing", "technical_support"))
    assert (found.low, found.source) == (1, "contract")
    assert found.low < found.mean < found.high < 5


def test_a_schema_without_text_has_bounds_and_one_with_text_is_a_guess() -> None:
    closed = {"type": "object", "properties": {"a": {"enum": ["x", "a longer value"]}, "b": {"type": "boolean"}}}
    assert length(closed | {"required": ["a", "b"], "additionalProperties": False}).source == "contract"
    opened = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    found = length(opened)
    assert found.source == "guess"
    assert found.low < found.mean < found.high


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}},
        {"type": ["string", "null"], "minLength": 3},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        {"type": "object"},
        {},
    ],
)
def test_no_schema_is_too_odd_to_be_measured(schema: dict[str, Any]) -> None:
    found = length(schema)
    assert 0 < found.low <= found.mean <= found.high


def test_the_cap_bounds_every_guess() -> None:
    assert length(Text(), max_output_tokens=16).high == 16


def test_a_model_that_thinks_is_called_a_guess() -> None:
    task = Task("About {{ x }}", output=Labels("a", "b"))
    found = answers.allowed(task, "gpt-6-luna")
    assert found.source == "guess"
    assert found.reasoning > 100 > found.low


def test_answers_tell_more_than_the_contract_and_one_long_one_is_called_out() -> None:
    bounds = length(Text())
    assert answers.measured([10] * 7, [0] * 7, 100, bounds) is None
    found = answers.measured([8, 9, 10, 11, 12, 10, 10, 10], [0] * 8, 1000, bounds)
    assert found is not None
    assert found.low < 10 < found.high
    assert not found.heavy
    tailed = answers.measured([10] * 20 + [900], [0] * 21, 1000, bounds)
    assert tailed is not None
    assert tailed.heavy


def test_a_bill_is_tokens_times_price() -> None:
    load = Load(calls=10, inputs=(100, 300), output=5.0)
    cost = bill.cost(load, standard_book(), "gpt-5.4-mini", "standard", DAY)
    assert cost == (Decimal(10 * 200) * Decimal("0.75") + Decimal(50) * Decimal("4.50")) / 1_000_000
    assert bill.cost(load, standard_book(), "no-such-model", "standard", DAY) is None
    assert bill.by_tier(load, standard_book(), "gpt-5.4-nano", DAY).keys() == {"standard", "flex", "batch"}


def test_a_shared_prefix_is_read_and_long_questions_are_written_where_models_do_so() -> None:
    plain, shared = (Load(calls=1000, inputs=(3000,), output=1.0, shared=prefix) for prefix in (0, 2048))
    book = standard_book()
    whole, less = (bill.cost(load, book, "gpt-5.4-mini", "standard", DAY) for load in (plain, shared))
    assert whole is not None and less is not None
    assert less < whole / 2
    assert bill.surcharge(plain, book, "gpt-6-luna", "standard", DAY) > 0
    assert bill.surcharge(plain, book, "gpt-5.4-mini", "standard", DAY) == 0


def test_models_that_can_not_do_it_are_left_out() -> None:
    task = Task("About {{ x }}", plan={"effort": "none"})
    names = [
        each.model
        for each in bill.choices(
            Load(calls=1, inputs=(500_000,), output=1.0), standard_book(), task, "gpt-6-luna", 0.0, DAY
        )
    ]
    assert "gpt-6-luna" in names
    assert "gpt-5.4-mini" not in names  # too small a window
    assert "gpt-6-astra" not in names  # refuses that effort


def test_a_deadline_is_a_duration_or_the_next_such_time() -> None:
    now = datetime(2026, 11, 23, 22, 30)
    assert deadline.parse("6h", now) == 6 * 3600
    assert deadline.parse("06:00", now) == 7.5 * 3600
    assert deadline.parse("23:00", now) == 1800
    for wrong in ("25:00", "soon", ""):
        with pytest.raises(SettingsError, match="--deadline"):
            deadline.parse(wrong, now)


def test_memory_survives_garbage_and_stays_small(tmp_path: Path) -> None:
    memory, endpoint = Memory(tmp_path), Endpoint(api_key="k")
    memory.keep_limits(endpoint, "m", 500, 1000)
    found = memory.limits(endpoint, "m")
    assert found is not None and (found.rpm, found.tpm) == (500, 1000)
    assert memory.limits(Endpoint(api_key="other"), "m") is None
    for path in tmp_path.iterdir():
        assert b"sk" not in path.read_bytes()
        path.write_bytes(b"\x00garbage")
    assert memory.limits(endpoint, "m") is None
    for n in range(MOST_FILES + 20):
        (tmp_path / f"old-{n}.json").touch()
    memory.keep_predicted("w", Predicted(cost_usd=None, time_s=(1.0, 2.0)))
    assert len(list(tmp_path.iterdir())) <= MOST_FILES
    assert Memory(None).limits(endpoint, "m") is None
    blocked = tmp_path / "file"
    blocked.touch()
    Memory(blocked).keep_limits(endpoint, "m", 1, 1)
