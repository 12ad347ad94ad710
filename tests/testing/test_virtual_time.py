"""The virtual-time event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.testing.virtual_time import VirtualTimeLoop, run


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_day_passes_in_no_time() -> None:
    """Sleeping takes virtual seconds and next to no real ones."""

    async def main() -> float:
        await asyncio.sleep(86_400)
        return now()

    began = time.perf_counter()
    assert run(main()) == pytest.approx(86_400)
    assert time.perf_counter() - began < 5


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=20))
def test_sleepers_wake_in_order_and_on_time(delays: list[float]) -> None:
    """Whatever the delays, each sleeper wakes when it asked to, and the clock never goes back."""

    async def main() -> list[tuple[float, float]]:
        woken: list[tuple[float, float]] = []

        async def sleeper(delay: float) -> None:
            await asyncio.sleep(delay)
            woken.append((delay, now()))

        async with asyncio.TaskGroup() as group:
            for delay in delays:
                group.create_task(sleeper(delay))
        return woken

    woken = run(main())
    assert sorted(delay for delay, _ in woken) == sorted(delays)
    assert [at for _, at in woken] == sorted(at for _, at in woken)
    assert all(at == pytest.approx(delay, abs=1e-6) for delay, at in woken)


def test_work_without_waiting_takes_no_virtual_time() -> None:
    """The clock stands still while any task can run."""

    async def main() -> float:
        for _ in range(1000):
            await asyncio.sleep(0)
        return now()

    assert run(main()) == 0.0


def test_timeouts_and_queues_work() -> None:
    """A timeout fires at its virtual time, and what is handed over in between is not lost."""

    async def main() -> tuple[int, float]:
        queue: asyncio.Queue[int] = asyncio.Queue(1)

        async def producer() -> None:
            await asyncio.sleep(3)
            await queue.put(7)

        async with asyncio.TaskGroup() as group:
            group.create_task(producer())
            got = await queue.get()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(60):
                    await queue.get()
        return got, now()

    assert run(main()) == (7, pytest.approx(63))


def test_a_deadlock_is_an_error_and_not_a_hang() -> None:
    """When nothing can ever happen again, the loop says so instead of waiting for ever."""

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="virtual time"):
        run(main())


def test_a_call_from_another_thread_is_taken_before_time_jumps() -> None:
    """What a thread has handed in by the time the tasks wait is run before the clock moves."""

    async def main() -> float:
        done = asyncio.Event()
        thread = threading.Thread(target=asyncio.get_running_loop().call_soon_threadsafe, args=[done.set])
        thread.start()
        thread.join()
        await done.wait()
        return now()

    assert run(main()) == 0.0


def test_nothing_stays_open() -> None:
    """The loop ends as `asyncio.run`'s does: tasks cancelled, selector closed, no warning."""
    cancelled: list[bool] = []

    async def main() -> None:
        async def forever() -> None:
            try:
                await asyncio.sleep(1e9)
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        task = asyncio.get_running_loop().create_task(forever())
        await asyncio.sleep(1)
        assert not task.done()

    run(main())
    gc.collect()
    assert cancelled == [True]


def test_two_loops_have_two_clocks() -> None:
    """A loop's time is its own."""
    first, second = VirtualTimeLoop(), VirtualTimeLoop()
    first.run_until_complete(asyncio.sleep(10))
    assert (first.time(), second.time()) == (pytest.approx(10), 0.0)
    first.close()
    second.close()
