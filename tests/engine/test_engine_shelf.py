"""What is kept, what is found again, and what a store that fails does."""

from __future__ import annotations

import logging
import struct
import zlib
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from engine_fakes import (
    ScriptedTransport,
    Streamed,
    Wall,
    accept,
    all_of,
    memory,
    ok,
    price,
    request,
    sse,
    stack,
    virtual,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from trivet.engine.shelf import Shelf, decode, encode
from trivet.errors import MachineError, TrivetError
from trivet.limits.backoff import Backoff
from trivet.store.memory import MemoryStore
from trivet.store.protocol import Store, StoreStatistics
from trivet.types import RateLimits, Reply, Usage

REFUSAL = [{"type": "message", "content": [{"type": "refusal", "refusal": "I can't."}]}]
CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
FILTERED = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}


@pytest.mark.parametrize(
    ("text", "changes", "kept"),
    [
        ("billing", {}, True),
        ("billing", {"status": ...}, True),
        ("billing", CUT, False),
        ("billing", FILTERED, False),
        ("billing", {"status": "failed", "error": {"code": "server_error", "message": "x"}}, False),
        ("billing", {"status": "in_progress"}, False),
        ("billing", {"status": "queued"}, False),
        ("billing", {"status": "cancelled"}, False),
        ("billing", {"status": "something new"}, False),
        ("", {}, False),
        (" \n\t", {}, False),
        ("x", {"output": []}, False),
        ("x", {"output": REFUSAL}, False),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_only_a_completed_reply_that_the_request_accepts_is_kept(
    text: str, changes: dict[str, Any], kept: bool, stream: bool
) -> None:
    async def main() -> None:
        store = memory()
        whole = ok(text, **changes)
        if stream:
            kind = changes.get("status", "completed")
            kind = kind if kind in ("incomplete", "failed") else "completed"
            event = b'{"type":"response.%b","response":%b}' % (kind.encode(), whole.body)
            transport = ScriptedTransport(Streamed([b"data: " + event + b"\n\n"]))
        else:
            transport = ScriptedTransport(whole)
        layers = stack(transport, store=store, backoff=Backoff(retries=0))
        if stream:
            await all_of([_drain(layers.stream(request(stream=True)))])
        else:
            await all_of([layers(request())])
        assert (store.statistics().entries == 1) is kept

    virtual(main())


async def _drain(events: Any) -> None:
    async for _ in events:
        pass


def test_a_reply_that_the_contract_refuses_is_not_kept_and_still_returned() -> None:
    async def main() -> None:
        store = memory()
        layers = stack(ScriptedTransport(ok("not a label")), store=store)
        reply = await layers(request(accept=lambda reply: "not one of the labels"))
        assert reply.text == "not a label"
        assert store.statistics().entries == 0

    virtual(main())


def test_an_entry_that_a_stricter_contract_refuses_is_a_miss() -> None:
    async def main() -> None:
        transport, store = ScriptedTransport(ok("loose"), ok("strict")), memory()
        layers = stack(transport, store=store)
        await layers(request())
        reply = await layers(request(accept=lambda reply: None if reply.text == "strict" else "no"))
        assert (reply.text, reply.source) == ("strict", "provider")
        assert (await layers(request())).text == "strict"

    virtual(main())


def test_a_hit_is_marked_dated_free_and_says_what_it_saved() -> None:
    async def main() -> None:
        wall, store = Wall(), memory()
        first = await stack(ScriptedTransport(ok()), store=store, now=wall)(request())
        stored_at = wall.now
        wall.now += 3600
        hit = await stack(ScriptedTransport(ok()), store=store, now=wall)(request())
        assert hit == replace(
            first,
            source="cache",
            attempts=(),
            cost=Decimal(0),
            saved=price(),
            stored_at=stored_at,
            latency=0.0,
        )

    virtual(main())


def test_what_a_hit_saved_is_unknown_where_its_price_is() -> None:
    async def main() -> None:
        layers = stack(ScriptedTransport(ok(model="nobody-knows")))
        asked = request(model="nobody-knows")
        assert (await layers(asked)).cost is None
        hit = await layers(asked)
        assert (hit.source, hit.cost, hit.saved) == ("cache", Decimal(0), None)

    virtual(main())


@pytest.mark.parametrize(("age", "source"), [(0.0, "cache"), (60.0, "cache"), (60.1, "provider")])
def test_time_to_live_is_checked_on_read(age: float, source: str) -> None:
    async def main() -> None:
        wall, store = Wall(), memory()
        await stack(ScriptedTransport(ok()), store=store, now=wall)(request())
        wall.now += age
        reply = await stack(ScriptedTransport(ok()), store=store, now=wall, ttl=60.0)(request())
        assert reply.source == source

    virtual(main())


def _reply() -> Reply:
    return Reply(
        text="שלום 😀 \x00",
        status="completed",
        model="m",
        id="resp_1",
        usage=Usage(input=3, output=2),
        body=b'{"a": 1}',
        has_other_output=True,
        simulated=True,
        limits=RateLimits(limit_requests=1),
        cost=Decimal("0.1"),
    )


def test_an_entry_round_trips_all_but_what_belongs_to_the_first_call() -> None:
    found = decode(encode(_reply(), 12.5))
    assert found == (replace(_reply(), limits=None, cost=None), 12.5)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_entry_are_a_miss(entry: bytes) -> None:
    assert decode(entry) is None


@given(st.data())
def test_an_entry_with_any_byte_changed_or_cut_is_a_miss(data: st.DataObject) -> None:
    entry = encode(_reply(), 12.5)
    place = data.draw(st.integers(0, len(entry) - 1))
    other = data.draw(st.integers(1, 255))
    changed = bytearray(entry)
    changed[place] ^= other
    assert decode(bytes(changed)) is None
    assert decode(entry[:place]) is None
    assert decode(entry + b"\0") is None


def test_an_entry_of_another_version_is_a_miss() -> None:
    assert decode(b"T2" + encode(_reply(), 12.5)[2:]) is None


@pytest.mark.parametrize("payload", [{"text": "x"}, ["x"], {"text": 1, "status": "completed", "model": "m"}])
def test_an_entry_with_a_right_checksum_and_a_wrong_reply_is_a_miss(payload: Any) -> None:
    packed = msgspec.msgpack.encode(payload)
    dated = struct.pack("<d", 1.0) + packed
    assert decode(b"T1" + struct.pack("<I", zlib.crc32(dated)) + dated) is None


def test_damage_is_a_miss_that_is_logged_once_and_mended_by_the_next_reply(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        store = memory()
        layers = stack(ScriptedTransport(ok()), store=store)
        for text in ("one", "two", "three"):
            await layers(request(text))
        for key, entry in list(store._entries.items()):
            await store.put(key, entry[:-1] + b"\xff")
        with caplog.at_level(logging.WARNING, "trivet.cache"):
            replies = [await layers(request(text)) for text in ("one", "two", "three")]
        assert [reply.source for reply in replies] == ["provider"] * 3
        assert len(caplog.records) == 1
        assert (await layers(request("one"))).source == "cache"

    virtual(main())


class FullStore(MemoryStore):
    """A store whose disk is full from the start."""

    async def put(self, digest: bytes, value: bytes) -> None:
        """Always fails."""
        raise MachineError("the disk is full: make room, then resume")


def test_a_store_that_fails_gives_up_its_reply_and_then_stops_all_that_need_it() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok())
        layers = stack(transport, store=FullStore(limit_bytes=1))
        assert (await layers(request())).text == "billing"
        first, second = await all_of([layers(request("next")), layers(request("other"))])
        assert isinstance(first, MachineError)
        assert isinstance(second, MachineError)
        assert first is not second
        assert "disk is full" in str(first)
        assert len(transport.calls) == 1

    virtual(main())


class LostStore:
    """A store that can't even be read."""

    async def get(self, digest: bytes) -> bytes | None:
        """Always fails."""
        raise MachineError("the cache file is lost")

    async def put(self, digest: bytes, value: bytes) -> None:
        """Never reached."""

    async def flush(self) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""

    def statistics(self) -> StoreStatistics:
        """Nothing."""
        raise NotImplementedError


def test_a_store_that_can_not_be_read_stops_requests_before_they_are_sent() -> None:
    async def main() -> None:
        lost: Store = LostStore()
        transport = ScriptedTransport(ok())
        with pytest.raises(TrivetError, match="lost"):
            await stack(transport, store=lost)(request())
        assert transport.calls == []

    virtual(main())


def test_without_a_store_nothing_is_found_and_nothing_kept() -> None:
    async def main() -> None:
        shelf = Shelf(None, None, Wall())
        reply = _reply()
        await shelf.keep(request(), reply)
        assert await shelf.find(request()) is None

    virtual(main())


def test_samples_versions_and_folded_keys_each_have_an_answer_of_their_own() -> None:
    async def main() -> None:
        transport = ScriptedTransport(*(ok(f"answer {n}") for n in range(4)))
        layers = stack(transport)
        asked = [request(), request(sample=1), request(version=1), request(fold=request().head)]
        first = [(await layers(one)).text for one in asked]
        again = [await layers(one) for one in asked]
        assert len(set(first)) == 4
        assert [reply.text for reply in again] == first
        assert {reply.source for reply in again} == {"cache"}

    virtual(main())


def test_a_folded_key_is_shared_by_heads_that_fold_to_the_same() -> None:
    async def main() -> None:
        transport = ScriptedTransport(ok())
        layers = stack(transport)
        await layers(request("a  ticket", fold=b"a ticket"))
        assert (await layers(request("a ticket ", fold=b"a ticket"))).source == "cache"

    virtual(main())


def test_a_streamed_reply_and_a_whole_one_share_their_entry() -> None:
    async def main() -> None:
        transport = ScriptedTransport(Streamed(sse("bill", "ing")))
        layers = stack(transport)
        await _drain(layers.stream(request(stream=True)))
        hit = await layers(request())
        assert (hit.text, hit.source) == ("billing", "cache")
        assert accept(hit) is None

    virtual(main())
