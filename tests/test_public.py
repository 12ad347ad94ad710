"""The public surface: what `import trivet` offers, and what it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys

import trivet
from trivet.client.options import ClientOptions

NAMES = [
    "AsyncClient",
    "AsyncRun",
    "Client",
    "Comparison",
    "Event",
    "Explanation",
    "Labels",
    "Limits",
    "Reply",
    "Result",
    "Run",
    "Schema",
    "Summary",
    "Task",
    "Text",
    "Usage",
    "compare",
    "errors",
    "explain",
    "lint",
    "report",
    "sim",
]

HEAVY = (
    *("aiohttp", "uvloop", "jinja2", "pydantic", "rich", "typer", "structlog", "tiktoken", "jsonschema_rs"),
    *("uvicorn", "duckdb", "openai", "sqlite3", "asyncio", "msgspec"),
)


def test_the_public_names_are_these() -> None:
    """A name that users may rely on is added or removed on purpose."""
    assert trivet.__all__ == NAMES


def test_every_public_name_exists() -> None:
    """Each name resolves, and each is listed by dir()."""
    for name in NAMES:
        assert getattr(trivet, name) is not None
        assert name in dir(trivet)


def test_importing_loads_nothing_heavy() -> None:
    """`import trivet` defines names and nothing else."""
    code = f"import sys, trivet; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_loads_no_engine() -> None:
    """`trivet --help` does not pay for what it does not use."""
    code = (
        "import sys, runpy\n"
        "sys.argv = ['trivet', '--help']\n"
        "try: runpy.run_module('trivet', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([m for m in ('aiohttp', 'jinja2', 'asyncio', 'uvloop', 'sqlite3') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_both_clients_take_the_same_options() -> None:
    """The options that the blocking door passes on are those that the client takes."""
    taken = set(inspect.signature(trivet.AsyncClient).parameters)
    assert taken == set(ClientOptions.__annotations__)


def test_both_clients_offer_the_same_calls() -> None:
    """`Client` and `AsyncClient` do not drift apart."""
    for name in ("respond", "stream", "map"):
        ours = inspect.signature(getattr(trivet.AsyncClient, name)).parameters
        door = inspect.signature(getattr(trivet.Client, name)).parameters
        takes_all = any(p.kind is p.VAR_KEYWORD for p in door.values())
        assert takes_all or set(door) == set(ours), name
