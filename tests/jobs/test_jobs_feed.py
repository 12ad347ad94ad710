"""Rows reach the event loop in order, bounded, and without holding anything up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from trivet.errors import DataError
from trivet.jobs.feed import feed
from trivet.jobs.rows import Row, Source
from trivet.jobs.sources import open_source


class Blocking(Source):
    """Rows of any iterator, which may block."""

    blocking = True
    repeatable = False
    spec = "blocking"

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return self._rows


def rows(count: int) -> Iterator[Row]:
    return (Row(n=n, data={}) for n in range(count))


def reader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "trivet-rows"]


@pytest.mark.parametrize("size", [1, 2, 64])
async def test_all_rows_come_in_order(size: int) -> None:
    assert [row.n async for row in feed(Blocking(rows(1000)), size)] == list(range(1000))
    assert [row.n async for row in feed(open_source([{}] * 1000), size)] == list(range(1000))


async def test_no_more_rows_are_read_ahead_than_was_asked() -> None:
    taken = 0
    at_bound = threading.Event()

    def counted() -> Iterator[Row]:
        nonlocal taken
        for row in rows(100):
            taken += 1
            if taken == 5:
                at_bound.set()
            yield row

    async with aclosing(feed(Blocking(counted()), 3)) as fed:
        await anext(fed)
        assert await asyncio.to_thread(at_bound.wait, 5)
        # one handed out, three waiting, one in the thread's hand
        assert taken == 5


async def test_a_blocked_read_holds_up_neither_the_loop_nor_a_cancelled_consumer() -> None:
    go_on = threading.Event()

    def slow() -> Iterator[Row]:
        yield Row(n=0, data={})
        go_on.wait(10)
        yield Row(n=1, data={})

    received: list[int] = []

    async def consume() -> None:
        async with aclosing(feed(Blocking(slow()), 4)) as fed:
            received.extend([(await anext(fed)).n])
            received.extend([row.n async for row in fed])

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await consume()
    assert received == [0]
    (thread,) = reader_threads()
    go_on.set()
    await asyncio.to_thread(thread.join, 5)
    assert not reader_threads()


async def test_the_thread_ends_when_the_consumer_stops_early() -> None:
    async with aclosing(feed(Blocking(rows(10**9)), 8)) as fed:
        async for row in fed:
            if row.n == 20:
                break
    for thread in reader_threads():
        await asyncio.to_thread(thread.join, 5)
    assert not reader_threads()


@pytest.mark.parametrize("error", [DataError("no more"), ZeroDivisionError("mine")])
async def test_what_the_source_raises_comes_after_the_rows_before_it(error: Exception) -> None:
    def broken() -> Iterator[Row]:
        yield from rows(3)
        raise error

    async with aclosing(feed(Blocking(broken()), 2)) as fed:
        assert [(await anext(fed)).n for _ in range(3)] == [0, 1, 2]
        with pytest.raises(type(error), match=str(error)):
            await anext(fed)


async def test_other_tasks_get_their_turn_during_a_long_file() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(other())
        async for _ in feed(open_source([{}] * 10_000), 8):
            pass
        task.cancel()
    assert turns > 10


SCRIPT = """
import asyncio, sys
from trivet.jobs.feed import feed
from trivet.jobs.sources import open_source
async def main():
    async for row in feed(open_source("-", stdin=sys.stdin.buffer), 4):
        print(row.data, flush=True)
        await asyncio.sleep(0.3)  # until the thread is in the read that never returns
        break
asyncio.run(main())
"""


def test_a_read_of_standard_input_that_never_returns_does_not_hold_up_the_exit(tmp_path: Path) -> None:
    process: subprocess.Popen[Any]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b'{"a": 1}\n')
        process.stdin.flush()
        assert process.wait(20) == 0
        assert process.stdout.read() == b"{'a': 1}\n"
        assert process.stderr.read() == b""
