"""The provider's prompt cache: which part of an input is read from it, which is written, and for how long.

    exact    GPT-5.6 and later: a prefix ends exactly at a breakpoint, which is the end of the latest
             message or an explicit one; writes are billed
    wide     GPT-5.5: prefixes at multiples of 2,048 tokens, reported rounded down to 128; writes are free
    blocks   earlier models: at multiples of 128, writes are free

From 1,024 tokens on (provider's documentation, prompt caching). A prefix is there once the reply that
wrote it has begun. Model, tools, format, effort and verbosity are part of every prefix.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from trivet import tokens
from trivet.sim import constants
from trivet.sim.request import Call
from trivet.sim.usage import Input


class CacheUse(Struct, frozen=True, kw_only=True):
    """Input tokens read from the cache, and written to it for 30 minutes and 12 hours."""

    read: int = 0
    written: int = 0
    written_12h: int = 0


class _Prefix(Struct, frozen=True, kw_only=True):
    """A place where a prefix may end: its digest, length in tokens and time to live in seconds."""

    digest: bytes
    length: int
    ttl: float


class PromptCache:
    """Prefixes by digest, each with when it is ready and when it ends; the longest unused go first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def use(self, call: Call, size: Input, now: float, ready: float) -> CacheUse:
        """What this request reads and writes; `ready` is when what it writes can be read."""
        if size.total < constants.CACHE_MIN.value:
            return CacheUse()
        if call.model.cache == "exact":
            return self._use_exact(call, size, now, ready)
        return self._use_blocks(call, now, ready)

    def _use_exact(self, call: Call, size: Input, now: float, ready: float) -> CacheUse:
        options = call.body.get("prompt_cache_options") or {}
        explicit_only = options.get("mode") == "explicit"
        places = [place for place in _messages(call, size) if place[0].length >= constants.CACHE_MIN.value]
        read = 0
        for prefix, _ in reversed(places[-constants.CACHE_LOOKED_AT.value :]):
            if self._alive(prefix.digest, now):
                self._keep(prefix, now, ready)
                read = prefix.length
                break
        marked = [prefix for prefix, explicit in places if explicit]
        if places and not explicit_only:
            marked.append(places[-1][0])
        written: dict[bool, int] = {False: 0, True: 0}
        reached = read
        for prefix in marked[-constants.CACHE_WRITES.value :]:
            if prefix.length > reached:
                written[prefix.ttl == constants.CACHE_TTL_12H.value] += prefix.length - reached
                reached = prefix.length
                self._keep(prefix, now, ready)
        return CacheUse(read=read, written=written[False], written_12h=written[True])

    def _use_blocks(self, call: Call, now: float, ready: float) -> CacheUse:
        wide = call.model.cache == "wide"
        step = constants.CACHE_WIDE.value if wide else constants.CACHE_BLOCK.value
        ttl = constants.CACHE_TTL.value if wide else constants.CACHE_TTL_MEMORY.value
        if call.body.get("prompt_cache_retention") == "24h":
            ttl = constants.CACHE_TTL_DAY.value
        read, matching = 0, True
        for prefix in _blocks(call, step, ttl):
            if prefix.length < constants.CACHE_MIN.value:
                continue
            matching = matching and self._alive(prefix.digest, now)
            read = prefix.length if matching else read
            self._keep(prefix, now, ready)
        return CacheUse(read=read - read % constants.CACHE_BLOCK.value)

    def _alive(self, digest: bytes, now: float) -> bool:
        ready, ends = self._entries.get(digest, (0.0, -1.0))
        return ready <= now <= ends

    def _keep(self, prefix: _Prefix, now: float, ready: float) -> None:
        known = self._entries.pop(prefix.digest, None)
        if known is not None and known[1] >= now:
            ready = min(known[0], ready)
        self._entries[prefix.digest] = (ready, max(now, ready) + prefix.ttl)
        if len(self._entries) > constants.CACHE_ENTRIES.value:
            self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)


def _root(call: Call) -> bytes:
    body = call.body
    parts = [
        call.model.id,
        body.get("tools"),
        body.get("parallel_tool_calls"),
        call.format,
        call.effort,
        call.verbosity,
        body.get("prompt_cache_key"),
    ]
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).digest()


def _messages(call: Call, size: Input) -> Iterator[tuple[_Prefix, bool]]:
    """The end of each message as a prefix, and whether an explicit breakpoint stands there."""
    running = hashlib.blake2b(_root(call), digest_size=16)
    inherited = (call.body.get("prompt_cache_options") or {}).get("ttl") or "30m"
    parts: list[tuple[str, str, str | None]] = []
    if call.instructions:
        parts.append(("instructions", call.instructions, None))
    parts += [(message.role, message.text, message.breakpoint) for message in call.messages]
    for (role, text, mark), length in zip(parts, size.ends, strict=True):
        running.update(f"{role}\0{len(text)}\0{text}".encode("utf-8", "surrogatepass"))
        ttl = constants.CACHE_TTL_12H.value if (mark or inherited) == "12h" else constants.CACHE_TTL.value
        yield _Prefix(digest=running.digest(), length=length, ttl=ttl), mark is not None


def _blocks(call: Call, step: int, ttl: float) -> Iterator[_Prefix]:
    """The prefixes at multiples of `step` tokens."""
    running = hashlib.blake2b(_root(call), digest_size=16)
    stream: list[int] = []
    for role, text in (("instructions", call.instructions or ""), *((m.role, m.text) for m in call.messages)):
        bounds = [len(role)] * constants.MESSAGE_TOKENS.value
        stream += bounds + tokens.encode(text) if text else []
    for end in range(step, len(stream) + 1, step):
        running.update(",".join(map(str, stream[end - step : end])).encode())
        yield _Prefix(digest=running.digest(), length=end, ttl=ttl)
