"""An engine on a thread of its own: one thing at a time, in order, while the event loop stays free.

Even torch is imported on that thread. What others may know of the engine is copied out after each piece of work, so
that nobody looks into it while it computes.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from nodes.model_worker.effort import Effort, Gauge
from nodes.model_worker.errors import ModelError
from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from protocol.messages.model import Generate, Generated, ModelInfo, StateForgotten, StateResumed, StateSaved, Token
from runtime.clock import Clock

if TYPE_CHECKING:
    from nodes.model_worker.engine import Engine
    from nodes.model_worker.kv.vault import Vault
    from nodes.model_worker.remote import RemoteEngine

T = TypeVar("T")


class Worker:
    """Runs an engine for the event loop. What it says of models and state in memory is as of the last work done."""

    def __init__(
        self,
        level: Level,
        clock: Clock,
        vault: "Vault | None" = None,
        noticed: Callable[[], None] = lambda: None,
        loaded: Callable[[Effort], None] = lambda _: None,
        given_up: Callable[[Generated], None] = lambda _: None,
    ) -> None:
        """`vault`: where attention state outlives the process.

        `noticed` is called on the event loop when writing it down begins or ceases to fail; `loaded` there, too, with
        what it took whenever a model was loaded, and `given_up` with what was made for somebody who no longer waits.
        """
        self._level = level
        self._clock = clock
        self._vault = vault
        self._noticed = noticed
        self._loaded = loaded
        self._given_up = given_up
        self.gauge = Gauge(clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settling: asyncio.Future[None] | None = None
        self._engine: Engine | RemoteEngine | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._stopping = False
        self._waiting = 0
        self.info = ModelInfo(level=level.name, model=level.model, version="", loaded=False)
        self._state_stats: dict[str, float] = {}
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why the model could not be loaded, when it was last tried; or why attention state is not written down."""
        return self._problem or (self._engine.state_problem if self._engine else "")

    @property
    def state_stats(self) -> dict[str, float]:
        return {**self._state_stats, **(self._engine.disk_stats() if self._engine else {})}

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

        def work(engine: "Engine | RemoteEngine") -> Generated:
            queued = (self._clock.mono_ns() - asked) / 1e9
            generated = engine.generate(
                request,
                on_token=lambda token: _hand_over(loop, on_token, token),
                cancelled=lambda: self._stopping or cancelled(),
                deadline=deadline,
            )
            if cancelled():
                self._tell(self._given_up, generated)
            return msgspec.structs.replace(generated, seconds={"queue": queued, **generated.seconds})

        generated = await self._run(work)
        if request.exactness == "cold" and (self._settling is None or self._settling.done()):
            self._settling = asyncio.ensure_future(self._settle())
        return generated

    async def save_state(self) -> StateSaved:
        """As `Engine.save_state`."""
        return await self._run(lambda engine: engine.save_state())

    async def resume_state(self, session: str) -> StateResumed:
        """As `Engine.resume_state`."""
        return await self._run(lambda engine: engine.resume_state(session))

    async def matters(self, session: str, salience: float) -> bool:
        """As `Engine.matters`; False where nothing is held yet."""
        if self._engine is None:
            return False
        return await self._run(lambda engine: engine.matters(session, salience))

    async def forget_state(self, session: str) -> StateForgotten:
        """As `Engine.forget_state`."""
        return await self._run(lambda engine: engine.forget_state(session))

    async def _settle(self) -> None:
        """Use the time until the next request; it is noticed after each chunk."""

        def interrupted() -> str:
            return "waited for" if self._stopping or self._waiting > 1 else ""

        with contextlib.suppress(asyncio.CancelledError, ModelError):
            while not self._stopping and self._waiting == 0:
                if not await self._run(lambda engine: engine.settle(interrupted)):
                    return

    async def close(self) -> None:
        """End what runs at the next token or chunk, drop what waits, write attention state down, and end the thread."""
        self._stopping = True
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._engine is not None:
            await asyncio.to_thread(self._engine.close)

    async def _run(self, work: Callable[["Engine | RemoteEngine"], T]) -> T:
        self._waiting += 1
        self._loop = asyncio.get_running_loop()
        try:
            return await self._loop.run_in_executor(self._thread, self._on_engine, work)
        finally:
            self._waiting -= 1

    def _on_engine(self, work: Callable[["Engine | RemoteEngine"], T]) -> T:
        if self._engine is None:
            self._engine = self._new_engine()
        try:
            return work(self._engine)
        finally:
            self.info = self._engine.info()
            self._state_stats = self._engine.stats()
            self._problem = self._engine.problem

    def _new_engine(self) -> "Engine | RemoteEngine":
        if self._level.backend == "openai":
            from nodes.model_worker.remote import RemoteEngine

            return RemoteEngine(self._level, clock=self._clock)
        from nodes.model_worker.engine import Engine

        return Engine(
            self._level,
            clock=self._clock,
            vault=self._vault,
            noticed=lambda: self._tell(self._noticed),
            loaded=lambda effort: self._tell(self._loaded, effort),
            gauge=self.gauge,
        )

    def _tell(self, say: Callable[..., None], *words: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(say, *words)


def _hand_over(loop: asyncio.AbstractEventLoop, on_token: Callable[[Token], None], token: Token) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(on_token, token)
