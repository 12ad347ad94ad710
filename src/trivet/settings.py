"""The environment and the small languages of options: durations, sizes, money, where to send requests.

The only module that reads `os.environ`.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

from trivet.errors import SettingsError

DEFAULT_BASE_URL = "https://api.openai.com/v1"

_NUMBER = r"\d{1,15}(?:\.\d{1,15})?"
_BARE = re.compile(_NUMBER, re.ASCII)
_DURATION = re.compile(rf"({_NUMBER})\s*(ms|s|m|h|d|w)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZE = re.compile(rf"({_NUMBER})\s*(?:([kmgt])(i?))?b?", re.IGNORECASE | re.ASCII)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}
_SECRET = re.compile(r"\bsk-[\w-]{8,}|(?<=//).*(?=@)|[?#].*", re.DOTALL)


def duration(text: str) -> float:
    """Seconds of `60s`, `250ms`, `1h30m`, `7d`; a bare number is seconds."""
    rest, total = text.strip(), 0.0
    if _BARE.fullmatch(rest):
        return float(rest)
    while match := _DURATION.match(rest):
        total += float(match[1]) * _SECONDS[match[2]]
        rest = rest[match.end() :].lstrip()
    if rest or not text.strip():
        raise SettingsError(f"{text[:40]!r} is not a duration: write it as 60s, 1h30m or 7d")
    return total


def size(text: str) -> int:
    """Bytes of `500MB`, `2GB` or `2GiB`; a bare number is bytes."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise SettingsError(f"{text[:40]!r} is not a size: write it as 500MB or 2GB")
    unit = (1024 if match[3] else 1000) ** _POWERS[match[2].lower()] if match[2] else 1
    return int(Decimal(match[1]) * unit)


def money(text: str) -> Decimal:
    """US dollars of `5`, `5.00` or `$5.00`; exact."""
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise SettingsError(f"{text[:40]!r} is not an amount of US dollars: write it as 5.00")
    return amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where requests go, and as whom. `simulated` is the simulator's identity, or None for a real server."""

    base_url: str = DEFAULT_BASE_URL
    api_key: str | None = field(default=None, repr=False)
    organization: str | None = None
    project: str | None = None
    simulated: str | None = None

    def __post_init__(self) -> None:
        if not _is_address(self.base_url):
            raise SettingsError(
                f"base_url {_SECRET.sub('***', self.base_url)!r} is not an http(s) address: "
                "write it like https://api.openai.com/v1"
            )
        if "@" in urlsplit(self.base_url).netloc:
            raise SettingsError("base_url holds a user name or password: give the key as OPENAI_API_KEY instead")
        if "?" in self.base_url or "#" in self.base_url:
            raise SettingsError("base_url holds a query or a fragment: give the address up to its path")
        for what, value in (
            ("API key: check OPENAI_API_KEY", self.api_key),
            ("organization: check OPENAI_ORG_ID", self.organization),
            ("project: check OPENAI_PROJECT_ID", self.project),
        ):
            if value is not None and not (value.isascii() and value.isprintable()):
                raise SettingsError(f"no HTTP header can carry the characters of this {what}")

    @property
    def host(self) -> str:
        """Host (and port) for people to read."""
        return urlsplit(self.base_url).netloc

    def url(self, path: str) -> str:
        """The full address of a path like `/responses`."""
        return self.base_url.rstrip("/") + path

    def origin(self, path: str) -> str:
        """What stands for this server in a cache key: the simulator's identity instead of its port."""
        return f"sim:{self.simulated}{path}" if self.simulated else self.url(path)

    def scope(self) -> str:
        """Whose answers these are; the API key is never part of it."""
        return f"{self.organization or ''}\n{self.project or ''}"

    def account(self) -> str:
        """Names the server and whose account it is there, by a digest that tells neither; the key is part of it."""
        parts = (self.base_url.rstrip("/"), self.api_key or "", self.organization or "", self.project or "")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]

    def headers(self) -> dict[str, str]:
        """Headers of every request to this server."""
        from trivet import __version__

        headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "user-agent": f"trivet/{__version__}",
        }
        if self.api_key:
            headers["authorization"] = f"Bearer {self.api_key}"
        if self.organization:
            headers["openai-organization"] = self.organization
        if self.project:
            headers["openai-project"] = self.project
        return headers


