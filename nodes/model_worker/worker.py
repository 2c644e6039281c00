"""An engine on a thread of its own: one thing at a time, in order, while the event loop stays free.

Even torch is imported on that thread. What others may know of the engine is copied out after each piece of work, so
that nobody looks into it while it computes.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from nodes.model_worker.effort import Effort, Gauge
from nodes.model_worker.errors import ModelError, ModelMemory
from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from nodes.model_worker.trial import Trial
from protocol.errors import BadRequest, Cancelled
from protocol.messages.dream import AdapterAdopted
from protocol.messages.model import (
    Embed,
    Embedded,
    Generate,
    Generated,
    MarkState,
    ModelInfo,
    Solution,
    StateForgotten,
    StateMarked,
    StateResumed,
    StateSaved,
    Taught,
    Teach,
    Token,
)
from runtime.clock import Clock

if TYPE_CHECKING:
    from nodes.model_worker.embedding import Reading
    from nodes.model_worker.engine import Engine
    from nodes.model_worker.kv.vault import Vault
    from nodes.model_worker.loading import LoadedModel
    from nodes.model_worker.remote import RemoteEngine

T = TypeVar("T")

MOST_TEXTS = 256
"""In one request for vectors."""


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
        taught_in_vain: Callable[[Taught], None] = lambda _: None,
        adopted: Callable[[AdapterAdopted], None] = lambda _: None,
        imported: Callable[[float], None] = lambda _: None,
        in_vain: Callable[[str, Effort], None] = lambda *_: None,
        embedded: Callable[[Embedded], None] = lambda _: None,
    ) -> None:
        """`vault`: where attention state outlives the process.

        `noticed` is called on the event loop when writing it down begins or ceases to fail; `loaded` there, too, with
        what it took whenever a model was loaded, `adopted` with what became of weights that were to be taken up, and
        `given_up` with what was made for somebody who no longer waits;
        `taught_in_vain` with what was taught of a request that did not come to its end; `imported` with the processor
        seconds that it took to import an engine, and `in_vain` as an engine calls it; `embedded` with what was read of
        every request for vectors, whatever became of it.
        """
        self._level = level
        self._clock = clock
        self._vault = vault
        self._noticed = noticed
        self._loaded = loaded
        self._given_up = given_up
        self._adopted = adopted
        self._taught_in_vain = taught_in_vain
        self._imported = imported
        self._in_vain = in_vain
        self._embedded = embedded
        self.gauge = Gauge(clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settling: asyncio.Future[None] | None = None
        self._engine: Engine | RemoteEngine | None = None
        self._challenger: tuple[Trial, Engine | RemoteEngine] | None = None
        """Changed, as `_engine` is, on the model's thread alone: between two pieces of work."""
        self._adopting = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="weights")
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
            await self._on_thread(lambda: [engine.unload() for engine in self._engines()])

    async def adopt(self, learned: Learned | None, trial: Trial | None = None) -> bool:
        """Answer from now on with `learned`, None being the level's own, and with a challenger beside it.

        What is under way ends with the version it began with, and what begins finds one or the other whole. Where there
        is room, the new weights are loaded while the old ones go on answering. Whether anything changed; raises as
        `Engine.adopt`. A challenger that cannot be taken up leaves everything as it is, and `adopted` is told.
        """
        if learned is None and trial is None and self._engine is None and not self._waiting:
            return False
        async with self._adopting:
            held = self._challenger
            if held is not None and held[0].learned == learned:
                changed = await self._on_thread(self._crown)
            else:
                changed = await self._replace(learned)
            return await self._try(trial) or changed

    async def _replace(self, learned: Learned | None) -> bool:
        """Put other weights in the place of those that answer."""
        waited, beside, engine = "", False, self._own()
        if engine is not None and engine.learned == learned:
            return False
        if engine is not None and engine.model is not None:
            try:
                beside = await self._take_up(engine, learned)
            except ModelError as error:
                waited = str(error)
        # Otherwise nothing is held, or not both can be: those before are freed first, and requests wait.
        changed = beside or await self._run(lambda engine: engine.adopt(learned))
        if changed:
            digest = learned.digest if learned else ""
            self._adopted(AdapterAdopted(level=self._level.name, digest=digest, waited=waited))
        return changed

    async def _try(self, trial: Trial | None) -> bool:
        """Have a challenger answer its share, or none."""
        held = self._challenger
        if trial == (held[0] if held else None):
            return False
        await self._on_thread(self._dismiss)
        if trial is None:
            return True
        try:
            engine, own = await self._on_thread(self._new_engine), self._own()
            if own is None or own.model is None or not await self._take_up(engine, trial.learned):
                await self._on_thread(lambda: engine.adopt(trial.learned))
        except ModelError as error:
            self._refused(trial, error)
            return held is not None
        await self._on_thread(lambda: self._challenge(trial, engine))
        self._adopted(AdapterAdopted(level=self._level.name, digest=trial.learned.digest, challenger=True))
        return True

    async def _take_up(self, engine: "Engine | RemoteEngine", learned: Learned | None) -> bool:
        """Load the weights beside those that answer, and have the engine hold them. Raises as `beside.prepare`.

        False where those were unloaded meanwhile: then these are not to be held either.
        """
        own = self._own()

        def load() -> "tuple[LoadedModel, Effort]":
            from nodes.model_worker.beside import prepare

            with self.gauge.aside() as took:
                return prepare(self._level, learned, own.model if own else None), took()

        def take_up(model: "LoadedModel", effort: Effort) -> bool:
            if own is None or own.model is None:
                return False
            cast("Engine", engine).take_up(learned, model, effort)
            return True

        loaded = await asyncio.get_running_loop().run_in_executor(self._loader, load)
        return await self._on_thread(lambda: take_up(*loaded))

    def _own(self) -> "Engine | None":
        """The engine whose weights are here; None where there is none, or a server has them."""
        return None if self._level.backend == "openai" else cast("Engine | None", self._engine)

    def _challenge(self, trial: Trial, engine: "Engine | RemoteEngine") -> None:
        self._challenger = trial, engine

    def _crown(self) -> bool:
        """The challenger takes the place of what answered, its conversations with it."""
        assert self._challenger is not None, "nobody else ends a trial"
        (trial, engine), self._challenger = self._challenger, None
        before, self._engine = self._engine, engine
        if before is not None:
            before.unload()
        self._tell(self._adopted, AdapterAdopted(level=self._level.name, digest=trial.learned.digest))
        return True

    def _dismiss(self) -> None:
        """End the trial: the challenger's conversations go on with what answers the others."""
        if self._challenger is not None:
            (_, engine), self._challenger = self._challenger, None
            engine.unload()

    def _refused(self, trial: Trial, error: ModelError) -> None:
        self._adopted(
            AdapterAdopted(
                level=self._level.name,
                digest=trial.learned.digest,
                challenger=True,
                refused=str(error),
                no_room=isinstance(error, ModelMemory),
            )
        )

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

        generated = await self._run(work, request.session)
        if request.exactness == "cold" and (self._settling is None or self._settling.done()):
            self._settling = asyncio.ensure_future(self._settle())
        return generated

    async def teach(
        self,
        request: Teach,
        *,
        on_solutions: Callable[[list[Solution]], Awaitable[None]],
        cancelled: Callable[[], bool],
    ) -> Taught:
        """As `Engine.teach`. Work of anybody else goes first: it waits for one forward pass at most.

        Raises Cancelled once `cancelled` says so. What was done of what does not come to its end is told to
        `taught_in_vain`.
        """

        def interrupted() -> str:
            if cancelled() or self._stopping:
                return "cancelled"
            return "waited for" if self._waiting > 1 else ""

        lecture = await self._run(lambda engine: engine.teach(request))
        try:
            while not lecture.over:
                self._check_wanted(cancelled, "teaching")
                solutions = await self._run(lambda engine: engine.go_on_teaching(lecture, interrupted))
                await on_solutions(solutions)
        except BaseException:
            self._taught_in_vain(lecture.taught)
            raise
        return lecture.taught

    async def embed(self, request: Embed, *, cancelled: Callable[[], bool]) -> Embedded:
        """As `Engine.embed`, to its end. Work of anybody else goes first: it waits for one forward pass at most.

        Raises BadRequest for what no model could do, and Cancelled once `cancelled` says so.
        """
        if not 0 < len(request.texts) <= MOST_TEXTS:
            raise BadRequest(f"{len(request.texts)} texts are not 1..{MOST_TEXTS}", place="model/embed: texts")
        reading = await self._run(lambda engine: engine.embed(request))
        try:
            while not reading.over:
                self._check_wanted(cancelled, "reading")
                await self._run(lambda engine: cast("Engine", engine).go_on_reading(cast("Reading", reading)))
        finally:
            self._embedded(reading.embedded)
        return reading.embedded

    async def save_state(self) -> StateSaved:
        """As `Engine.save_state`."""

        def save() -> StateSaved:
            saved = [engine.save_state() for engine in self._engines()]
            problem = "; ".join(each.problem for each in saved if each.problem)
            return StateSaved(sessions=sum(each.sessions for each in saved), problem=problem)

        return await self._on_thread(save)

    async def resume_state(self, session: str) -> StateResumed:
        """As `Engine.resume_state`."""
        return await self._run(lambda engine: engine.resume_state(session), session)

    async def mark_state(self, request: MarkState) -> StateMarked:
        """As `Engine.mark_state`."""
        return await self._run(lambda engine: engine.mark_state(request), request.session)

    async def matters(self, session: str, salience: float) -> bool:
        """As `Engine.matters`; False where nothing is held yet."""
        if self._engine is None:
            return False
        return await self._run(lambda engine: engine.matters(session, salience), session)

    async def forget_state(self, session: str) -> StateForgotten:
        """As `Engine.forget_state`."""

        def forget() -> StateForgotten:
            forgotten = [engine.forget_state(session) for engine in self._engines()]
            tokens, freed = sum(each.tokens for each in forgotten), sum(each.bytes for each in forgotten)
            return StateForgotten(session=session, tokens=tokens, bytes=freed)

        return await self._on_thread(forget)

    def _check_wanted(self, cancelled: Callable[[], bool], what: str) -> None:
        if cancelled() or self._stopping:
            raise Cancelled(f"{what} was given up", place=f"level {self._level.name}")

    async def _settle(self) -> None:
        """Use the time until the next request; it is noticed after each chunk."""

        def interrupted() -> str:
            return "waited for" if self._stopping or self._waiting > 1 else ""

        with contextlib.suppress(asyncio.CancelledError, ModelError):
            while not self._stopping and self._waiting == 0:
                if not await self._on_thread(lambda: any(each.settle(interrupted) for each in self._engines())):
                    return

    async def close(self) -> None:
        """End what runs at the next token or chunk, drop what waits, write attention state down, and end the thread."""
        self._stopping = True
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._loader.shutdown, cancel_futures=True)
        if self._engine is not None:
            await asyncio.to_thread(self._engine.close)
        if self._challenger is not None:
            await asyncio.to_thread(self._challenger[1].close)

    async def _run(self, work: Callable[["Engine | RemoteEngine"], T], session: str = "") -> T:
        """Work on the engine that answers the conversation, which is settled when the work begins."""
        return await self._on_thread(lambda: work(self._answering(session)))

    async def _on_thread(self, work: Callable[[], T]) -> T:
        self._waiting += 1
        self._loop = asyncio.get_running_loop()
        try:
            return await self._loop.run_in_executor(self._thread, self._and_look, work)
        finally:
            self._waiting -= 1

    def _and_look(self, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            if self._engine is not None:
                told = [engine.info() for engine in self._engines()]
                self.info = msgspec.structs.replace(
                    self._engine.info(),
                    state_bytes=sum(each.state_bytes for each in told),
                    sessions=sum(each.sessions for each in told),
                )
                self._state_stats = self._engine.stats()
                self._problem = self._engine.problem

    def _engines(self) -> "list[Engine | RemoteEngine]":
        """Those there are; on the model's thread, one at least."""
        challenger = [self._challenger[1]] if self._challenger else []
        return [self._champion(), *challenger]

    def _champion(self) -> "Engine | RemoteEngine":
        if self._engine is None:
            self._engine = self._new_engine()
        return self._engine

    def _answering(self, session: str) -> "Engine | RemoteEngine":
        if self._challenger is None or not self._challenger[0].takes(session):
            return self._champion()
        trial, engine = self._challenger
        try:
            engine.load()
        except ModelError as error:  # everybody else's weights are better than no answer
            self._challenger = None
            self._tell(self._refused, trial, error)
            return self._champion()
        return engine

    def _new_engine(self) -> "Engine | RemoteEngine":
        if self._level.backend == "openai":
            from nodes.model_worker.remote import RemoteEngine

            return RemoteEngine(self._level, clock=self._clock)
        began_s = time.process_time()
        from nodes.model_worker.engine import Engine

        if self._engine is None:
            self._tell(self._imported, time.process_time() - began_s)
        return Engine(
            self._level,
            clock=self._clock,
            vault=self._vault,
            noticed=lambda: self._tell(self._noticed),
            loaded=lambda effort: self._tell(self._loaded, effort),
            in_vain=lambda kind, effort: self._tell(self._in_vain, kind, effort),
            gauge=self.gauge,
        )

    def _tell(self, say: Callable[..., None], *words: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(say, *words)


def _hand_over(loop: asyncio.AbstractEventLoop, on_token: Callable[[Token], None], token: Token) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(on_token, token)
