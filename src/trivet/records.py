"""What a run leaves on disk of each row: one record, one line of `ledger.jsonl`.

Other tools read these files years later: how a record is written has a version, and within it fields are only ever
added. Prompts and keys are never in them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from trivet.types import Attempt, RateLimits, Source, Usage


class Failure(Struct, frozen=True, kw_only=True):
    """Why a row has no result: a code to count by, and one sentence."""

    code: str
    message: str


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one row, and the call behind it.

    `n`: the row's number from 0; `id`: `n` or the value of the id column. Exactly one of `output` and
    `error` is there. `text`: what the model said where it was not accepted: it was paid for. `kept`: copied
    columns; `tags`: what the user says of the call. `asked_model`: the model that was asked, `model`: the one that
    answered. `source` is None where nothing was asked (a bad row). `at`: Unix time. `input_chars` and
    `output_chars`: characters of the prompt and of the answer. `limits`: requests and tokens a minute that the
    provider's reply named, where they are not those of the replies before it.
    """

    n: int
    id: int | str | None = None
    output: Any | UnsetType = UNSET
    error: Failure | None = None
    text: str | None = None
    kept: dict[str, Any] | None = None
    tags: dict[str, str] | None = None
    source: Source | None = None
    asked_model: str | None = None
    model: str | None = None
    tier: str | None = None
    response_id: str | None = None
    request_id: str | None = None
    usage: Usage | None = None
    cost: Decimal | None = Decimal(0)
    saved: Decimal | None = None
    latency: float | None = None
    queued: float = 0.0
    ttft: float | None = None
    attempts: tuple[Attempt, ...] = ()
    stored_at: float | None = None
    input_chars: int = 0
    output_chars: int = 0
    at: float = 0.0
    simulated: bool = False
    limits: RateLimits | None = None

    def billed(self) -> Decimal | None:
        """US dollars of the attempts that surely were billed; None where the price of one of them is not known.

        Attempts that are only *possibly billed* are not in it: they are counted apart.
        """
        if self.cost is not None:
            return self.cost
        in_doubt = [attempt for attempt in self.attempts if attempt.possibly_billed and attempt.cost is None]
        if not in_doubt:
            return None
        known = [attempt.cost for attempt in self.attempts if attempt not in in_doubt]
        return None if None in known else sum((cost for cost in known if cost is not None), Decimal(0))
