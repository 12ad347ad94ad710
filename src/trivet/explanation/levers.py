"""What each lever saves of this very run, in dollars; and whether the answers stay what they are."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trivet.explanation import bill
from trivet.explanation.bill import Load
from trivet.explanation.contents import Contents
from trivet.explanation.survey import Survey
from trivet.prices.book import Book
from trivet.sim.models import find


class Lever(Struct, frozen=True, kw_only=True):
    """`saves_usd`: of the whole run, None where a price is not known; `exact`: no answer changes by it.

    `pulled`: it is in the predicted cost already.
    """

    lever: str
    saves_usd: Decimal | None
    exact: bool
    pulled: bool = False
    note: str = ""


class Case(Struct, frozen=True, kw_only=True):
    """What levers are judged by: the calls that will be sent, their model, tier and day."""

    load: Load
    book: Book
    model: str
    tier: str
    day: date

    def cost(self, load: Load) -> Decimal | None:
        """US dollars for other calls than these."""
        return bill.cost(load, self.book, self.model, self.tier, self.day)


class Spared(Struct, frozen=True, kw_only=True):
    """Calls that need not be made: questions that the cache answers, rows that ask `again` what another asks."""

    hits: Load
    again: Load


def levers(
    case: Case, survey: Survey, contents: Contents, spared: Spared, *, cached: bool, normalises: bool
) -> list[Lever]:
    """All levers that would save, or do save, anything."""
    load, hits, same = case.load, spared.hits.calls, spared.again.calls
    found: list[Lever] = []
    if hits:
        saved = case.cost(spared.hits)
        found.append(_lever("cache", saved, pulled=True, note=f"{hits:,} {_questions(hits)} answered already"))
    if same:
        saved = case.cost(spared.again)
        what = "asked once" if cached else "with a cache; without one, only those asked at the same time share a call"
        found.append(_lever("duplicates", saved, pulled=cached, note=f"{same:,} {_rows(same)} {what}"))
    if survey.normalised and not normalises:
        note = (
            f"{survey.normalised:,} {_rows(survey.normalised)} differ by white space or Unicode form; cache.normalise"
        )
        found.append(_lever("normalise", case.cost(replace(load, calls=survey.normalised)), exact=False, note=note))
    own = case.cost(load)
    for tier in ("flex", "batch"):
        other = bill.cost(load, case.book, case.model, tier, case.day)
        if own is not None and other is not None and other < own:
            note = "slower; --tier flex" if tier == "flex" else "within 24 h; not in this version"
            found.append(_lever(tier, own - other, note=note))
    write = bill.surcharge(load, case.book, case.model, case.tier, case.day)
    if write:
        note = 'writes that nothing reads; prompt_cache_options = {mode = "explicit"}'
        found.append(_lever("no_cache_write", write, note=note))
    ordered = _ordered(case, contents)
    if ordered:
        found.append(_lever("prefix_order", ordered, exact=False, note="the constant text first, so that it is reused"))
    return found


def _ordered(case: Case, contents: Contents) -> Decimal | None:
    """What it would save to have the constant text first, where the model reuses a prefix."""
    known = find(case.model)
    if known is None or known.cache == "exact" or contents.shared >= contents.constant:
        return None
    before, after = case.cost(case.load), case.cost(replace(case.load, shared=contents.constant))
    return None if before is None or after is None else max(Decimal(0), before - after)


def _lever(name: str, saves: Decimal | None, *, exact: bool = True, pulled: bool = False, note: str = "") -> Lever:
    return Lever(lever=name, saves_usd=saves, exact=exact, pulled=pulled, note=note)


def _rows(n: int) -> str:
    return "row" if n == 1 else "rows"


def _questions(n: int) -> str:
    return "question" if n == 1 else "questions"
