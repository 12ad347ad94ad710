"""The store in Redis keeps every promise of a store, and outlives its server."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import MachineError, SettingsError
from trivet.store.redis import ENTRY_BYTES, RedisStore
from trivet.store.redis_connection import open_redis
from trivet.store.redis_line import LONGEST_PAUSE, Outage
from trivet.testing.store import StoreConformance, digest_of


class TestRedisStore(StoreConformance):
    persistent = True
    many = 10_000

    @pytest.fixture(autouse=True)
    def server(self, redis_server: Any) -> None:
        self.url = redis_server.url

    def open_store(self, folder: Path, *, limit_bytes: int) -> RedisStore:
        prefix = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        return RedisStore(open_redis(f"{self.url}?prefix={prefix}"), limit_bytes=limit_bytes)


@pytest.fixture
async def store(redis_server: Any) -> AsyncIterator[RedisStore]:
    found = RedisStore(open_redis(redis_server.url), limit_bytes=10**9, lease_seconds=60.0)
    await found.reach()
    yield found
    await found.close()


async def command(server: Any, *words: object) -> Any:
    """What the Redis says to a command of the test's own."""
    connection = open_redis(server.url)
    try:
        return await connection.client().execute_command(*words)  # type: ignore[arg-type]
    finally:
        await connection.close()


async def back(store: RedisStore) -> None:
    """Return once the store has taken its Redis up again."""
    async with asyncio.timeout(60):
        while store._line.outage.is_on:
            await store.get(digest_of("is it there?"))
            await asyncio.sleep(0.02)


async def test_what_is_used_outlives_what_is_not(redis_server: Any) -> None:
    """Of entries that were stored at the same time, the one not asked for makes room."""
    size = 3 * (1000 + ENTRY_BYTES)
    store = RedisStore(open_redis(redis_server.url), limit_bytes=size)
    for name in "abc":
        await store.put(digest_of(name), bytes(1000))
    await store.get(digest_of("a"))
    await store.flush()
    await store.put(digest_of("d"), bytes(1000))
    assert await store.get(digest_of("a")) is not None
    assert await store.get(digest_of("b")) is None
    assert store.statistics().evicted == 1
    await store.close()


async def test_processes_see_each_others_answers_and_prefixes_do_not(redis_server: Any) -> None:
    """Two stores of one URL are one cache; with another prefix it is another, and clearing one leaves the other."""
    one, same, other = (
        RedisStore(open_redis(redis_server.url + query), limit_bytes=10**9) for query in ("", "", "?prefix=answer")
    )
    await one.put(digest_of(1), b"one")
    await other.put(digest_of(1), b"other")
    assert await same.get(digest_of(1)) == b"one"
    assert await one.clear() == 1
    assert await same.get(digest_of(1)) is None
    assert await other.get(digest_of(1)) == b"other"
    for found in (one, same, other):
        await found.close()


async def test_prune_and_ages(store: RedisStore) -> None:
    """The oldest and the least used go, as many as was said, and the counts follow."""
    assert await store.ages() is None
    assert await store.prune(older_than_seconds=0.0, to_bytes=0) == 0
    for n in range(300):
        await store.put(digest_of(n), bytes(1000))
    oldest, newest = await store.ages() or (0.0, 0.0)
    assert time.time() - 120 < oldest < newest < time.time() + 120
    assert await store.prune(older_than_seconds=3600.0) == 0
    assert await store.prune(to_bytes=100 * (1000 + ENTRY_BYTES)) == 200
    assert await store.get(digest_of(299)) is not None
    assert store.statistics().entries == 100
    assert await store.prune(older_than_seconds=0.0) == 100
    await store.flush()
    assert (store.statistics().entries, store.statistics().bytes) == (0, 0)


async def test_what_redis_evicts_itself_is_a_miss(redis_server: Any, store: RedisStore) -> None:
    """A value that Redis has let go of is a miss, can be put again, and counts once."""
    await store.put(digest_of(1), b"one")
    await command(redis_server, "DEL", b"trivet:-:answer/" + digest_of(1))
    assert await store.get(digest_of(1)) is None
    await store.put(digest_of(1), b"again")
    assert await store.get(digest_of(1)) == b"again"
    assert store.statistics().entries == 1
    await command(redis_server, "DEL", "trivet:-:used", "trivet:-:entries", "trivet:-:bytes")
    assert await store.get(digest_of(1)) == b"again"
    assert await store.clear() == 0
    assert await store.get(digest_of(1)) is None


