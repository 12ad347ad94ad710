"""From the URL of a cache to the store behind it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl

from trivet.errors import SettingsError
from trivet.settings import duration
from trivet.store.memory import MemoryStore
from trivet.store.protocol import Store

MEMORY_LIMIT = 256_000_000
SQLITE_LIMIT = 2_000_000_000
REDIS_LIMIT = 1_000_000_000
SHORTEST_LEASE = 1.0

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)?", re.IGNORECASE | re.ASCII)
_KNOWN = "memory://, sqlite:///path, redis://host:6379/0 or off"


def open_store(url: str | None) -> Store | None:
    """The store of a cache URL; None for `off` and None. SettingsError for anything that names no store.

    `memory://`; `sqlite:///path` relative to the working folder, `sqlite:////path` absolute, `~` expanded;
    `redis://[:password@]host:port/0`, `rediss://` with TLS, `?prefix=NAME` for a space of its own there. All take
    `?size=500MB`, the bound beyond which the least recently used entries leave. MissingExtra where the client of
    Redis is not installed.
    """
    if url is None or url == "off":
        return None
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if separator and scheme in ("redis", "rediss"):
        return _open_redis(url)
    if not separator or scheme not in ("memory", "sqlite"):
        # Only the scheme is repeated: the rest of a URL may hold a password.
        named = f"{scheme}://" if separator and scheme.isalnum() else "this"
        raise SettingsError(f"no cache is known as {named}; use {_KNOWN}")
    place, _, query = rest.partition("?")
    if scheme == "memory":
        if place:
            raise SettingsError(f"a cache in memory has no path, as in {url!r}; use memory://")
        return MemoryStore(limit_bytes=_limit(query, MEMORY_LIMIT))
    return _open_sqlite(place, _limit(query, SQLITE_LIMIT))


def _open_sqlite(place: str, limit: int) -> Store:
    if not place.startswith("/") or not place.strip("/"):
        raise SettingsError(
            "a cache file is named as sqlite:///relative/path or sqlite:////absolute/path; "
            "for one that is gone with the process, use memory://"
        )
    try:
        path = Path(place[1:]).expanduser()
    except RuntimeError:
        raise SettingsError(f"the home folder in the cache path {place[1:]!r} can't be found") from None
    # Imported here so that a program without a cache file never loads the database.
    from trivet.store.sqlite import SqliteStore

    return SqliteStore(path, limit_bytes=limit)


def _open_redis(url: str) -> Store:
    from trivet.store.redis import LEASE_SECONDS, RedisStore
    from trivet.store.redis_connection import open_redis

    connection = open_redis(url)
    place = connection.place
    limit = REDIS_LIMIT if place.size is None else parse_size(place.size)
    lease = LEASE_SECONDS if place.lease is None else duration(place.lease)
    if lease < SHORTEST_LEASE:
        raise SettingsError(f"the lease in the Redis URL is {lease:g} s; it takes a second at least")
    return RedisStore(connection, limit_bytes=limit, lease_seconds=lease)


def _limit(query: str, default: int) -> int:
    limit = default
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name != "size":
            raise SettingsError(f"the cache URL has no option {name!r}; there is size, as in ?size=500MB")
        limit = parse_size(text)
    return limit


def parse_size(text: str) -> int:
    """Bytes of a size such as `500MB`, `1.5 GB` or `1000000`; SettingsError where it is none or nought."""
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * _UNITS[(found[2] or "").upper()]) if found else 0
    if size < 1:
        raise SettingsError(f"{text!r} is not a size; write it as 500MB or 2GB")
    return size
