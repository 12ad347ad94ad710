"""What a client counts: one record of all its parts."""

from __future__ import annotations

from msgspec import Struct

from trivet.engine.coalesce import CoalesceStatistics
from trivet.engine.limit import LimitStatistics
from trivet.engine.meter import MeterStatistics
from trivet.engine.retry import RetryStatistics
from trivet.engine.shelf import ShelfStatistics
from trivet.limits.account import AccountStatistics
from trivet.store.protocol import StoreStatistics
from trivet.transport.protocol import TransportStatistics


class ClientStatistics(Struct, frozen=True, kw_only=True):
    """Counts since the client was made, over all its event loops.

    `meter`: calls, tokens and money; `shelf`: replies kept and found again; `coalesce`: shared flights; `retry`:
    requests sent again; `limit`: permits, pace and pauses; `budget`: the books; `transport`: connections;
    `store`: the cache, None without one.
    """

    meter: MeterStatistics
    shelf: ShelfStatistics
    coalesce: CoalesceStatistics
    retry: RetryStatistics
    limit: LimitStatistics
    budget: AccountStatistics
    transport: TransportStatistics
    store: StoreStatistics | None
