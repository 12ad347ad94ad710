"""What a server and a key really show of the documented behaviours: a dozen small calls, no retries, no cache.

Every probe is one or two exchanges on the bare transport, below the engine, so that headers, status codes
and events are seen as they come. What a probe finds is a fact about one moment, not a guarantee.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from trivet.errors import ProtocolError, ProviderError, RequestError, TransportError
from trivet.settings import Endpoint
from trivet.transport.protocol import Transport
from trivet.types import Event, HttpCall, HttpReply, Reply, Timeouts
from trivet.wire import input_tokens, openai_responses
from trivet.wire.headers import rate_limits
from trivet.wire.stream import StreamReader

Shown = Literal["yes", "no", "differs"]

LONG_PREFIX = "You sort short notes into kinds. Rule {}: notes about topic {} belong to kind {}. "
"""Repeated to well over 1,024 tokens, the least that the provider's prompt cache looks at."""

WORST_INPUT_TOKENS, WORST_OUTPUT_TOKENS = 8_000, 400
"""What all probes together may be billed for at most, by their sizes and caps."""


class Finding(Struct, frozen=True, kw_only=True):
    """One behaviour: whether the server `shown` it, and what was seen."""

    behaviour: str
    shown: Shown
    detail: str


class Doctor:
    """Examines one endpoint with one model."""

    def __init__(self, transport: Transport, endpoint: Endpoint, model: str, timeout: float) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._model = model
        self._timeouts = Timeouts(connect=min(10.0, timeout), read=timeout, total=timeout)
        self._first: tuple[HttpReply, Reply] | None = None

    async def examine(self, tell: Callable[[Finding], None]) -> list[Finding]:
        """All findings, each told as it is made. Raises the first call's error: without it nothing can be learned."""
        findings: list[Finding] = []
        for behaviour, probe in self._probes():
            try:
                shown, detail = await probe()
            except RequestError as error:
                if not findings:
                    raise
                shown, detail = "no", str(error)
            finding = Finding(behaviour=behaviour, shown=shown, detail=detail)
            findings.append(finding)
            tell(finding)
        return findings

    def _probes(self) -> list[tuple[str, Callable[[], Awaitable[tuple[Shown, str]]]]]:
        return [
            ("answers a plain call", self._plain),
            ("names each reply (x-request-id)", self._request_id),
            ("counts tokens, cached and reasoning apart", self._usage),
            ("tells its limits in the headers", self._limits),
            ("streams, with text before the end", self._stream),
            ("keeps to a strict JSON schema", self._strict),
            ("refuses an invalid schema (400)", self._invalid_schema),
            ("cuts at max_output_tokens and says so", self._truncation),
            ("takes reasoning effort 'none'", self._effort),
            ("serves the flex tier", self._flex),
            ("counts input tokens without a call", self._count),
            ("caches long prompt prefixes", self._prompt_cache),
            ("refuses an unknown model (404)", self._unknown_model),
            ("refuses a wrong key (401)", self._wrong_key),
        ]

    async def _post(self, path: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> HttpReply:
        head, tail = openai_responses.encode(fields)
        return await self._transport.fetch(self._call(path, head + tail, headers))

    def _call(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> HttpCall:
        return HttpCall(
            method="POST",
            url=self._endpoint.url(path),
            headers=self._endpoint.headers() if headers is None else headers,
            body=body,
            timeouts=self._timeouts,
        )

    async def _ask(self, **fields: Any) -> tuple[HttpReply, Reply]:
        answer = await self._post(
            "/responses", {"model": self._model, "input": "Say OK.", "max_output_tokens": 16} | fields
        )
        return answer, openai_responses.decode(answer.status, answer.headers, answer.body)

    async def _plain(self) -> tuple[Shown, str]:
        clock = asyncio.get_running_loop().time
        began = clock()
        self._first = await self._ask()
        reply = self._first[1]
        served = f"{reply.model} answered in {clock() - began:.2f} s, status {reply.status}"
        return "yes", served + (" (simulated)" if reply.simulated else "")

    def _seen(self) -> tuple[HttpReply, Reply]:
        """The first call, which every later probe can rely on: without it there is none."""
        if self._first is None:
            raise ProtocolError("the first call brought nothing to look at")
        return self._first

    async def _request_id(self) -> tuple[Shown, str]:
        found = self._seen()[1].request_id
        return ("yes", found) if found else ("no", "no x-request-id header")

    async def _usage(self) -> tuple[Shown, str]:
        usage = msgspec.json.decode(self._seen()[0].body).get("usage") or {}
        missing = [
            name
            for name, present in {
                "usage": bool(usage),
                "cached_tokens": "cached_tokens" in (usage.get("input_tokens_details") or {}),
                "cache_write_tokens": "cache_write_tokens" in (usage.get("input_tokens_details") or {}),
                "reasoning_tokens": "reasoning_tokens" in (usage.get("output_tokens_details") or {}),
            }.items()
            if not present
        ]
        if not usage:
            return "no", "no usage in the reply: costs can't be known"
        seen = f"{usage.get('input_tokens')} in, {usage.get('output_tokens')} out"
        return ("differs", f"{seen}; missing: {', '.join(missing)}") if missing else ("yes", seen)

    async def _limits(self) -> tuple[Shown, str]:
        limits = rate_limits(self._seen()[0].headers)
        if limits is None or (limits.limit_requests is None and limits.limit_tokens is None):
            return "no", "no x-ratelimit headers: give --rpm and --tpm yourself"
        return "yes", f"{limits.limit_requests} requests and {limits.limit_tokens} tokens a minute"

    async def _stream(self) -> tuple[Shown, str]:
        clock = asyncio.get_running_loop().time
        head, tail = openai_responses.encode(
            {"model": self._model, "input": "Count from 1 to 9.", "max_output_tokens": 40, "stream": True}
        )
        began = clock()
        first: float | None = None
        events: list[Event] = []
        async with self._transport.stream(self._call("/responses", head + tail)) as answer:
            reader = StreamReader(answer.status, answer.headers)
            async for chunk in answer.chunks:
                for event in reader.feed(chunk):
                    events.append(event)
                    first = clock() - began if first is None and event.delta else first
            reader.finish()
        ended = clock() - began
        if first is None:
            return "differs", f"{len(events)} events, but no visible text before the end"
        return "yes", f"{len(events)} events; first text after {first:.2f} s of {ended:.2f} s"

    async def _strict(self) -> tuple[Shown, str]:
        schema = {
            "type": "object",
            "properties": {"kind": {"type": "string", "enum": ["fruit", "animal"]}},
            "required": ["kind"],
            "additionalProperties": False,
        }
        _, reply = await self._ask(input="What is a pear?", text={"format": _format(schema)}, max_output_tokens=40)
        try:
            kind = msgspec.json.decode(reply.text)["kind"]
        except (msgspec.DecodeError, KeyError, TypeError):
            return "no", f"answered {reply.text[:60]!r}"
        return ("yes", f"answered {kind!r}") if kind in ("fruit", "animal") else ("no", f"answered {kind!r}")

    async def _invalid_schema(self) -> tuple[Shown, str]:
        schema = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": []}
        return await self._refused(400, text={"format": _format(schema)})

    async def _truncation(self) -> tuple[Shown, str]:
        _, reply = await self._ask(input="Write the numbers from 1 to 100.", max_output_tokens=16)
        if reply.status == "incomplete" and reply.reason == "max_output_tokens":
            return "yes", f"incomplete after {reply.usage.output if reply.usage else '?'} tokens"
        return "differs", f"status {reply.status}, reason {reply.reason}"

    async def _effort(self) -> tuple[Shown, str]:
        _, reply = await self._ask(reasoning={"effort": "none"})
        reasoning = reply.usage.reasoning if reply.usage else None
        return ("yes", "no reasoning tokens") if not reasoning else ("differs", f"{reasoning} reasoning tokens")

    async def _flex(self) -> tuple[Shown, str]:
        _, reply = await self._ask(service_tier="flex")
        return ("yes", "served as flex") if reply.tier == "flex" else ("differs", f"served as {reply.tier}")

    async def _count(self) -> tuple[Shown, str]:
        answer = await self._post("/responses/input_tokens", {"model": self._model, "input": "Say OK."})
        counted = input_tokens.decode(answer.status, answer.headers, answer.body)
        usage = self._seen()[1].usage
        if usage is not None and usage.input != counted:
            return "differs", f"counts {counted}, billed {usage.input}"
        return "yes", f"{counted} tokens, as billed"

    async def _prompt_cache(self) -> tuple[Shown, str]:
        prefix = "".join(LONG_PREFIX.format(n, n * 7, n % 5) for n in range(90))
        cached = 0
        for question in ("Say one.", "Say two."):
            _, reply = await self._ask(input=prefix + question)
            cached = reply.usage.cached_input if reply.usage else 0
        total = reply.usage.input if reply.usage else 0
        if cached:
            return "yes", f"{cached} of {total} input tokens came cached the second time"
        return "no", f"none of {total} input tokens came cached the second time"

    async def _unknown_model(self) -> tuple[Shown, str]:
        return await self._refused(404, model="no-such-model-trivet")

    async def _wrong_key(self) -> tuple[Shown, str]:
        headers = self._endpoint.headers() | {"authorization": "Bearer sk-wrong-key-trivet"}
        return await self._refused(401, headers=headers)

    async def _refused(self, status: int, headers: Mapping[str, str] | None = None, **fields: Any) -> tuple[Shown, str]:
        body = {"model": self._model, "input": "Say OK.", "max_output_tokens": 16} | fields
        answer = await self._post("/responses", body, headers)
        try:
            openai_responses.decode(answer.status, answer.headers, answer.body)
        except ProviderError as error:
            return ("yes" if error.status == status else "differs"), f"{error.status} {error.code}"
        except TransportError:
            raise
        except RequestError as error:
            return "differs", str(error)
        return "no", "it answered as if nothing were wrong"


def _format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "name": "kind", "strict": True, "schema": schema}
