"""Plain data that every room knows: a request and its reply, attempts, usage, HTTP exchanges.

All are frozen and keyword-only. Durations are seconds, money is US dollars as `Decimal`, text is `str`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

Source = Literal["provider", "cache", "coalesced"]


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens as the provider bills them: `cached_input` and the cache writes are parts of `input`."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0  # written for 30 minutes
    cache_write_12h: int = 0
    output: int = 0
    reasoning: int = 0  # part of `output`


class RateLimits(Struct, frozen=True, kw_only=True):
    """What the `x-ratelimit-*` headers of a reply said; `reset_*` in seconds from the reply."""

    limit_requests: int | None = None
    limit_tokens: int | None = None
    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    reset_requests: float | None = None
    reset_tokens: float | None = None


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One HTTP exchange. `latency` from its permit to its last byte; `error` is a code, never a body.

    `began`: seconds from the call's turn to this attempt's permit, where the call took more than this one.
    """

    latency: float
    status: int | None = None
    error: str | None = None
    ttft: float | None = None
    queued: float = 0.0
    request_id: str | None = None
    usage: Usage | None = None
    cost: Decimal | None = Decimal(0)
    possibly_billed: bool = False
    began: float | None = None


def total(attempts: tuple[Attempt, ...]) -> Decimal | None:
    """US dollars of all attempts; None where the cost of one of them is not known."""
    sum_ = Decimal(0)
    for attempt in attempts:
        if attempt.cost is None:
            return None
        sum_ += attempt.cost
    return sum_


class Reply(Struct, frozen=True, kw_only=True):
    """One request's answer, whatever it took.

    `text`: the visible output, joined. `status`: completed | incomplete | failed | ...; `reason`: why it is
    incomplete or failed. `refusal`: the model's words when it refused. `body`: the response object as it
    came (JSON bytes). `latency`: from its turn to its last byte, `queued` (waiting for a permit) kept apart;
    of a hit, the time of the hit. `ttft`: from the send to the first visible delta, streams only.
    `cost`: of all billed attempts; None where a price or the usage is not known. `saved`: what a hit would
    have cost. `stored_at`: Unix time when a hit was stored. `simulated`: answered by the simulated provider.
    `raw`: the HTTP reply as it came, for a door that hands it on; never stored.
    """

    text: str
    status: str
    model: str
    id: str = ""
    reason: str | None = None
    refusal: str | None = None
    usage: Usage | None = None
    tier: str | None = None
    body: bytes = b""
    request_id: str | None = None
    limits: RateLimits | None = None
    simulated: bool = False
    has_other_output: bool = False  # tool calls and the like: output that is neither text nor reasoning
    source: Source = "provider"
    attempts: tuple[Attempt, ...] = ()
    latency: float = 0.0
    queued: float = 0.0
    ttft: float | None = None
    cost: Decimal | None = None
    saved: Decimal | None = None
    stored_at: float | None = None
    raw: Any = None


class Event(Struct, frozen=True, kw_only=True):
    """One event of a streamed reply. `type` is the provider's name; `delta` the visible text it adds.

    The last event carries the whole `reply`.
    """

    type: str
    delta: str = ""
    data: bytes = b""
    reply: Reply | None = None


Accept = Callable[[Reply], str | None]
"""The contract a request carries: None when the reply is a result, else the reason why it is not."""


Journal = Callable[["Request", Attempt | None], Awaitable[None] | None]
"""Is told of a request's attempts: None before one is sent, which waits for what is returned; a failed one after."""


class Request(Struct, frozen=True, kw_only=True):
    """One call to a model, encoded.

    The bytes sent are `head + tail`: `head` holds every field that can change the answer and is what the
    cache key is made of, `tail` the named neutral ones. `fold`: the head with white space and Unicode form
    folded, for tasks that ask for the normalised key; `key` is set on the way. `max_output`: the cap sent, in
    tokens, or None. `watch`: is called with each event of a streamed answer; None asks for a whole body.
    `label` names the request in logs; `characters` of prompt and instructions are for measurements.
    `timeout`: seconds one attempt may take. `journal`: is told of each attempt. `retries`: how often it may be sent
    again, whatever for; None leaves it to the client. `exchange`: makes its attempts, where they are not ours to make.
    `apart`: only requests that agree in it share a flight. `free`: the provider bills nothing for it. `choices`:
    answers asked for at once.
    """

    head: bytes
    tail: bytes
    model: str
    accept: Accept
    path: str = "/responses"
    max_output: int | None = None
    tier: str | None = None
    sample: int = 0
    fold: bytes | None = None
    version: int = 0
    cacheable: bool = True
    key: bytes = b""
    timeout: float | None = None
    watch: Callable[[Event], None] | None = None
    journal: Journal | None = None
    label: str = ""
    characters: int = 0
    tags: Mapping[str, str] = {}
    retries: int | None = None
    exchange: Any = None
    apart: bytes = b""
    free: bool = False
    choices: int = 1


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds: to connect (DNS, TCP, TLS), between two reads, and for the whole exchange."""

    connect: float = 10.0
    read: float = 600.0
    total: float = 600.0


class HttpCall(Struct, frozen=True, kw_only=True):
    """One HTTP exchange to make. Header names are lower-case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeouts: Timeouts = Timeouts()

    def __repr__(self) -> str:
        return f"HttpCall({self.method} {self.url}, {len(self.body)} bytes)"  # the headers hold the key


class HttpReply(Struct, frozen=True, kw_only=True):
    """A whole HTTP reply, its content encoding undone. Header names are lower-case.

    `first_byte`: seconds from the send to the first byte of the reply, where the transport knows it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    first_byte: float | None = None


class HttpStream(Struct, frozen=True, kw_only=True):
    """A reply whose body is still coming; `chunks` yields bytes as they arrive. `first_byte`: see `HttpReply`."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
    first_byte: float | None = None


JsonObject = dict[str, Any]
