"""What a client is made with, beside the SDK's own arguments; what is not given comes from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock

import openai

from trivet.engine.limit import Limits
from trivet.errors import SettingsError
from trivet.limits.account import Account
from trivet.settings import DropIn, drop_in, duration, money
from trivet.store.open import open_store
from trivet.store.protocol import Store

_lock = Lock()
_stores: dict[str, Store] = {}
_accounts: dict[str, Account] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`owned`: the store is this client's alone, and is closed with it."""

    store: Store | None
    owned: bool
    cache: str | None
    limits: Limits
    account: Account
    tags: Mapping[str, str]
    ttl: float | None
    settings: DropIn


def options(
    *,
    cache: str | openai.NotGiven | None = openai.NOT_GIVEN,
    limits: Limits | None = None,
    budget: Decimal | float | str | None = None,
    tags: Mapping[str, str] | None = None,
    ttl: float | str | None = None,
) -> Options:
    """Raises `SettingsError` for what can't be."""
    if limits is not None and not isinstance(limits, Limits):
        raise SettingsError(f"limits is {limits!r}, and must be trivet.Limits(...)")
    found = drop_in()
    url = found.cache if isinstance(cache, openai.NotGiven) else cache
    own = not isinstance(cache, openai.NotGiven) and not found.observe
    given = ttl if ttl is not None else found.ttl
    return Options(
        store=None if found.observe else (open_store(url) if own else _shared_store(url)),
        owned=own,
        cache=url,
        limits=limits or Limits(concurrency=found.concurrency, rpm=found.rpm, tpm=found.tpm),
        account=_account(budget, found),
        tags=dict(tags or {}),
        ttl=duration(given) if isinstance(given, str) else given,
        settings=found,
    )


def _shared_store(url: str | None) -> Store | None:
    """The one of the program, for all its clients that name none of their own."""
    if url is None or url == "off":
        return None
    with _lock:
        if url not in _stores:
            opened = open_store(url)
            if opened is None:
                return None
            _stores[url] = opened
        return _stores[url]


def _account(budget: Decimal | float | str | None, found: DropIn) -> Account:
    """The books of one client, or of the program where the budget is the program's."""
    if found.observe:
        return Account(None)
    if budget is not None:
        return Account(money(str(budget)))
    if found.budget is None:
        return Account(None)
    with _lock:
        return _accounts.setdefault(found.budget, Account(money(found.budget)))
