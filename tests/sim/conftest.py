"""What the tests of the simulator share: a core to ask, a server on a socket, a loop whose time is virtual."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trivet import sim
from trivet.sim.core import Core
from trivet.sim.exchange import Exchange
from trivet.sim.scenario import Scenario

HEADERS = {"authorization": "Bearer any", "content-type": "application/json"}
LABELS = "billing, technical_support, account_access, general_inquiry"
PROMPT = f"Classify the support ticket into one of: {LABELS}.\nReturn only the label.\n\nTicket:\n"


class Asked:
    """An exchange played out: status, headers, raw body, and the body's JSON."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.status = exchange.status
        self.headers = exchange.headers
        self.chunks = list(exchange.chunks)
        self.raw = b"".join(data for _, data in self.chunks)
        self.at = self.chunks[-1][0] if self.chunks else 0.0

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def text(self) -> str:
        return self.json["output"][-1]["content"][0]["text"]

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]

    @property
    def events(self) -> list[dict[str, Any]]:
        blocks = self.raw.decode().split("\n\n")
        return [json.loads(block.split("data: ", 1)[1]) for block in blocks if block]


class Provider:
    """A core in this process, asked by keyword."""

    def __init__(self, **knobs: Any) -> None:
        self.core = Core(Scenario(**{"time_scale": 0, **knobs}))
        self.now = 1_790_000_000.0

    def post(self, path: str, body: dict[str, Any] | bytes) -> Asked:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked = Asked(self.core.handle("POST", path, HEADERS, raw, self.now))
        if asked.exchange.generation:
            self.core.left(delivered=True)
        return asked

    def ask(self, text: Any = "Hello", /, **fields: Any) -> Asked:
        return self.post("/v1/responses", {"model": "gpt-5.4-mini", "input": text, **fields})

    def get(self, path: str, method: str = "GET") -> Asked:
        return Asked(self.core.handle(method, path, HEADERS, b"", self.now))


@pytest.fixture
def provider() -> Callable[..., Provider]:
    return Provider


@pytest.fixture(scope="session")
def server() -> Iterator[sim.Simulator]:
    """One simulated provider on a real socket that answers at once."""
    with sim.start(sim.Scenario(time_scale=0)) as running:
        yield running


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        inner = self._selector.select

        def select(timeout: float | None) -> Any:
            if timeout:
                self._now += timeout
            return inner(0)

        self._selector.select = select  # type: ignore[method-assign]

    def time(self) -> float:
        return self._now


@pytest.fixture
def virtual() -> Callable[[Any], Any]:
    """Runs a coroutine in virtual time."""

    def run(coroutine: Any) -> Any:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(coroutine)

    return run