async def test_a_foreign_value_is_a_miss(redis_server: Any, store: RedisStore, caplog: Any) -> None:
    """A key of ours that holds something else is a miss and said once, whatever it is."""
    await command(redis_server, "LPUSH", b"trivet:-:answer/" + digest_of(1), "x")
    for _ in range(3):
        assert await store.get(digest_of(1)) is None
    assert len(caplog.records) == 1


async def test_a_full_redis_keeps_nothing_new_and_says_so_once(
    redis_server: Any, store: RedisStore, caplog: Any
) -> None:
    """Where maxmemory is reached and nothing evicted, what is there is read on and leases are granted."""
    await store.put(digest_of("before"), b"before")
    await command(redis_server, "CONFIG", "SET", "maxmemory-policy", "noeviction")
    await command(redis_server, "CONFIG", "SET", "maxmemory", "1mb")
    for n in range(2000):
        await store.put(digest_of(n), bytes(4000))
    assert await store.get(digest_of("before")) == b"before"
    assert await store.get(digest_of(1999)) is None
    assert (await store.leases.claim(digest_of("new"), b"me")).mine
    assert len(caplog.records) == 1
    assert "full" in caplog.text
    await command(redis_server, "CONFIG", "SET", "maxmemory", "0")
    await store.put(digest_of("after"), b"after")
    assert await store.get(digest_of("after")) == b"after"


async def test_a_redis_that_dies_and_returns(redis_server: Any, store: RedisStore, caplog: Any) -> None:
    """Without its server a store misses and keeps nothing, at once and said once; it is used again when it is back."""
    await store.put(digest_of(1), b"one")
    redis_server.kill()
    for n in range(200):
        assert await store.get(digest_of(1)) is None
        await store.put(digest_of(n), b"lost")
        assert (await store.leases.claim(digest_of(n), b"me")).mine
        await store.leases.release(digest_of(n), b"me")
    await store.flush()
    assert len(caplog.records) == 1
    assert "going on without it" in caplog.text
    redis_server.start()
    await back(store)
    assert len(caplog.records) == 2
    assert "is back; 200 answers" in caplog.text
    await store.put(digest_of(2), b"two")
    assert await store.get(digest_of(2)) == b"two"


async def test_a_redis_that_dies_under_many_calls(redis_server: Any, store: RedisStore, caplog: Any) -> None:
    """Calls under way when the server dies all end, as misses, and the loss is one warning."""

    async def work(n: int) -> None:
        for turn in range(50):
            await store.put(digest_of(n), bytes(10_000))
            await store.get(digest_of(n))
            if (n, turn) == (0, 5):
                redis_server.kill()

    async with asyncio.TaskGroup() as group:
        for n in range(100):
            group.create_task(work(n))
    assert len(caplog.records) == 1


async def test_a_redis_that_was_never_there() -> None:
    """Nothing at the address is one sentence of a machine error, for every method that needs it; closing works."""
    store = RedisStore(open_redis("redis://:hunter2@127.0.0.1:1/0"), limit_bytes=10**9)
    for attempt in (
        store.reach(),
        store.get(digest_of(1)),
        store.put(digest_of(1), b"x"),
        store.leases.claim(digest_of(1), b"me"),
        store.clear(),
    ):
        with pytest.raises(MachineError, match="can't be reached") as refused:
            await attempt
        assert "hunter2" not in str(refused.value)
    await store.close()


@pytest.mark.parametrize("wrong", ["redis://:hunter2@127.0.0.1:{port}/0", "redis://127.0.0.1:{port}/9999"])
async def test_a_wrong_password_or_database(redis_server: Any, wrong: str) -> None:
    """What the URL must mend is a settings error when asked up front, and never shows the password."""
    store = RedisStore(open_redis(wrong.format(port=redis_server.port)), limit_bytes=10**9)
    with pytest.raises(SettingsError) as refused:
        await store.reach()
    with pytest.raises(MachineError) as later:
        await store.get(digest_of(1))
    assert "hunter2" not in f"{refused.value!r} {later.value!r} {store!r} {store._connection!r}"
    await store.close()


