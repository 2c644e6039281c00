"""An engine on a thread of its own: one thing at a time, in order, while the event loop stays free.

Even torch is imported on that thread. What others may know of the engine is copied out after each piece of work, so
that nobody looks into it while it computes.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import msgspec

from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from protocol.messages.model import Generate, Generated, ModelInfo, Token
from runtime.clock import Clock

if TYPE_CHECKING:
    from nodes.model_worker.engine import Engine

T = TypeVar("T")


class Worker:
    """Runs an engine for the event loop. `info`, `state_stats` and `problem` are as of the last work done."""

    def __init__(self, level: Level, clock: Clock) -> None:
        self._level = level
        self._clock = clock
        self._engine: Engine | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._stopping = False
        self._waiting = 0
        self.info = ModelInfo(level=level.name, model=level.model, version="", loaded=False)
        self.state_stats: dict[str, float] = {}
        self.problem = ""
        """Why the model could not be loaded, when it was last tried."""

    @property
    def waiting(self) -> int:
        """Pieces of work that are running or wait for their turn."""
        return self._waiting

    async def load(self) -> None:
        """Raises the errors of loading."""
        await self._run(lambda engine: engine.load())

    async def unload(self) -> None:
        if self._engine is not None or self._waiting:
            await self._run(lambda engine: engine.unload())

    async def adopt(self, learned: Learned | None) -> bool:
        """As `Engine.adopt`."""
        if learned is None and self._engine is None and not self._waiting:
            return False
        return await self._run(lambda engine: engine.adopt(learned))

    async def generate(
        self,
        request: Generate,
        *,
        on_token: Callable[[Token], None],
        cancelled: Callable[[], bool],
        deadline: float | None,
    ) -> Generated:
        """As `Engine.generate`. `on_token` is called on the event loop, all of it before this returns.

        Cancelling the await takes the work out of the queue; under way, it ends as soon as `cancelled` says so.
        """
        loop = asyncio.get_running_loop()
        asked = self._clock.mono_ns()

        def work(engine: "Engine") -> Generated:
            queued = (self._clock.mono_ns() - asked) / 1e9
            generated = engine.generate(
                request,
                on_token=lambda token: _hand_over(loop, on_token, token),
                cancelled=lambda: self._stopping or cancelled(),
                deadline=deadline,
            )
            return msgspec.structs.replace(generated, seconds={"queue": queued, **generated.seconds})

        return await self._run(work)

    async def close(self) -> None:
        """End what runs at the next token or chunk, drop what waits, and wait for the thread."""
        self._stopping = True
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    async def _run(self, work: Callable[["Engine"], T]) -> T:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._on_engine, work)
        finally:
            self._waiting -= 1

    def _on_engine(self, work: Callable[["Engine"], T]) -> T:
        if self._engine is None:
            from nodes.model_worker.engine import Engine

            self._engine = Engine(self._level, clock=self._clock)
        try:
            return work(self._engine)
        finally:
            self.info = self._engine.info()
            self.state_stats = self._engine.stats()
            self.problem = self._engine.problem


def _hand_over(loop: asyncio.AbstractEventLoop, on_token: Callable[[Token], None], token: Token) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(on_token, token)
