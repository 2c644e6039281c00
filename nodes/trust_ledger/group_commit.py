"""Many tellers, one sync of the disk: what arrives while a batch is being written goes into the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """Hands batches to `write`, in a thread and one at a time. `write` returns one result for each item.

    `written` then hears of the whole batch, in the loop, whether or not anybody still waits for it.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Sequence[R]],
        written: Callable[[Sequence[T], Sequence[R]], None],
        limit: int = 512,
    ) -> None:
        self._write = write
        self._written = written
        self._limit = limit
        self._pending: list[tuple[T, asyncio.Future[R]]] = []
        self._arrived = asyncio.Event()
        self._writing = asyncio.Lock()
        self.batches = 0
        self.failed = 0
        self.written = 0

    async def put(self, item: T) -> R:
        """What `write` returned for `item`, once its batch is written. Raises what `write` raised."""
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._pending.append((item, result))
        self._arrived.set()
        return await result

    async def run(self) -> None:
        """Write batches until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self.drain()

    async def drain(self) -> None:
        """Write all that is pending, and wait for what is being written."""
        async with self._writing:
            while self._pending:
                batch, self._pending = self._pending[: self._limit], self._pending[self._limit :]
                await self._commit(batch)

    async def _commit(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        items = [item for item, _ in batch]
        try:
            results = await asyncio.to_thread(self._write, items)
        except Exception as error:
            self.failed += 1
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        self.batches += 1
        self.written += len(batch)
        self._written(items, results)
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

    def stats(self) -> dict[str, float]:
        return {
            "pending": len(self._pending),
            "batches": self.batches,
            "written": self.written,
            "failed_batches": self.failed,
        }
