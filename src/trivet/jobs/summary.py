"""The figures of a run from its records, in bounded memory: two floats for each reply of the provider.

Rows are counted by the last record of each; money, tokens and attempts over all records, because a failed
attempt that was asked again was billed all the same.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from trivet.records import Record
from trivet.stats.percentiles import Percentiles
from trivet.summary import Calls, Latency, Summary, TagBill, Tokens
from trivet.types import Usage

MAX_LABELS = 100
"""Distinct outputs beyond which they are no labels, and are not counted."""

MAX_LABEL = 64
"""Characters beyond which an output is no label."""

TOO_MANY_REQUESTS = 429


class Totals:
    """Counts what happened to rows, record by record. `latency`, `ttft`: seconds of the provider's replies."""

    def __init__(self) -> None:
        self._ok = self._failed = 0
        self._outputs: Counter[str] | None = Counter()
        self._failures: Counter[str] = Counter()
        self._by_source: Counter[str] = Counter()
        self._characters = Means()
        self._money = Money()
        self._by_tag = Tags()
        self.latency = array("d")
        self.ttft = array("d")
        self._oldest_hit: float | None = None  # Unix time

    def add(self, record: Record) -> None:
        """Count the last record of a row."""
        if record.error is None:
            self._ok += 1
            self._count_output(_countable(record.output))
        else:
            self._failed += 1
            self._failures[record.error.code] += 1
        self._characters.add(record)
        self._add_call(record)
        if record.tags:
            self._by_tag.add(record, rows=1)

    def add_replaced(self, record: Record) -> None:
        """Count what was spent on a record that is not the last word on its row: replaced, or of a run that stopped."""
        self._add_call(record)
        if record.tags:
            self._by_tag.add(record, rows=0)

    def add_plain(self, records: Sequence[Record]) -> None:
        """The same as `add` for each of many records that are `is_plain`, several times as fast."""
        self._ok += len(records)
        if self._outputs is not None:
            for output, count in Counter([_countable(record.output) for record in records]).items():
                self._count_output(output, count)
        self._characters.add_plain(records)
        self._money.add_plain(records)
        for record in [record for record in records if record.tags]:
            self._by_tag.add(record, rows=1)
        self._by_source["provider"] += len(records)
        self.latency.extend([record.latency for record in records if record.latency is not None])
        self.ttft.extend([record.ttft for record in records if record.ttft is not None])

    def _add_call(self, record: Record) -> None:
        self._money.add(record)
        if record.source is not None:
            self._by_source[record.source] += 1
        if record.source == "provider" and record.model is not None:  # a reply came, whatever it was worth
            if record.latency is not None:
                self.latency.append(record.latency)
            if record.ttft is not None:
                self.ttft.append(record.ttft)
        if record.source == "cache" and record.stored_at is not None:
            self._oldest_hit = min(record.stored_at, self._oldest_hit or record.stored_at)

    def sort(self) -> None:
        """Put what was measured in order, once for all who need it so."""
        self.latency = array("d", sorted(self.latency))
        self.ttft = array("d", sorted(self.ttft))

    def _count_output(self, label: str | None, count: int = 1) -> None:
        if self._outputs is None:
            return
        if label is not None:
            self._outputs[label] += count
        if label is None or len(self._outputs) > MAX_LABELS:
            self._outputs = None

    def summary(
        self,
        *,
        run: str,
        task: str,
        model: str,
        provider: str,
        wall_s: float,
        now: float,
        resumed: int = 0,
        lost: int = 0,
        interrupted: bool = False,
        results: str | None = None,
    ) -> Summary:
        """The figures so far. `resumed`: of the rows, those that were there before these `wall_s` seconds.

        `lost`: attempts that no record tells of, because they were in flight when the run was cut off.
        """
        rows = self._ok + self._failed
        hits, coalesced = self._by_source["cache"], self._by_source["coalesced"]
        money = self._money
        return Summary(
            run=run,
            task=task,
            model=model,
            provider=provider,
            rows=rows,
            ok=self._ok,
            failed=self._failed,
            wall_s=wall_s,
            rows_per_s=(rows - resumed) / wall_s if wall_s > 0 else None,
            calls=Calls(
                sent=self._by_source["provider"],
                cache_hits=hits,
                coalesced=coalesced,
                attempts=money.attempts,
                retries=money.retries,
                rate_limited=money.rate_limited,
            ),
            cache_hit_rate=(hits + coalesced) / rows if rows else None,
            latency_s=latency_of(self.latency),
            ttft_s=latency_of(self.ttft) if self.ttft else None,
            tokens=money.tokens(),
            cost_usd=money.cost,
            saved_usd=money.saved,
            counts=dict(self._outputs.most_common()) if self._outputs else {},
            failures=dict(self._failures.most_common()),
            input_chars_mean=self._characters.input(),
            output_chars_mean=self._characters.output(),
            oldest_hit_s=None if self._oldest_hit is None else max(0.0, now - self._oldest_hit),
            possibly_billed=money.possibly_billed + lost,
            interrupted=interrupted,
            results=results,
            by_tag=self._by_tag.bills(),
        )


def _countable(output: object) -> str | None:
    """An output as a label; None where it is none."""
    label = str(output).lower() if isinstance(output, bool) else output
    return label if isinstance(label, str) and len(label) <= MAX_LABEL else None


