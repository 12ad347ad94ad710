"""The innermost call: one attempt, one HTTP exchange, one decoded reply.

Every attempt is logged at debug level on the logger `trivet.attempts`: ids, status, times and tokens; never a
prompt, an answer or a key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from msgspec.structs import replace

from trivet.engine.attempts import CancelledInQueue, Interrupted
from trivet.errors import ProviderError, RequestError, SettingsError
from trivet.settings import Endpoint
from trivet.transport.protocol import Transport
from trivet.types import Attempt, Event, HttpCall, Journal, Reply, Request, Timeouts
from trivet.wire import openai_responses
from trivet.wire.stream import StreamReader

_DRAIN = 0.05
"""Seconds that the end of a stream may take after its last event."""

log = logging.getLogger("trivet.attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendConfig:
    """`timeout`: seconds for one attempt, from its permit to its last byte; `connect`: to connect."""

    timeout: float = 600.0
    connect: float = 10.0

    def __post_init__(self) -> None:
        if not self.timeout > 0 or not self.connect > 0:
            raise SettingsError(f"timeout is {min(self.timeout, self.connect):g} s, and must be above 0")


class Send:
    """Sends over a transport to one endpoint; `now`: Unix time, for a wait that is told as a date."""

    def __init__(self, transport: Transport, endpoint: Endpoint, config: SendConfig, now: Callable[[], float]) -> None:
        self._transport = transport
        self._now = now
        self._config = config
        self._headers = endpoint.headers()
        self._stream_headers = self._headers | {"accept": "text/event-stream"}
        self._url = lru_cache(maxsize=16)(endpoint.url)
        self._timeouts = lru_cache(maxsize=16)(self._timeouts_within)

    async def __call__(self, request: Request) -> Reply:
        """One attempt; the reply or the error carries its `Attempt`."""
        if request.journal is not None:
            written = request.journal(request, None)
            if written is not None:
                await _announced(request, request.journal, written)
        clock = asyncio.get_running_loop().time
        began = clock()
        call = self._call(request)
        try:
            ttft: float | None = None
            if request.watch is None:
                answer = await self._transport.fetch(call)
                reply = openai_responses.decode(answer.status, answer.headers, answer.body, self._now())
            else:
                reply, ttft = await self._stream(call, request.watch, began)
        except RequestError as error:
            attempt = _failed(error, clock() - began)
            error.attempts = (attempt,)
            _debug(request, attempt)
            raise
        except asyncio.CancelledError as cancelled:
            attempt = Attempt(latency=clock() - began, error="cancelled", cost=None, possibly_billed=True)
            _debug(request, attempt)
            raise Interrupted(*cancelled.args, attempts=(attempt,)) from None
        attempt = Attempt(
            latency=clock() - began,
            status=200,
            ttft=ttft,
            request_id=reply.request_id,
            usage=reply.usage,
        )
        _debug(request, attempt)
        return replace(reply, attempts=(attempt,), ttft=ttft)

    def _call(self, request: Request) -> HttpCall:
        return HttpCall(
            method="POST",
            url=self._url(request.path),
            headers=self._headers if request.watch is None else self._stream_headers,
            body=request.head + request.tail,
            timeouts=self._timeouts(request.timeout or self._config.timeout),
        )

    def _timeouts_within(self, total: float) -> Timeouts:
        return Timeouts(connect=min(self._config.connect, total), read=total, total=total)

    async def _stream(self, call: HttpCall, watch: Callable[[Event], None], began: float) -> tuple[Reply, float | None]:
        clock = asyncio.get_running_loop().time
        ttft: float | None = None
        seen = False
        reader: StreamReader | None = None
        try:
            async with self._transport.stream(call) as answer:
                reader = StreamReader(answer.status, answer.headers)
                async for chunk in answer.chunks:
                    for event in reader.feed(chunk):
                        if event.reply is not None:
                            continue  # the door hands out the last event, with the finished reply
                        if event.delta and ttft is None:
                            ttft = clock() - began
                        seen = True
                        watch(event)
                    if reader.done:
                        await _drain(answer.chunks)
                        break
                return reader.finish(self._now()), ttft
        except RequestError as error:
            if reader is not None and reader.done:
                return reader.finish(), ttft  # a connection that breaks behind the answer does not take it along
            if seen:
                error.retryable = False  # what was handed out can't be taken back
            raise


async def _announced(request: Request, journal: Journal, written: Awaitable[None]) -> None:
    """Wait until it is written down that an attempt is about to be sent; whoever is cut off meanwhile sent nothing."""
    try:
        await written
    except asyncio.CancelledError as cancelled:
        journal(request, Attempt(latency=0.0, error="cancelled"))
        raise CancelledInQueue(*cancelled.args) from None


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read past the end of the answer, so that its connection can serve again; a server may leave it open, though."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN):
            async for _ in chunks:
                pass


def _failed(error: RequestError, latency: float) -> Attempt:
    provider = error if isinstance(error, ProviderError) else None
    return Attempt(
        latency=latency,
        status=provider.status if provider else None,
        error=error.code,
        request_id=provider.request_id if provider else None,
        usage=error.usage,
        cost=None if error.possibly_billed else Decimal(0),
        possibly_billed=error.possibly_billed and error.usage is None,  # told what it took, it is surely billed
    )


def _debug(request: Request, attempt: Attempt) -> None:
    if not log.isEnabledFor(logging.DEBUG):
        return
    usage = attempt.usage
    log.debug(
        "attempt",
        extra={
            "request": request.label,
            "key": request.key.hex()[:16],
            "model": request.model,
            "status": attempt.status,
            "error": attempt.error,
            "request_id": attempt.request_id,
            "latency_s": round(attempt.latency, 6),
            "ttft_s": attempt.ttft,
            "input_tokens": usage.input if usage else None,
            "output_tokens": usage.output if usage else None,
            "body_bytes": len(request.head) + len(request.tail),
        },
    )