async def test_a_password(redis_server: Any) -> None:
    """The right password opens, whatever its characters, and is never shown."""
    await command(redis_server, "CONFIG", "SET", "requirepass", "hunter2 %&ü")
    url = redis_server.url.replace("//", "//:hunter2%20%25%26%C3%BC@")
    store = RedisStore(open_redis(url), limit_bytes=10**9)
    await store.reach()
    await store.put(digest_of(1), b"one")
    assert await store.get(digest_of(1)) == b"one"
    assert "hunter2" not in repr(store) + store.statistics().url
    await store.close()


async def test_a_server_that_is_no_redis() -> None:
    """A server that talks something else is a sentence, not a traceback."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = RedisStore(open_redis(f"redis://127.0.0.1:{port}/0"), limit_bytes=10**9)
    with pytest.raises(MachineError) as refused:
        await store.get(digest_of(1))
    assert "\n" not in str(refused.value)
    await store.close()
    server.close()


async def test_leases(redis_server: Any, store: RedisStore) -> None:
    """One holder at a time, who alone can renew and give back; a claim made twice is one; the value comes with it."""
    leases = store.leases
    key = digest_of("key")
    one, other = leases.token(), leases.token()
    assert (await leases.claim(key, one), await leases.claim(key, one)) == ((True, None), (True, None))
    assert await leases.claim(key, other) == (False, None)
    await leases.release(key, other)
    assert await leases.claim(key, other) == (False, None)
    lease = b"trivet:-:lease/" + key
    await command(redis_server, "PEXPIRE", lease, 5000)
    await leases.extend({key: other})
    assert await command(redis_server, "PTTL", lease) <= 5000
    await leases.extend({key: one, digest_of("none of ours"): one})
    assert await command(redis_server, "PTTL", lease) > 5000
    await store.put(key, b"value")
    await leases.release(key, one)
    assert await leases.claim(key, other) == (True, b"value")


async def test_cancelled_callers_take_nobody_with_them(store: RedisStore) -> None:
    """Whoever else was in one pipeline with a cancelled command has its answer all the same."""
    for n in range(40):
        await store.put(digest_of(n), b"%d" % n)
    for cancelled in range(0, 40, 3):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(store.get(digest_of(n))) for n in range(40)]
            for _ in range(cancelled % 7):
                await asyncio.sleep(0)
            for n in {cancelled, 0, 1}:
                tasks[n].cancel()
        assert all(task.cancelled() or task.result() == b"%d" % n for n, task in enumerate(tasks))
        assert sum(task.cancelled() for task in tasks) <= 3


def test_loops_one_after_the_other_and_a_fork(redis_server: Any) -> None:
    """A store serves loops that come and go, and the child of a fork, while the parent's goes on."""
    store = RedisStore(open_redis(redis_server.url), limit_bytes=10**9)

    async def put_and_get(name: str) -> bytes | None:
        await store.put(digest_of(name), name.encode())
        return await store.get(digest_of(name))

    for n in range(3):
        assert asyncio.run(put_and_get(f"loop {n}")) == b"loop %d" % n
    with asyncio.Runner() as runner:
        assert runner.run(put_and_get("parent")) == b"parent"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside a thread, should there be one
            child = os.fork()
        if child == 0:
            ended = 1
            with contextlib.suppress(BaseException):
                ended = 0 if asyncio.run(put_and_get("child")) == b"child" else 1
            os._exit(ended)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert runner.run(put_and_get("parent again")) == b"parent again"
        assert runner.run(store.get(digest_of("child"))) == b"child"
        runner.run(store.close())


@given(st.lists(st.sampled_from(["fail", "answer", "wait", "ask"]), max_size=60))
def test_an_outage_asks_ever_more_rarely_and_ends_with_an_answer(steps: list[str]) -> None:
    """In an outage one asks at a time, after a pause of at most five seconds; outside of one everybody may."""
    outage, now = Outage(lambda: 1.0), 0.0
    for step in steps:
        if step == "fail":
            outage.failed(now)
            assert outage.is_on and not outage.may_ask(now)
            assert outage._next - now <= LONGEST_PAUSE
        elif step == "answer":
            outage.ended()
            assert outage.may_ask(now) and outage.may_ask(now)
        elif step == "wait":
            now += LONGEST_PAUSE
        elif outage.may_ask(now) and outage.is_on:
            assert not outage.may_ask(now)
