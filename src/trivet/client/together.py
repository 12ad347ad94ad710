"""What a client shares with other processes through a Redis: the pace of an account's limits, and a budget."""

from __future__ import annotations

import secrets
from decimal import Decimal

from trivet.engine.shared_account import SharedAccount
from trivet.engine.sharing import Sharing
from trivet.errors import SettingsError
from trivet.settings import Endpoint, shared_url
from trivet.store.redis_budget import RedisBooks
from trivet.store.redis_connection import RedisConnection, open_redis
from trivet.store.redis_limits import RedisLimits


class Together:
    """One Redis, in which this process goes by a name of its own. `asked`: sharing was asked for, not only a cache."""

    def __init__(self, connection: RedisConnection, endpoint: Endpoint, *, asked: bool) -> None:
        self._connection = connection
        self._asked = asked
        self._limits = RedisLimits(connection, endpoint.account())

    def sharing(self) -> Sharing:
        """The pace of one event loop."""
        return Sharing(self._limits.exchange, secrets.token_hex(6), needed=self._asked)

    def account(
        self, name: str, budget: Decimal, *, part: str = "", token: str = "", earlier: Decimal = Decimal(0)
    ) -> SharedAccount:
        """A part of the budget of that name; one that nobody else has, unless `part` and `token` name it."""
        own = secrets.token_hex(8)
        books = RedisBooks(self._connection, name)
        return SharedAccount(books.exchange, budget, part=part or own, token=token or own, session=own, earlier=earlier)

    async def close(self) -> None:
        """Close the connections of the running loop."""
        await self._connection.close()


def open_together(
    shared: str | None, cache: str | None, endpoint: Endpoint, budget: Decimal | None, budget_name: str | None
) -> Together | None:
    """What is shared by these options of a client; None where nothing is."""
    url = shared_url(shared, cache)
    if budget_name is not None and (not budget_name or budget is None or url is None):
        raise SettingsError(
            f"budget_name is {budget_name!r}, and takes a name, a budget, and a Redis to share it through: "
            'shared="redis://host/0"'
        )
    return None if url is None else Together(open_redis(url), endpoint, asked=shared_url(shared, None) is not None)
