"""One level's model behind one call: full context in, only the new tokens computed, the answer streamed out.

    engine = Engine(levels.load().by_name("sensory"))
    engine.generate(Generate(messages=[ChatMessage(role="user", content="2 + 2?")], session="s1")).text

Everything here is synchronous and belongs to one thread. Time comes in as a clock.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import msgspec
import torch

from nodes.model_worker import generation, loading
from nodes.model_worker import teach as teaching
from nodes.model_worker.admission import Admission
from nodes.model_worker.effort import Effort, Gauge, Mark
from nodes.model_worker.embedding import Reading
from nodes.model_worker.errors import (
    ContextTooLong,
    ModelChanged,
    ModelError,
    ModelMemory,
    ModelUnloaded,
    StateOutOfReach,
    UnknownSession,
)
from nodes.model_worker.kv.codecs.choosing import codecs_of, usual
from nodes.model_worker.kv.codecs.codec import Codecs
from nodes.model_worker.kv.codecs.learned import FOLDER as FITS
from nodes.model_worker.kv.exactness import Exactness
from nodes.model_worker.kv.manifest import Moment
from nodes.model_worker.kv.sessions import Session, Sessions
from nodes.model_worker.kv.shelf import Shelf
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.teach import Lecture
from nodes.model_worker.turn import Stages, Turn
from protocol.errors import BadRequest
from protocol.messages.model import (
    Embed,
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

FLUSH_S = 10.0
"""For what waits to be written before a checkpoint is made of it."""


class Engine:
    """Loads when first asked, answers, keeps attention state per session, unloads when told."""

    def __init__(
        self,
        level: Level,
        *,
        clock: Clock | None = None,
        vault: Vault | None = None,
        model: LoadedModel | None = None,
        noticed: Callable[[], None] = lambda: None,
        loaded: Callable[[Effort], None] = lambda _: None,
        in_vain: Callable[[str, Effort], None] = lambda *_: None,
        gauge: Gauge | None = None,
    ) -> None:
        """`vault`: where attention state outlives the process; without one it does not. `model`: one loaded already.

        `noticed` is called, on a thread of its own, whenever `state_problem` has changed; `loaded` with what it took
        whenever a model was loaded; `in_vain` with what a `load` or an answer (`exchange`) took that failed.
        """
        self.level = level
        self._clock = clock or Clock()
        self._vault = vault
        self._noticed = noticed
        self._loaded = loaded
        self._in_vain = in_vain
        self._gauge = gauge or Gauge(self._clock)
        self._shelf: Shelf | None = None
        self._codec_problem = ""
        self.problem = ""
        """Why the model could not be loaded, when it was last tried."""
        self._learned: Learned | None = None
        self._given = model
        self._model: LoadedModel | None = None
        self._sessions = Sessions(layers=0, budget=0, bytes_per_token=0, size=level.prefill_chunk)
        self._info = ModelInfo(level=level.name, model=level.model, version="", loaded=False)

    @property
    def loaded(self) -> bool:
        return self._model is not None

    def load(self) -> LoadedModel:
        """The model, loaded now if it was not. Raises the errors of `loading.load`."""
        if self._model is None:
            self._gauge.use(self.device)
            began = self._gauge.begin()
            with self._billed_if_it_fails("load", began):
                model = self._load()
            return self._hold(model, self._gauge.since(began))
        return self._model

    @contextmanager
    def _billed_if_it_fails(self, kind: str, began: Mark) -> Iterator[None]:
        """Nobody learns from an error what it took until then. What is refused before anything is computed is free."""
        try:
            yield
        except (BadRequest, ContextTooLong):
            raise
        except BaseException:
            self._in_vain(kind, self._gauge.since(began))
            raise

    def _hold(self, model: LoadedModel, took: Effort) -> LoadedModel:
        self._model = model
        self._sessions = self._new_sessions(model)
        self._info = _info(self.level, model, took.seconds)
        self._loaded(took)
        return model

    @property
    def device(self) -> str:
        """Where the model is to run. Where it cannot, loading says so."""
        if self._given is not None:
            return self._given.device
        try:
            return loading.settled_device(self.level)
        except ModelError:
            return "cpu"

    def _new_sessions(self, model: LoadedModel) -> Sessions:
        size = self.level.prefill_chunk
        if self._vault is not None:
            self._shelf = Shelf(
                self._vault,
                {
                    **model.fingerprint,
                    "rope": loading.rope(model.model),
                    "adapter": self._learned.digest if self._learned else "none",
                    "arithmetic": loading.arithmetic(model.device),
                    "chunk": str(size),
                },
                model=self.level.model,
                shape=model.state,
                size=size,
                codecs=self._codecs(model, self._vault),
                room=self.level.state,
                clock=self._clock,
                noticed=self._noticed,
            )
        return Sessions(
            layers=model.state.layers,
            budget=self.level.state,
            bytes_per_token=model.state.per_token,
            size=size,
            seconds=lambda: self._clock.mono_ns() / 1e9,
            disk=self._shelf,
            device=model.device,
        )

    def _codecs(self, model: LoadedModel, vault: Vault) -> Codecs:
        """Those that the level asks for; where they cannot be had, state is kept losslessly, and why is told."""
        self._codec_problem = ""
        try:
            return codecs_of(model, self.level.codec, vault.directory.with_name(FITS))
        except ModelError as error:
            self._codec_problem = f"{error}: kept losslessly"
            return codecs_of(model, "lossless", vault.directory.with_name(FITS))

    def _load(self) -> LoadedModel:
        if self._given is not None:
            return self._given
        try:
            model = loading.load(self.level, self._learned.path if self._learned else None)
        except ModelError as error:
            self.problem = str(error)
            raise
        self.problem = ""
        return model

    def unload(self) -> None:
        """Free the model and the attention state that only it can read; that is written down first, where it is kept.

        The next request loads it again.
        """
        if self._shelf is not None:
            self._shelf.close()
            self._shelf = None
        self._model = None
        self._sessions.clear()
        self._info = msgspec.structs.replace(self._info, loaded=False)
        loading.free_memory()

    def close(self) -> None:
        """Write down what waits to be. The engine is not used afterwards."""
        self._gauge.close()
        if self._shelf is not None:
            self._shelf.close()

    def adopt(self, learned: Learned | None) -> bool:
        """Answer from now on with these weights; None goes back to the level's own. Whether that changed anything.

        A loaded model is loaded anew. Raises the errors of loading, and ModelUnfit for weights that are not what they
        are said to be; the level then answers with its own.
        """
        if learned == self._learned:
            return False
        try:
            if learned:
                learned.check(self.level)
        except ModelError:
            self._use(None)
            raise
        self._use(learned)
        return True

    @property
    def model(self) -> LoadedModel | None:
        """What is loaded."""
        return self._model

    @property
    def learned(self) -> Learned | None:
        return self._learned

    def take_up(self, learned: Learned | None, model: LoadedModel, took: Effort) -> None:
        """Answer from now on with weights that were checked and loaded beside (`beside.prepare`).

        Those before are freed, and their attention state, which is written down first.
        """
        self.unload()
        self._learned, self.problem = learned, ""
        self._hold(model, took)

    def _use(self, learned: Learned | None) -> None:
        loaded = self.loaded
        if learned != self._learned:
            self.unload()
            self._learned = learned
        if loaded:
            self.load()

    def info(self) -> ModelInfo:
        return msgspec.structs.replace(self._info, state_bytes=self._sessions.nbytes, sessions=len(self._sessions))

    def stats(self) -> dict[str, float]:
        """Of the attention state: sessions, bytes, hits, misses, and what was dropped and why."""
        return self._sessions.stats()

    def disk_stats(self) -> dict[str, float]:
        """Of what is written down: chunks, bytes, what waits, and what failed. May be asked from any thread."""
        shelf = self._shelf
        return shelf.stats() if shelf else {}

    @property
    def desk(self) -> AttentionState:
        """What was worked on last."""
        return self._sessions.state

    @property
    def state_problem(self) -> str:
        """Why attention state is not being written down as it should, "" if it is. May be asked from any thread."""
        shelf = self._shelf
        return (shelf.problem or self._codec_problem) if shelf else ""

    def save_state(self) -> StateSaved:
        """Wait until all is written down."""
        if self._shelf is None:
            problem = "" if not self.loaded else "this level keeps nothing on the disk (`disk: 0` in the levels file)"
            return StateSaved(sessions=len(self._sessions), problem=problem)
        self._shelf.flush()
        return StateSaved(sessions=len(self._sessions), problem=self._shelf.problem)

    def mark_state(self, request: MarkState) -> StateMarked:
        """Keep the conversation as it stands, once it is written down. Raises UnknownSession and StateOutOfReach."""
        moment = Moment(session=request.session, label=request.label, why=request.why)
        if self._shelf is not None:
            self._shelf.flush(FLUSH_S)
        try:
            marked = self._vault.mark(self.level.model, moment) if self._vault is not None else None
        except (OSError, sqlite3.Error) as error:
            raise StateOutOfReach(
                f"the checkpoint could not be written: {error}",
                place=f"level {self.level.name}",
                remedy="make room on the disk, or try again",
            ) from error
        if marked is None:
            raise UnknownSession(
                f"nothing of {request.session!r} is on the disk",
                place=f"level {self.level.name}",
                remedy="`sage kv list` shows what is kept",
            )
        return StateMarked(name=moment.name, tokens=sum(len(chunk.ids) for chunk in marked.line))

    def forget_state(self, name: str) -> StateForgotten:
        """Drop what is kept of a conversation, in memory and on the disk. Raises StateOutOfReach."""
        tokens = self._sessions.forget(name)
        freed = 0
        try:
            if self._shelf is not None:
                self._shelf.forget(name)
            if self._vault is not None:
                freed = self._vault.forget(self.level.model, name)
        except (OSError, sqlite3.Error) as error:
            raise StateOutOfReach(
                f"what is on the disk could not be removed: {error}",
                place=f"level {self.level.name}",
                remedy=f"`sage kv remove {name}` once the disk can be written",
            ) from error
        return StateForgotten(session=name, tokens=tokens, bytes=freed)

    def resume_state(self, name: str) -> StateResumed:
        """Have all that is kept of a conversation in memory.

        Raises UnknownSession, ContextTooLong where there is no memory for it, and the errors of loading.
        """
        model = self.load()
        with _named_memory_error(self.level), self._sessions.use(name) as session:
            if not session.ids:
                raise UnknownSession(
                    self._sessions.missed or f"nothing is kept of {name!r}",
                    place=f"level {self.level.name}",
                    remedy="`sage kv list` shows what is kept",
                )
            wanted, ids = session.wanted, [*session.ids, 0]
            try:
                admit = partial(self._admit_all, model, len(ids))
                laid = self._sessions.lay(session, ids, usual(self.level.codec), load_anyway=True, admit=admit)
            finally:
                session.wanted = wanted
        return StateResumed(
            session=name,
            tokens=laid.reused,
            restored=laid.restored,
            exactness=laid.exactness.label,
            missed=laid.missed,
        )

    def matters(self, session: str, salience: float) -> bool:
        """As `Sessions.matters`; nothing is loaded for it."""
        return self._sessions.matters(session, salience)

    def _admit_all(self, model: LoadedModel, tokens: int, held: int) -> int:
        admission = Admission(self.level, model, self._sessions, tokens, held)
        if not admission.make_fit():
            raise admission.refusal()
        return tokens

    def settle(self, interrupted: Callable[[], str]) -> bool:
        """Compute again in whole chunks what conversations that want it cold decoded token by token.

        For idle time: it ends at the next chunk once `interrupted` says so, and nothing is dropped for it. Whether
        there was anything to do, and memory to do it.
        """
        name = self._sessions.unsettled() if self._model else None
        if self._model is None or name is None:
            return False
        with (
            contextlib.suppress(ContextTooLong),
            _named_memory_error(self.level),
            self._sessions.use(name) as session,
        ):
            self._settle(self._model, session, interrupted)
            return True
        return False

    def _settle(self, model: LoadedModel, session: Session, interrupted: Callable[[], str]) -> None:
        ids = session.ids

        def admit(held: int) -> int:
            admission = Admission(self.level, model, self._sessions, len(ids), held)
            if not admission.fits():
                raise admission.refusal()
            return len(ids)

        laid = self._sessions.lay(session, [*ids, 0], Exactness.COLD, admit=admit)
        self._sessions.make_room(len(ids))
        new, chunk = ids[laid.reused :], self.level.prefill_chunk
        generation.prefill(model.model, self._sessions.state, new, chunk=chunk, interrupted=interrupted)

    def generate(
        self,
        request: Generate,
        *,
        on_token: Callable[[Token], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
        deadline: float | None = None,
    ) -> Generated:
        """Answer the request; `on_token` gets each token as it comes, and the texts of all of them are the answer.

        `deadline` is a monotonic reading of the clock, in seconds. Cancel and deadline end the answer early, with
        what there is of it.
        Raises BadRequest, ContextTooLong, ModelMemory, NoChatTemplate, and the errors of loading.
        """
        stages = Stages(self._clock)

        def interrupted() -> str:
            if cancelled():
                return "cancelled"
            return "deadline" if deadline is not None and self._clock.mono_ns() >= deadline * 1e9 else ""

        with stages.measure("load"):
            model = self.load()
        began = self._gauge.begin()
        turn = Turn(self.level, model, request, interrupted, stages)
        with (
            self._billed_if_it_fails("exchange", began),
            _named_memory_error(self.level),
            self._sessions.use(request.session) as session,
        ):
            generated = turn.answer(self._sessions, session, on_token)
        took = self._gauge.since(began)
        return msgspec.structs.replace(
            generated,
            adapter=self._learned.digest if self._learned else "",
            cpu_s=took.cpu_s,
            joules=took.joules,
            joules_source=took.source,
        )

    def teach(self, request: Teach) -> Lecture:
        """Make ready to solve the exercises. Raises ModelChanged and the errors of loading."""
        model = self.load()
        if request.version and request.version != model.version:
            raise self._changed(request.version)
        taught = Taught(solutions=0, version=model.version, adapter=self._learned.digest if self._learned else "")
        return Lecture(model, teaching.teach(model, self.level, request), taught)

    def go_on_teaching(self, lecture: Lecture, interrupted: Callable[[], str]) -> list[Solution]:
        """Solve on, to the next solutions, or to the end of a forward pass once `interrupted` says so.

        Raises ModelChanged where the model it was begun with is no longer there, and the errors of `teach.teach`.
        """
        if self._model is not lecture.model:
            raise self._changed(lecture.taught.version)
        began = self._gauge.begin()
        with _named_memory_error(self.level):
            found = lecture.go_on(interrupted)
        lecture.took(self._gauge.since(began))
        return found

    def embed(self, request: Embed) -> Reading:
        """Make ready to read the texts. Raises ModelUnloaded, ModelChanged, the errors of loading and of `Reading`."""
        if not (self.loaded or request.load):
            raise ModelUnloaded(
                "the model is not in memory, and the request wants none loaded",
                place=f"level {self.level.name}",
                remedy="ask with `load`, or wait until somebody else needs it",
            )
        model = self.load()
        if request.version and request.version != model.version:
            raise self._changed(request.version)
        learned = self._learned
        base = learned.base if learned else model.fingerprint["weights"]
        return Reading(model, self.level, request, learned.digest if learned else "", base)

    def go_on_reading(self, reading: Reading) -> None:
        """Read on for one forward pass. Raises ModelChanged where the model it was begun with is no longer there."""
        if self._model is not reading.model:
            raise self._changed(reading.embedded.version)
        began = self._gauge.begin()
        with _named_memory_error(self.level):
            reading.go_on()
        reading.took(self._gauge.since(began))

    def _changed(self, version: str) -> ModelChanged:
        now = f"{self._model.version} answers now" if self._model else "it was unloaded"
        return ModelChanged(
            f"version {version} does not answer any more: {now}",
            place=f"level {self.level.name}",
            remedy="ask what answers, and begin again",
        )


@contextmanager
def _named_memory_error(level: Level) -> Iterator[None]:
    """On CUDA torch raises OutOfMemoryError when memory runs out, on a processor a RuntimeError that says so."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise ModelMemory(
                f"memory ran out while answering: {error}",
                place=f"level {level.name}",
                remedy="send a shorter conversation, or lower `context` or `state` in the levels file",
            ) from error
        raise


def _info(level: Level, model: LoadedModel, seconds: float) -> ModelInfo:
    return ModelInfo(
        level=level.name,
        model=level.model,
        version=model.version,
        loaded=True,
        device=model.device,
        dtype=model.dtype,
        parameters=model.parameters,
        weight_bytes=model.weight_bytes,
        load_s=seconds,
        context_limit=model.context,
    )
