"""One wait for the disk serves all who wrote before it began, and no one else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from trivet.errors import MachineError
from trivet.jobs.durability import GroupSync


class Disk:
    """A disk whose syncs last until they are let go."""

    def __init__(self, *, held: bool = False, failing: bool = False) -> None:
        self.written = 0
        self.safe = 0
        self.syncs = 0
        self.failing = failing
        self.begun = threading.Event()
        self.go = threading.Event()
        if not held:
            self.go.set()

    def sync(self) -> None:
        self.syncs += 1
        seen = self.written
        self.begun.set()
        assert self.go.wait(10)
        if self.failing:
            raise MachineError("no space")
        self.safe = seen


async def test_what_was_written_before_the_call_is_safe_when_it_returns_and_syncs_are_shared() -> None:
    """A thousand rows at once: each finds its write on the disk, and there are far fewer syncs than rows."""
    disk = Disk()
    group = GroupSync(disk.sync)

    async def row() -> None:
        disk.written += 1
        mine = disk.written
        await group()
        assert disk.safe >= mine

    async with asyncio.TaskGroup() as rows:
        for _ in range(1000):
            rows.create_task(row())
    assert disk.syncs <= 3


async def test_who_writes_during_a_sync_waits_for_the_next() -> None:
    """The sync under way may have begun before the write."""
    disk = Disk(held=True)
    group = GroupSync(disk.sync)
    async with asyncio.TaskGroup() as rows:
        disk.written = 1
        first = rows.create_task(group())
        await asyncio.to_thread(disk.begun.wait, 10)
        disk.written = 2
        second = rows.create_task(group())
        disk.go.set()
        await first
        await second
    assert (disk.syncs, disk.safe) == (2, 2)


async def test_a_disk_that_failed_once_is_not_trusted_again() -> None:
    """The pages may be gone after a failed sync, so that the next one would succeed without them."""
    disk = Disk(failing=True)
    group = GroupSync(disk.sync)
    with pytest.raises(MachineError):
        await group()
    disk.failing = False
    with pytest.raises(MachineError):
        await group()
    assert disk.syncs == 1


async def test_a_cancelled_waiter_takes_no_one_along() -> None:
    """Whoever is cancelled while a sync runs leaves it running, and the others with one of their own after it."""
    disk = Disk(held=True)
    group = GroupSync(disk.sync)
    first = asyncio.ensure_future(group())
    await asyncio.to_thread(disk.begun.wait, 10)
    disk.written = 1
    others = [asyncio.ensure_future(group()) for _ in range(3)]
    first.cancel()
    await asyncio.wait([first])
    assert disk.syncs == 1
    disk.go.set()
    await asyncio.wait(others)
    assert first.cancelled()
    assert [other.exception() for other in others] == [None] * 3
    assert (disk.syncs, disk.safe) == (2, 1)


async def test_a_failure_is_heard_although_its_waiter_was_cancelled() -> None:
    """The system reports a lost write once: to the sync that nobody waits for any more."""
    disk = Disk(held=True, failing=True)
    group = GroupSync(disk.sync)
    first = asyncio.ensure_future(group())
    await asyncio.to_thread(disk.begun.wait, 10)
    first.cancel()
    other = asyncio.ensure_future(group())
    await asyncio.sleep(0)
    disk.go.set()
    with pytest.raises(MachineError):
        await other
    assert disk.syncs == 1
