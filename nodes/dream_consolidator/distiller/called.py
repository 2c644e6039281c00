"""A teacher in another process: the running worker of its level, asked over the bus. Imports torch.

The worker answers everybody else first. What it spends is told to the dream, which pays for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from nodes.dream_consolidator.distiller.workbench import Away, Workbench
from nodes.model_worker.errors import NoChatTemplate
from protocol.errors import BadRequest, SageError
from protocol.messages.model import Exercise, Load, Solution, Teach
from runtime.client import Client

T = TypeVar("T")

LOOK_S = 0.05
"""How often it is looked at whether the dream must stop."""
_LOAD_S = 120.0
_ASK_S = 600.0
"""For one request. What was said until then is kept, so that the next one asks less."""


class Called:
    """Each request connects anew: between two of them, a student may train for hours."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._worker = f"model_worker/{bench.job.teacher.name}"

    def version(self) -> str:
        async def loaded() -> str:
            async with self._connected() as client:
                return (await client.call(self._worker, Load(), deadline=_LOAD_S)).version  # type: ignore[no-any-return]

        return attended(loaded(), self._bench.check)

    def solve(
        self, exercises: Sequence[Exercise], version: str, *, top_k: int, limit: int, take: Callable[[Solution], None]
    ) -> None:
        """Raises `Away` also where the worker has another version by now, BadRequest for what no model could do."""
        request = Teach(exercises=list(exercises), top_k=top_k, max_new_tokens=limit, version=version)

        async def taught() -> None:
            async with self._connected() as client, client.stream(self._worker, request, deadline=_ASK_S) as parts:
                async for solution in parts:
                    take(solution)
                self._bench.owe(parts.reply.cpu_s)

        attended(taught(), self._bench.check)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        try:
            async with Client.connect(name="dream") as client:
                yield client
        except (BadRequest, NoChatTemplate):  # waiting would not help
            raise
        except (SageError, TimeoutError) as error:
            raise Away(f"the teacher, {self._worker}, is away: {error}") from error


def attended(work: Coroutine[Any, Any, T], check: Callable[[], None]) -> T:
    """What the work comes to. Given up as soon as `check` raises."""

    async def attend() -> T:
        working = asyncio.ensure_future(work)
        try:
            while not working.done():
                check()
                await asyncio.wait({working}, timeout=LOOK_S)
            return working.result()
        finally:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await working

    return asyncio.run(attend())
