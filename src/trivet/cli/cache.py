"""`trivet cache`: what the cache holds, and making it smaller."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from trivet.cli.options import filled
from trivet.cli.show import document, say
from trivet.errors import SettingsError
from trivet.settings import default_cache_url, duration, size
from trivet.store.open import open_store
from trivet.store.redis import RedisStore
from trivet.store.sqlite import SqliteStore
from trivet.wording import seconds

KeptStore = SqliteStore | RedisStore


def stats(url: str | None, *, as_json: bool) -> int:
    """Entries, bytes and ages."""

    async def work(store: KeptStore) -> int:
        found = await store.ages()
        counts = store.statistics()
        now = time.time()
        if as_json:
            document({"url": counts.url, "entries": counts.entries, "bytes": counts.bytes,
                      "limit_bytes": counts.limit_bytes, "oldest_s": found and now - found[0],
                      "newest_s": found and now - found[1]})  # fmt: skip
            return 0
        say(f"cache    {counts.url}")
        say(f"entries  {counts.entries:,}")
        say(f"size     {counts.bytes / 1e6:,.1f} MB of at most {counts.limit_bytes / 1e6:,.0f} MB")
        if found:
            say(f"oldest   {seconds(now - found[0])} ago")
        return 0

    return _with(url, work)


def prune(url: str | None, *, older_than: str | None, to_size: str | None, as_json: bool) -> int:
    """Forget old or least used answers."""
    if older_than is None and to_size is None:
        raise SettingsError("say what to prune: --older-than 30d, or --size 500MB")

    async def work(store: KeptStore) -> int:
        gone = await store.prune(
            older_than_seconds=None if older_than is None else duration(older_than),
            to_bytes=None if to_size is None else size(to_size),
        )
        if as_json:
            document({"removed": gone})
        else:
            say(f"removed {gone:,} answers")
        return 0

    return _with(url, work)


def clear(url: str | None, *, yes: bool, as_json: bool) -> int:
    """Forget everything, after asking."""

    async def work(store: KeptStore) -> int:
        counts = store.statistics()
        if not yes:
            if as_json or not sys.stdin.isatty():
                raise SettingsError(f"this forgets {counts.entries:,} answers that were paid for: say --yes")
            sys.stderr.write(f"Forget {counts.entries:,} answers that were paid for? [y/N] ")
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                return 0
        await store.clear()
        if as_json:
            document({"removed": counts.entries})
        else:
            say(f"removed {counts.entries:,} answers")
        return 0

    return _with(url, work)


def _with(url: str | None, work: Callable[[KeptStore], Coroutine[Any, Any, int]]) -> int:
    filled("--cache", url)
    address = url or default_cache_url()
    store = open_store(None if address == "off" else address)
    if not isinstance(store, SqliteStore | RedisStore):
        raise SettingsError(
            f"{address}: only a cache that is kept can be looked at: --cache sqlite:///path or redis://host:6379/0"
        )

    async def session() -> int:
        try:
            if isinstance(store, RedisStore):
                await store.reach()
                await store.flush()
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(session())
