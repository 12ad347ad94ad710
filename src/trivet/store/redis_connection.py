"""From a `redis://` URL to a client for the running event loop, and from its errors to ours.

A connection belongs to one event loop of one process, so each loop gets a client of its own, and a forked
child makes new ones. No text of ours repeats a password.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from trivet.errors import MachineError, MissingExtra, SettingsError, TrivetError

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

ANSWER_SECONDS = 30.0
"""How long a connection or an answer may take: longer than a busy machine holds a process up."""

CONNECTIONS = 16
"""Connections of one event loop at most; who finds none waits for one."""

_FORM = "write it as redis://[:password@]host:6379/0 or rediss://..., with ?prefix=NAME for a space of your own"
_OPTIONS = ("prefix", "size", "lease")
_PREFIX = re.compile(r"\w[\w.-]{0,63}", re.ASCII)
_REFUSED = ("WRONGPASS", "NOAUTH", "NOPERM", "invalid password", "invalid username-password", "without any password")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPlace:
    """Where in which Redis. `prefix` begins every key, up to a colon; `size` and `lease`: the URL's, as written."""

    host: str
    port: int
    database: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = "trivet:-"
    size: str | None = None
    lease: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        name = self.prefix.removeprefix("trivet:")
        scope = "" if name == "-" else f"?prefix={name}"
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.database}{scope}"


def parse_redis_url(url: str) -> RedisPlace:
    """The place of a `redis://` or `rediss://` URL; SettingsError, which repeats no part of it, for any other.

    Whose answers these are has to be said: by the number of the database, or by `?prefix=`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 6379
    except ValueError:
        raise SettingsError(f"the Redis URL can't be read: {_FORM}") from None
    database = parts.path.strip("/")
    if parts.scheme not in ("redis", "rediss") or not host or parts.fragment:
        raise SettingsError(f"the Redis URL is incomplete, or has a # that should be %23: {_FORM}")
    if database and not re.fullmatch(r"\d{1,4}", database, re.ASCII):
        raise SettingsError(f"the database in the Redis URL must be a number: {_FORM}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := next((name for name in options if name not in _OPTIONS), None):
        raise SettingsError(f"the Redis URL has no option {unknown[:40]!r}; there are prefix, size and lease")
    prefix = options.get("prefix")
    if prefix is not None and not _PREFIX.fullmatch(prefix):
        raise SettingsError("the prefix in the Redis URL has letters, digits, dots, dashes only, 64 at most")
    if not database and prefix is None:
        raise SettingsError(f"the Redis URL names no database: others may keep theirs there; {_FORM}")
    return RedisPlace(
        host=host,
        port=port,
        database=int(database or 0),
        tls=parts.scheme == "rediss",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        prefix=f"trivet:{prefix or '-'}",
        size=options.get("size"),
        lease=options.get("lease"),
    )


class PerLoop(Generic[T]):
    """One thing for each event loop of this process, made when first asked for."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}
        self._pid = os.getpid()
        self._lock = Lock()

    def get(self) -> T:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._made.get(loop)
        if found is not None and self._pid == os.getpid():
            return found
        made = self._make()
        with self._lock:
            if self._pid != os.getpid():  # what the parent has open is the parent's
                self._made, self._pid = {}, os.getpid()
            # a connection keeps its loop alive, so one that has ended is let go of here
            self._made = {known: kept for known, kept in self._made.items() if not known.is_closed()}
            return self._made.setdefault(loop, made)

    def take_all(self) -> dict[asyncio.AbstractEventLoop, T]:
        """What was made in this process, by loop; forgotten here."""
        with self._lock:
            made, self._made = self._made, {}
        return made if self._pid == os.getpid() else {}


class RedisConnection:
    """Clients of one Redis, one for each event loop that asks. Opens no connection before the first command."""

    def __init__(self, place: RedisPlace) -> None:
        try:
            from redis import exceptions
        except ImportError:
            raise MissingExtra("what is kept in Redis", "redis") from None
        self._exceptions = exceptions
        self.place = place
        self.errors: tuple[type[Exception], ...] = (exceptions.RedisError, OSError)
        """What a command may raise; `explain` has the sentence for it."""
        self._clients: PerLoop[Redis] = PerLoop(self._open)

    @property
    def prefix(self) -> str:
        """What the names of all keys begin with, up to a colon."""
        return self.place.prefix

    def __repr__(self) -> str:
        return f"RedisConnection({str(self.place)!r})"

    def client(self) -> Redis:
        """The client of the running event loop. No command is sent twice: one that fails may have run."""
        return self._clients.get()

    def _open(self) -> Redis:
        from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        place = self.place
        pool = BlockingConnectionPool(
            connection_class=SSLConnection if place.tls else Connection,
            host=place.host,
            port=place.port,
            db=place.database,
            username=place.username,
            password=place.password,
            protocol=2,
            client_name="trivet",
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            max_connections=CONNECTIONS,
            timeout=ANSWER_SECONDS,
        )
        return Redis.from_pool(pool)

    async def close(self) -> None:
        """Close the connections of the running loop, and let go of the others."""
        for loop, client in self._clients.take_all().items():
            if loop is asyncio.get_running_loop():
                await client.aclose()
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(client.aclose(), loop)

    def explain(self, error: Exception) -> TrivetError:
        """One sentence for an error of the client: `SettingsError` for what a URL or a Redis's set-up must mend."""
        found = self._exceptions
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        if self.place.password:
            text = text.replace(self.place.password, "***")
        if isinstance(error, found.AuthenticationError | found.NoPermissionError) or any(
            word in text for word in _REFUSED
        ):
            return SettingsError(f"the Redis at {self.place} refuses this user and password: check the URL")
        if "DB index" in text:
            return SettingsError(f"the Redis at {self.place} has no such database: name another in the URL")
        if isinstance(error, found.OutOfMemoryError):
            return MachineError(
                f"the Redis at {self.place} is full: raise its maxmemory, or let it evict (allkeys-lru)"
            )
        if isinstance(error, found.TimeoutError | TimeoutError):
            return MachineError(f"the Redis at {self.place} does not answer: see that it runs and can be reached")
        if isinstance(error, found.ConnectionError | OSError):
            cause = error.__cause__ or error.__context__
            text = (isinstance(cause, OSError) and cause.strerror) or text
            return MachineError(f"the Redis at {self.place} can't be reached ({text}): see that it runs")
        return MachineError(f"the Redis at {self.place} failed ({text})")


def open_redis(url: str) -> RedisConnection:
    """The Redis of a URL; SettingsError where it is none, MissingExtra where the client library is missing."""
    return RedisConnection(parse_redis_url(url))
