"""The parts of what an explanation says, as data."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct


class Duplicates(Struct, frozen=True, kw_only=True):
    """Rows that ask what an earlier one asks: just so, and besides but for white space and Unicode form."""

    exact: int
    normalised: int


class TokensAhead(Struct, frozen=True, kw_only=True):
    """`constant` and `varying` of one question, `input` and `output_estimate` over all rows, hits among them.

    Intervals at 95 %; `output_from`: `answers` (so many `output_answers`), `contract` or `guess`.
    """

    constant: int
    varying: float
    input: int
    input_interval: tuple[int, int]
    output_estimate: tuple[int, int]
    output_mean: float
    output_from: str
    output_answers: int = 0
    reasoning_mean: float = 0.0
    counted: int = 0


class Cached(Struct, frozen=True, kw_only=True):
    """Distinct questions, and how many of them are answered already; `looked_up` of them were looked at."""

    questions: int
    hits: int
    looked_up: int


class LimitsAhead(Struct, frozen=True, kw_only=True):
    """Limits that are reckoned with. `source`: `given`, `usage tier 3`, `learned`, or `unknown`."""

    source: str
    rpm: float | None = None
    tpm: float | None = None
    cap_rpm: float | None = None
    cap_tpm: float | None = None
    concurrency: int | None = None


class Plan(Struct, frozen=True, kw_only=True):
    """A tier held against the deadline. `concurrency`: requests at once with which it is in time, else None."""

    tier: str
    in_time: bool | None
    cost_usd: Decimal | None
    time_s: tuple[float, float] | None
    concurrency: int | None
    note: str = ""


class Piloted(Struct, frozen=True, kw_only=True):
    """What the pilot was: rows asked and failed, the first failure, what it cost, seconds a reply in the mean."""

    rows: int
    failed: int
    failure: str | None
    cost_usd: Decimal | None
    latency_mean_s: float | None
