import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from threading import Event

import pytest

from nodes.trust_ledger.group_commit import GroupCommit


class Disk:
    """Doubles numbers, once the gate is open; refuses 13."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.counted: list[int] = []
        self.gate = Event()
        self.gate.set()
        self.entered = Event()

    def write(self, items: Sequence[int]) -> list[int]:
        self.entered.set()
        assert self.gate.wait(10)
        self.batches.append(list(items))
        if 13 in items:
            raise OSError("no room")
        return [2 * item for item in items]

    def written(self, items: Sequence[int], _results: Sequence[int]) -> None:
        self.counted.extend(items)


@asynccontextmanager
async def running(disk: Disk, limit: int = 512) -> AsyncIterator[GroupCommit[int, int]]:
    commits: GroupCommit[int, int] = GroupCommit(disk.write, disk.written, limit)
    task = asyncio.create_task(commits.run())
    yield commits
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_each_teller_gets_its_own_result():
    async with running(Disk()) as commits:
        assert await asyncio.gather(*(commits.put(number) for number in range(5))) == [0, 2, 4, 6, 8]


async def test_what_arrives_during_a_write_goes_into_the_next_batch():
    disk = Disk()
    disk.gate.clear()
    async with running(disk, limit=3) as commits:
        first = asyncio.create_task(commits.put(1))
        assert await asyncio.to_thread(disk.entered.wait, 10)
        rest = [asyncio.create_task(commits.put(number)) for number in range(2, 7)]
        await asyncio.sleep(0)
        disk.gate.set()
        await asyncio.gather(first, *rest)
        assert disk.batches == [[1], [2, 3, 4], [5, 6]]
        assert commits.stats() == {"pending": 0, "batches": 3, "written": 6, "failed_batches": 0}


async def test_a_failed_batch_fails_its_tellers_and_no_others():
    async with running(Disk()) as commits:
        with pytest.raises(OSError, match="no room"):
            await commits.put(13)
        assert await commits.put(1) == 2
        assert commits.failed == 1


async def test_what_is_written_counts_even_if_nobody_waits_any_more():
    disk = Disk()
    disk.gate.clear()
    async with running(disk) as commits:
        impatient = asyncio.create_task(commits.put(1))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        disk.gate.set()
        assert await commits.put(2) == 4
        assert disk.counted == [1, 2]
