"""The options that commands share, and the frozen config they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_origin, get_type_hints

import typer

from trivet.errors import SettingsError
from trivet.settings import default_cache_url, duration, money

TaskFile = Annotated[str, typer.Argument(metavar="TASK", help="The task file (TOML).", show_default=False)]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="JSONL, CSV, Parquet, text, a glob, or - for standard input.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
Model = Annotated[str | None, typer.Option("--model", metavar="NAME", help="The model, whatever the task says.")]
Sim = Annotated[bool, typer.Option("--sim", help="Use the built-in simulated provider; no key needed.")]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Any compatible server, like http://127.0.0.1:8000/v1."),
]
Cache = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="URL|off",
        help="Where answers are kept: sqlite:///path, redis://host:6379/0, memory://, off.",
    ),
]
Shared = Annotated[
    str | None,
    typer.Option("--shared", metavar="URL", help="Share limits and budget with other processes: redis://host/0."),
]
Ttl = Annotated[str | None, typer.Option("--ttl", metavar="7d", help="Answers older than this are asked again.")]
Budget = Annotated[str | None, typer.Option("--budget", metavar="5.00", help="US dollars that may be spent at most.")]
Concurrency = Annotated[
    str | None, typer.Option("--concurrency", metavar="N|auto", help="Requests at once at most (auto: learned).")
]
Rpm = Annotated[float | None, typer.Option("--rpm", metavar="N", help="Requests a minute at most.")]
Tpm = Annotated[float | None, typer.Option("--tpm", metavar="N", help="Tokens a minute at most.")]
Retries = Annotated[int | None, typer.Option("--retries", metavar="N", help="Retries of a failed request (5).")]
Timeout = Annotated[str | None, typer.Option("--timeout", metavar="60s", help="Time for one attempt (600s).")]
Tier = Annotated[str | None, typer.Option("--tier", metavar="standard|flex|fast", help="The provider's service tier.")]
Variant = Annotated[str | None, typer.Option("--variant", metavar="NAME", help="A variant of the task file.")]
Param = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="KEY=VALUE", help="A parameter for the provider; repeatable."),
]
Tag = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="KEY=VALUE", help="Put on every record, and in the bill by tag; repeatable."),
]
Log = Annotated[Path | None, typer.Option("--log", metavar="FILE", help="Structured log of every attempt, JSON lines.")]
AllowCode = Annotated[bool, typer.Option("--allow-code", help="Let the task file import the type it names.")]
First = Annotated[int | None, typer.Option("--first", metavar="N", min=0, help="Only the first N rows.")]
Sample = Annotated[int | None, typer.Option("--sample", metavar="N", min=0, help="Only a random N rows.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="S", help="The seed of --sample, and of the simulator.")]
Shard = Annotated[str | None, typer.Option("--shard", metavar="3/8", help="Only this part of the rows.")]
Map = Annotated[
    list[str] | None, typer.Option("--map", metavar="NAME=COLUMN", help="Template name = column; repeatable.")
]
Id = Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="The column that names a row.")]
Keep = Annotated[str | None, typer.Option("--keep", metavar="A,B", help="Columns copied to the results.")]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="jsonl|csv|...", help="The format of DATA, whatever its name says."),
]
Out = Annotated[Path | None, typer.Option("-o", "--out", metavar="OUT", help="Results: .jsonl, .csv or .parquet.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over; overwrite OUT.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Ask only the failed rows of the last run again.")]
KeepGoing = Annotated[bool, typer.Option("--keep-going", help="Go on even when 50 rows in a row fail alike.")]
Durable = Annotated[
    bool, typer.Option("--durable", help="Wait for the disk, so that a power cut loses nothing paid for either.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be asked, and ask nothing.")]
Write = Annotated[
    str | None,
    typer.Option("--write", metavar="NAME", help="Add the shorter prompt to the task file as this variant."),
]
UsageTier = Annotated[
    int | None, typer.Option("--usage-tier", metavar="1..5", help="The account's usage tier; else limits as learned.")
]
Deadline = Annotated[
    str | None, typer.Option("--deadline", metavar="06:00|6h", help="Say which tiers are in time, and with what.")
]
Pilot = Annotated[
    int | None, typer.Option("--pilot", metavar="30", min=1, help="Run so many rows for real, and measure; costs.")
]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where run folders are made.")]


T = TypeVar("T")

_ARGUMENTS = {"task": "TASK", "data": "DATA"}


def pick(cls: type[T], given: Mapping[str, Any]) -> T:
    """A frozen config from a command's arguments: each field by its name, nested configs likewise."""
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for item in fields(cast(Any, cls)):
        kind = hints[item.name]
        if is_dataclass(kind):
            values[item.name] = pick(cast(type[Any], kind), given)
        elif item.name in given:
            value = given[item.name]
            filled(_ARGUMENTS.get(item.name) or f"--{item.name.replace('_', '-')}", value)
            values[item.name] = tuple(value or ()) if get_origin(kind) is tuple else value
    return cls(**values)


