"""The options of a client, with their types, for the blocking door to pass on."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypedDict

from trivet.engine.limit import Limits
from trivet.transport.protocol import Transport


class ClientOptions(TypedDict, total=False):
    """What `AsyncClient` takes; a test holds the two together."""

    model: str
    cache: str | None
    shared: str | None
    ttl: float | str | None
    limits: Limits | None
    budget: Decimal | float | str | None
    budget_name: str | None
    retries: int
    timeout: float | str
    deadline: float | None
    base_url: str | None
    api_key: str | None
    organization: str | None
    project: str | None
    tags: Mapping[str, str] | None
    prices: Mapping[str, Mapping[str, Any]] | None
    simulated: str | None
    transport: Transport | None
