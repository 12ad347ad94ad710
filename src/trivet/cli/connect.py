"""A client from the options of a command; with `--sim`, and the simulated provider it talks to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trivet.cli.options import CallOptions
from trivet.client.client import AsyncClient
from trivet.engine.limit import MOST, Limits
from trivet.settings import has_key
from trivet.transport.descriptors import allow_connections

if TYPE_CHECKING:
    from trivet.sim.scenario import Scenario

SIMULATED_TIER = 3
"""The usage tier of the account that `--sim` and `trivet sim` stand for: a young, paying one."""


@contextmanager
def server(options: CallOptions) -> Iterator[dict[str, Any]]:
    """Where to send requests: arguments for a client. The simulator lives as long as the context."""
    if not options.sim:
        yield {"base_url": options.base_url}
        return
    from trivet import sim

    with sim.start(_scenario(options)) as simulator:
        yield {"base_url": simulator.url, "simulated": simulator.identity}


@contextmanager
def unasked(options: CallOptions) -> Iterator[dict[str, Any]]:
    """The same for a command that sends nothing: no simulator is started, and no key is needed."""
    if options.sim:
        yield {"base_url": "http://simulated.invalid/v1", "simulated": _scenario(options).identity()}
    else:
        yield {"base_url": options.base_url, **({} if has_key() else {"api_key": "none"})}


def _scenario(options: CallOptions) -> Scenario:
    from trivet.sim.scenario import Scenario

    return Scenario(seed=options.seed or 0, tier=SIMULATED_TIER)


def client(options: CallOptions, where: dict[str, Any], **more: Any) -> AsyncClient:
    """The client that the options describe; what they leave open is the client's own default."""
    given: dict[str, Any] = {
        "shared": options.shared,
        "ttl": options.ttl,
        "budget": options.budget,
        "retries": options.retries,
        "timeout": options.timeout,
        "limits": _limits(options),
        "tags": options.tags(),
    }
    return AsyncClient(**where, **{k: v for k, v in given.items() if v is not None}, **more)


def _limits(options: CallOptions) -> Limits:
    workers = options.workers()
    allow_connections(workers or MOST)
    return Limits(concurrency=workers, rpm=options.rpm, tpm=options.tpm)
