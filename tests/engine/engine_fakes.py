"""A scripted transport, real reply bodies, and a stack around them: fakes for the tests of the engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from trivet.engine.limit import Limits
from trivet.engine.send import SendConfig
from trivet.engine.stack import Clocks, Stack, StackConfig
from trivet.errors import TransportError, TrivetError
from trivet.limits.account import Account
from trivet.limits.backoff import Backoff
from trivet.prices.book import Book, standard_book
from trivet.settings import Endpoint
from trivet.store.memory import MemoryStore
from trivet.store.protocol import Store
from trivet.testing.virtual_time import run
from trivet.transport.protocol import TransportStatistics
from trivet.types import Accept, HttpCall, HttpReply, HttpStream, Reply, Request
from trivet.wire import openai_responses

T = TypeVar("T")

DAY = date(2026, 11, 23)
KEY = "sk-distinctive-api-key-7141"
MODEL = "gpt-5.4-mini"
ENDPOINT = Endpoint(base_url="https://api.example.com/v1", api_key=KEY)


def body(text: str = "billing", *, input_tokens: int = 20, output_tokens: int = 3, **changes: Any) -> bytes:
    """A response object as JSON; `changes` replace its fields, `...` leaves one out."""
    fields = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": MODEL,
        "service_tier": "default",
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }
        ],
        "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens},
    } | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def ok(text: str = "billing", **changes: Any) -> HttpReply:
    """A whole good reply."""
    return HttpReply(status=200, headers={"x-request-id": "req_1"}, body=body(text, **changes))


def fault(status: int, *, code: str | None = None, type: str = "x", message: str = "no", **headers: str) -> HttpReply:
    """An error reply as the provider writes it; header names with `_` for `-`."""
    error = {"message": message, "type": type, "param": None, "code": code}
    return HttpReply(
        status=status,
        headers={"x-request-id": "req_2"} | {name.replace("_", "-"): value for name, value in headers.items()},
        body=json.dumps({"error": error}).encode(),
    )


def refused(retry_after: float | None = None) -> HttpReply:
    """A 429 for pace."""
    headers = {} if retry_after is None else {"retry_after": f"{retry_after:g}"}
    return fault(429, code="rate_limit_exceeded", type="requests", **headers)


def broken(kind: Any = "reset", *, sent: bool = True) -> TransportError:
    """A failure of the transport."""
    return TransportError(f"the connection broke ({kind})", kind=kind, sent=sent)


def sse(*deltas: str, end: str = "completed", **changes: Any) -> list[bytes]:
    """The chunks of a streamed reply, one event each."""
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {"status": "in_progress"}}]
    events += [{"type": "response.output_text.delta", "delta": delta} for delta in deltas]
    whole = json.loads(body("".join(deltas), status=end, **changes))
    events.append({"type": f"response.{end}", "response": whole})
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


@dataclass
class After:
    """An outcome that takes `seconds`."""

    seconds: float
    outcome: HttpReply | TransportError


@dataclass
class Streamed:
    """A streamed outcome: bytes are sent, numbers are seconds between them, an error breaks it."""

    chunks: Iterable[bytes | float | TransportError]
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


Outcome = HttpReply | TransportError | After | Streamed


class ScriptedTransport:
    """Answers with the outcomes of its script in turn, and the last for ever; or by a function of the call."""

    def __init__(self, *outcomes: Outcome, answer: Callable[[HttpCall], Outcome] | None = None) -> None:
        self._outcomes = list(outcomes)
        self._answer = answer
        self.calls: list[HttpCall] = []
        self.times: list[float] = []
        self.open = self.most_open = self.cut = self.closed = 0

    def _next(self, call: HttpCall) -> Outcome:
        self.calls.append(call)
        self.times.append(asyncio.get_running_loop().time())
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        if self._answer is not None:
            return self._answer(call)
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]

    async def fetch(self, call: HttpCall) -> HttpReply:
        """The next outcome, after the time it takes."""
        outcome = self._next(call)
        try:
            if isinstance(outcome, After):
                await asyncio.sleep(outcome.seconds)
                outcome = outcome.outcome
            if isinstance(outcome, TransportError):
                raise _fresh(outcome)
            assert isinstance(outcome, HttpReply)
            return outcome
        except asyncio.CancelledError:
            self.cut += 1
            raise
        finally:
            self.open -= 1

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        """The next outcome as a stream."""
        return self._stream(call)

    @asynccontextmanager
    async def _stream(self, call: HttpCall) -> AsyncIterator[HttpStream]:
        outcome = self._next(call)
        if isinstance(outcome, HttpReply):
            outcome = Streamed([outcome.body], outcome.status, dict(outcome.headers))
        try:
            if isinstance(outcome, TransportError):
                raise _fresh(outcome)
            assert isinstance(outcome, Streamed)
            yield HttpStream(status=outcome.status, headers=outcome.headers, chunks=_chunks(outcome.chunks))
        except asyncio.CancelledError:
            self.cut += 1
            raise
        finally:
            self.open -= 1

    async def close(self) -> None:
        """Count it."""
        self.closed += 1

    def statistics(self) -> TransportStatistics:
        """Exchanges begun and open."""
        return TransportStatistics(exchanges=len(self.calls), connections=1, open=self.open)


def _fresh(error: TransportError) -> TransportError:
    """Layers write on errors, so each raise needs one of its own."""
    return TransportError(str(error), kind=error.kind, sent=error.sent)


async def _chunks(chunks: Iterable[bytes | float | TransportError]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        if isinstance(chunk, TransportError):
            raise _fresh(chunk)
        if isinstance(chunk, bytes):
            yield chunk
        else:
            await asyncio.sleep(chunk)


def accept(reply: Reply) -> str | None:
    """A plain contract: some text, and no refusal."""
    return None if reply.text.strip() and reply.refusal is None else "empty"


def request(text: str = "a ticket", *, stream: bool = False, accept: Accept = accept, **changes: Any) -> Request:
    """An encoded request; `changes` replace fields of the `Request`."""
    head, tail = openai_responses.encode(
        {"model": MODEL, "input": text, "max_output_tokens": 16} | ({"stream": True} if stream else {})
    )
    fields: dict[str, Any] = {"head": head, "tail": tail, "model": MODEL, "accept": accept, "max_output": 16}
    return Request(**(fields | changes))


def worst(asked: Request, book: Book | None = None) -> Decimal:
    """What the request can cost at most."""
    found = (book or standard_book()).worst_case(
        len(asked.head) + len(asked.tail), asked.max_output, model=asked.model, tier=asked.tier, day=DAY
    )
    assert found is not None
    return found


def price(input_tokens: int = 20, output_tokens: int = 3) -> Decimal:
    """What `body()` costs, by the list prices of the model: $0.75 and $4.50 a million tokens."""
    return (input_tokens * Decimal("0.75") + output_tokens * Decimal("4.5")) / 1_000_000


def memory() -> MemoryStore:
    """An empty store."""
    return MemoryStore(limit_bytes=10**9)


@dataclass
class Wall:
    """A wall clock that tests set."""

    now: float = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


def stack(
    transport: ScriptedTransport,
    *,
    store: Store | None = None,
    account: Account | None = None,
    limits: Limits | None = None,
    backoff: Backoff | None = None,
    send: SendConfig | None = None,
    deadline: float | None = None,
    ttl: float | None = None,
    endpoint: Endpoint = ENDPOINT,
    now: Callable[[], float] | None = None,
    draw: Callable[[], float] = lambda: 0.5,
    prices: Book | None = None,
) -> Stack:
    """All layers around a transport; a memory store, no budget and the defaults unless told otherwise."""
    config = StackConfig(
        endpoint=endpoint,
        limits=limits or Limits(),
        backoff=backoff or Backoff(),
        send=send or SendConfig(),
        deadline=deadline,
        ttl=ttl,
    )
    return Stack(
        config,
        transport=transport,
        store=store if store is not None else memory(),
        account=account or Account(None),
        prices=prices or standard_book(),
        clocks=Clocks(now=now or Wall(), today=lambda: DAY, draw=draw),
    )


async def all_of(works: Iterable[Awaitable[Any]]) -> list[Any]:
    """Results and exceptions, in order."""

    async def guarded(work: Awaitable[Any]) -> Any:
        try:
            return await work
        except (TrivetError, asyncio.CancelledError) as error:
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(guarded(work)) for work in works]
    return [task.result() for task in tasks]


def virtual(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main` in virtual time; no task may be left behind."""

    async def whole() -> T:
        result = await main
        await settle()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result

    return run(whole())


async def settle(steps: int = 20) -> None:
    """Let everything that can run without time passing run."""
    for _ in range(steps):
        await asyncio.sleep(0)