def filled(option: str, value: object) -> None:
    """`SettingsError` where an option was given nothing: a shell variable that is not set, as a rule."""
    if any(isinstance(text, str) and not text.strip() for text in (value if isinstance(value, list) else [value])):
        raise SettingsError(f"{option} is empty: give it a value, or leave it out")


def listed(option: str, text: str) -> tuple[str, ...]:
    """The names in `a,b`."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise SettingsError(f"{option} {text}: write names with a comma between two of them, like {option} a,b")
    once(option, names)
    return tuple(names)


def once(option: str, names: list[str]) -> None:
    """`SettingsError` where a name stands twice, so that one of the two would count for nothing."""
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise SettingsError(f"{option} names {twice!r} twice: which is meant?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """Which task, and what of it is overridden."""

    task: str
    model: str | None = None
    variant: str | None = None
    param: tuple[str, ...] = ()
    tier: str | None = None
    allow_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Which rows."""

    data: str
    format: str | None = None
    first: int | None = None
    sample: int | None = None
    seed: int | None = None
    shard: str | None = None
    map: tuple[str, ...] = ()
    id: str | None = None
    keep: str | None = None

    def kept(self) -> tuple[str, ...]:
        """The columns to copy."""
        return () if self.keep is None else listed("--keep", self.keep)

    def mapping(self) -> dict[str, str]:
        """Template name to column."""
        pairs = [pair.partition("=") for pair in self.map]
        for name, equals, column in pairs:
            if not (name and equals and column):
                raise SettingsError(f"--map {name}{equals}{column}: write it as template_name=column")
        once("--map", [name for name, _, _ in pairs])
        return {name: column for name, _, column in pairs}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How a command that calls a model reaches it."""

    sim: bool = False
    base_url: str | None = None
    cache: str | None = None
    shared: str | None = None
    ttl: str | None = None
    budget: str | None = None
    concurrency: str | None = None
    rpm: float | None = None
    tpm: float | None = None
    retries: int | None = None
    timeout: str | None = None
    seed: int | None = None
    tag: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.tags()
        if self.sim and self.base_url:
            raise SettingsError("--sim and --base-url exclude each other: which server is meant?")
        if self.budget is not None:
            money(self.budget)
        for text in (self.ttl, self.timeout):
            if text is not None:
                duration(text)
        if self.retries is not None and self.retries < 0:
            raise SettingsError(f"--retries {self.retries}: a number from 0 on")
        if self.ttl is not None and self.cache_url() is None:
            raise SettingsError(f"--ttl {self.ttl} does nothing without a cache: name one (--cache URL)")
        self.workers()

    def workers(self) -> int | None:
        """Requests at once; None for the default."""
        if self.concurrency in (None, "auto"):
            return None
        if not (self.concurrency or "").isascii() or not (self.concurrency or "").isdigit() or self.concurrency == "0":
            raise SettingsError(f"--concurrency {self.concurrency}: write a number from 1 on, or auto")
        if len(self.concurrency or "") > 5:
            raise SettingsError(f"--concurrency {self.concurrency}: more than 99,999 calls at once fit no machine")
        return int(self.concurrency or 0)

    def tags(self) -> dict[str, str]:
        """What the user calls the calls, by name."""
        pairs = [pair.partition("=") for pair in self.tag]
        for name, equals, value in pairs:
            if not (name and equals):
                raise SettingsError(f"--tag {name}{equals}{value}: write it as key=value, like --tag team=search")
        once("--tag", [name for name, _, _ in pairs])
        return {name: value for name, _, value in pairs}

    def cache_url(self) -> str | None:
        """The cache of this command; None for off."""
        url = self.cache or default_cache_url()
        return None if url == "off" else url


def check_seed(data: DataOptions, calls: CallOptions) -> None:
    """`SettingsError` where there is a seed and nothing is drawn."""
    if calls.seed is not None and data.sample is None and not calls.sim:
        raise SettingsError(f"--seed {calls.seed} does nothing without --sample N (or --sim)")