def is_plain(record: Record) -> bool:
    """Whether it is of a row that was answered by the first attempt, at a known price: most rows of most runs."""
    attempts = record.attempts
    if len(attempts) != 1 or record.error is not None or record.source != "provider" or record.model is None:
        return False
    only = attempts[0]
    return only.error is None and only.usage is not None and only.cost is not None and record.cost is not None


class Money:
    """Attempts, tokens and dollars; what is not known of one call is not known of the sum."""

    def __init__(self) -> None:
        self.cost: Decimal | None = Decimal(0)
        self.saved: Decimal | None = Decimal(0)
        self.attempts = self.retries = self.rate_limited = self.possibly_billed = 0
        self._input = self._cached = self._output = self._reasoning = 0
        self._uncounted = False

    def add(self, record: Record) -> None:
        """Count a call."""
        for attempt in record.attempts:
            if attempt.usage is None and attempt.error is None:
                self._uncounted = True
        if self.cost is not None:
            billed = record.billed()
            self.cost = None if billed is None else self.cost + billed
        if record.source == "provider" or record.source is None:
            self._add_attempts(record)
        elif self.saved is not None:
            self.saved = None if record.saved is None else self.saved + record.saved

    def add_plain(self, records: Sequence[Record]) -> None:
        """Count calls of which each is `is_plain`."""
        if self.cost is not None:
            self.cost = sum([record.cost for record in records if record.cost is not None], self.cost)
        attempts = [record.attempts[0] for record in records]
        self.attempts += len(attempts)
        self.possibly_billed += sum([attempt.possibly_billed for attempt in attempts])
        usages = [attempt.usage for attempt in attempts if attempt.usage is not None]
        self._input += sum([usage.input for usage in usages])
        self._cached += sum([usage.cached_input for usage in usages])
        self._output += sum([usage.output for usage in usages])
        self._reasoning += sum([usage.reasoning for usage in usages])

    def _add_attempts(self, record: Record) -> None:
        attempts = record.attempts
        self.attempts += len(attempts)
        self.retries += max(0, len(attempts) - 1)
        for attempt in attempts:
            self.rate_limited += attempt.status == TOO_MANY_REQUESTS
            self.possibly_billed += attempt.possibly_billed
            self._add_usage(attempt.usage)
        if not attempts:
            self._add_usage(record.usage)

    def _add_usage(self, usage: Usage | None) -> None:
        if usage is not None:
            self._input += usage.input
            self._cached += usage.cached_input
            self._output += usage.output
            self._reasoning += usage.reasoning

    def tokens(self) -> Tokens:
        """Tokens billed; unknown where an answer came without its usage."""
        if self._uncounted:
            return Tokens(input=None, cached_input=None, output=None, reasoning=None)
        return Tokens(input=self._input, cached_input=self._cached, output=self._output, reasoning=self._reasoning)


class Tags:
    """Rows and dollars by tag, over all records that have tags."""

    def __init__(self) -> None:
        self._rows: Counter[tuple[str, str]] = Counter()
        self._cost: dict[tuple[str, str], Decimal | None] = {}

    def add(self, record: Record, *, rows: int) -> None:
        """Count a record; `rows`: 0 where it is not the last word on its row."""
        billed = record.billed()
        for pair in (record.tags or {}).items():
            self._rows[pair] += rows
            known = self._cost.get(pair, Decimal(0))
            self._cost[pair] = None if known is None or billed is None else known + billed

    def bills(self) -> dict[str, TagBill]:
        """By `key=value`, in the order of keys and values."""
        return {
            f"{name}={value}": TagBill(rows=self._rows[name, value], cost_usd=cost)
            for (name, value), cost in sorted(self._cost.items())
        }


class Means:
    """Mean lengths: of the prompts that were asked, of the answers that came."""

    def __init__(self) -> None:
        self._prompts = self._prompt_characters = 0
        self._answers = self._answer_characters = 0

    def add(self, record: Record) -> None:
        """Count a row's prompt and answer, if it got so far."""
        if record.source is not None:
            self._prompts += 1
            self._prompt_characters += record.input_chars
        if record.model is not None:
            self._answers += 1
            self._answer_characters += record.output_chars

    def add_plain(self, records: Sequence[Record]) -> None:
        """Count rows of which each has a prompt and an answer."""
        self._prompts += len(records)
        self._answers += len(records)
        self._prompt_characters += sum([record.input_chars for record in records])
        self._answer_characters += sum([record.output_chars for record in records])

    def input(self) -> float | None:
        """Characters a prompt."""
        return self._prompt_characters / self._prompts if self._prompts else None

    def output(self) -> float | None:
        """Characters an answer."""
        return self._answer_characters / self._answers if self._answers else None


def latency_of(seconds: Iterable[float]) -> Latency:
    """Mean, maximum and the percentiles that so many values can support."""
    values = seconds if isinstance(seconds, array) else array("d", seconds)
    if not values:
        return Latency()
    percentiles = Percentiles(values)
    return Latency(
        mean=sum(values) / len(values),
        p50=percentiles.at(0.50),
        p90=percentiles.at(0.90),
        p95=percentiles.at(0.95),
        p99=percentiles.at(0.99),
        max=max(values),
    )