def _is_address(url: str) -> bool:
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def endpoint(
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    organization: str | None = None,
    project: str | None = None,
    simulated: str | None = None,
) -> Endpoint:
    """An endpoint from arguments, else from the environment.

    The variables are the provider's: `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`.
    A key is needed only for the provider itself: a server named by `base_url` may do without.
    """
    if simulated is not None:
        return Endpoint(base_url=base_url or "", api_key="simulated", simulated=simulated)
    url = base_url or _variable("OPENAI_BASE_URL") or DEFAULT_BASE_URL
    key = (api_key or "").strip() or _variable("OPENAI_API_KEY")
    if key is None and _is_address(url) and urlsplit(url).hostname == urlsplit(DEFAULT_BASE_URL).hostname:
        raise SettingsError(
            "no API key: set OPENAI_API_KEY to use the provider, "
            "or use the built-in simulated provider, which needs none (--sim; trivet.sim.start() in Python)"
        )
    return Endpoint(
        base_url=url,
        api_key=key,
        organization=organization or _variable("OPENAI_ORG_ID"),
        project=project or _variable("OPENAI_PROJECT_ID"),
    )


def has_key() -> bool:
    """Whether the environment names a key."""
    return _variable("OPENAI_API_KEY") is not None


def _variable(name: str) -> str | None:
    """A variable of the environment; one that is empty or blank is as good as not set."""
    return os.environ.get(name, "").strip() or None


def set_variables(variables: Mapping[str, str]) -> None:
    """Set variables of this process and of what it starts, for a program that reads them itself."""
    os.environ.update(variables)


def proxies() -> Mapping[str, str]:
    """The proxies of the environment by scheme, `no` for the exceptions."""
    return urllib.request.getproxies_environment()


def cache_folder() -> Path:
    """The user's cache folder for this program."""
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "trivet"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else _home() / ".cache") / "trivet"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise SettingsError("this user has no home folder to keep a cache in: set HOME or TRIVET_CACHE") from None


def default_cache_url() -> str:
    """Where the command line keeps answers unless told otherwise."""
    return _variable("TRIVET_CACHE") or f"sqlite:///{cache_folder() / 'cache.db'}"


def shared_url(shared: str | None, cache: str | None) -> str | None:
    """The Redis through which limits are shared: the one that is named, or `TRIVET_SHARED`, or that of the cache.

    `off` is for none, whatever the environment or the cache say.
    """
    url = shared or _variable("TRIVET_SHARED")
    if url is None and cache is not None and cache.lower().startswith(("redis://", "rediss://")):
        url = cache
    return None if url is None or url == "off" else url


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIn:
    """What the environment says to `trivet.openai`: see `drop_in`."""

    cache: str
    budget: str | None = None
    ttl: str | None = None
    rpm: float | None = None
    tpm: float | None = None
    concurrency: int | None = None
    observe: bool = False
    summary: bool = False
    records: Path | None = None


def drop_in() -> DropIn:
    """How a program under `trivet.openai` is set up without editing it.

    `TRIVET_CACHE`, `TRIVET_TTL`, `TRIVET_BUDGET`, `TRIVET_RPM`, `TRIVET_TPM`, `TRIVET_CONCURRENCY` stand for arguments;
    `TRIVET_MODE=observe` measures and changes nothing; `TRIVET_SUMMARY=1` prints a summary when the program ends;
    `TRIVET_RECORDS` is a folder for records.
    """
    mode = _variable("TRIVET_MODE")
    if mode not in (None, "on", "observe"):
        raise SettingsError(f"TRIVET_MODE is {mode!r}, and takes observe")
    concurrency = _number("TRIVET_CONCURRENCY")
    records = _variable("TRIVET_RECORDS")
    return DropIn(
        cache=_variable("TRIVET_CACHE") or "memory://",
        budget=_variable("TRIVET_BUDGET"),
        ttl=_variable("TRIVET_TTL"),
        rpm=_number("TRIVET_RPM"),
        tpm=_number("TRIVET_TPM"),
        concurrency=None if concurrency is None else int(concurrency),
        observe=mode == "observe",
        summary=(_variable("TRIVET_SUMMARY") or "0").lower() not in ("0", "false", "no", "off"),
        records=None if records is None else Path(records).expanduser(),
    )


def _number(name: str) -> float | None:
    text = _variable(name)
    if text is None:
        return None
    if not _BARE.fullmatch(text):
        raise SettingsError(f"{name} is {text[:40]!r}, and must be a number")
    return float(text)
