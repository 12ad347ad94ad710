"""Slots are never lost, never doubled, and given in order."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from trivet.engine.slots import Slots
from trivet.testing.virtual_time import VirtualTimeLoop


async def test_slots_are_given_in_the_order_of_asking() -> None:
    """Whoever waits longest is next, and a newcomer does not overtake."""
    slots, order = Slots(1), []

    async def take(name: int) -> None:
        await slots.acquire()
        order.append(name)
        await asyncio.sleep(0)
        slots.release()

    async with asyncio.TaskGroup() as group:
        for name in range(20):
            group.create_task(take(name))
    assert order == list(range(20))


async def test_a_slot_given_to_one_who_is_cancelled_goes_on() -> None:
    """Cancelled in the very turn in which the slot came: the next one gets it."""
    slots = Slots(1)
    await slots.acquire()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(slots.acquire())
        second = group.create_task(slots.acquire())
        await asyncio.sleep(0)
        slots.release()
        first.cancel()
    assert first.cancelled() and second.done() and not second.cancelled()


@given(
    count=st.integers(1, 4),
    works=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3), st.none() | st.floats(0, 4)), max_size=25),
)
def test_no_slot_is_lost_or_doubled(count: int, works: list[tuple[float, float, float | None]]) -> None:
    """However many come, wait, work and are cancelled: never more than `count` at once, and in the end all are free."""

    async def run() -> None:
        slots, inside = Slots(count), 0

        async def work(begins: float, lasts: float, patience: float | None) -> None:
            nonlocal inside
            await asyncio.sleep(begins)
            try:
                async with asyncio.timeout(patience):
                    await slots.acquire()
                    inside += 1
                    assert inside <= count
                    try:
                        await asyncio.sleep(lasts)
                    finally:
                        inside -= 1
                        slots.release()
            except TimeoutError:
                pass

        async with asyncio.TaskGroup() as group:
            for each in works:
                group.create_task(work(*each))
        async with asyncio.timeout(1):
            for _ in range(count):
                await slots.acquire()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())
