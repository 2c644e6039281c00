"""A model worker as a process: one level's model behind the `model/…` services."""

import asyncio
import gc
import time
from pathlib import Path
from typing import Any

import msgspec

from nodes.model_worker import levels
from nodes.model_worker.effort import Effort
from nodes.model_worker.errors import ModelError, StateOutOfReach
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.hot import Hot
from nodes.model_worker.kv.vault import VAULT, Vault
from nodes.model_worker.learned import Learned
from nodes.model_worker.loads import Loads
from nodes.model_worker.residency import Residency, residency
from nodes.model_worker.trial import Trial
from nodes.model_worker.worker import Worker
from protocol.errors import BadRequest, SageError
from protocol.messages.context import ExchangeScored
from protocol.messages.dream import Adapter, AdapterAdopted, AdapterCurrent
from protocol.messages.metabolism import MetabolicState
from protocol.messages.model import (
    Embed,
    Embedded,
    ForgetState,
    Generate,
    Generated,
    InfoRequest,
    Load,
    MarkState,
    ModelInfo,
    ResumeState,
    SaveState,
    Solution,
    StateForgotten,
    StateMarked,
    StateResumed,
    StateSaved,
    Taught,
    Teach,
    Token,
    Unload,
)
from runtime.identity import HostIdentity
from runtime.node import Call, Event, Node, on, run, serve
from runtime.paths import shared_memory_dir

WAITING = 32
"""Requests worked on or waiting; the next is refused as overloaded."""
CONTROLLER = "metabolic_controller"
SETTLE_S = 5.0
REPLY_S = 0.05
"""Generation ends so long before the caller's deadline, that what there is of the answer still arrives."""


class ModelWorker(Node):
    """Answers with one language model, and keeps what it computed of each conversation."""

    class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        level: str
        levels: str = "configs/levels.yaml"
        """The levels file; a relative path may lie below the install."""
        preload: bool = True
        """Load at the start; otherwise with the first request."""

    def __init__(self, **context: Any) -> None:
        """As every node. Raises `ConfigError` for a levels file or a level that is not there."""
        super().__init__(**context)
        self._level = levels.load(self.params.levels).by_name(self.params.level)
        self._not_kept = ""
        """Why attention state does not outlive this process."""
        self._vault = self._open_vault()
        self._worker = Worker(
            self._level,
            self.clock,
            self._vault,
            self._show_problem,
            self._loaded,
            self._unheard,
            self._taught_in_vain,
            self._adopted,
            self._started,
            self._failed,
            self._read,
        )
        self._loads = Loads(self._level.name)
        self._valued = 0
        """Times that a conversation held here was said to be worth something."""

    async def start(self) -> None:
        self.stats_record("model", self._model_stats)
        self.stats_record("attention_state", lambda: self._worker.state_stats)
        self.stats_record("loads", self._loads.stats)
        self._started(time.process_time())
        if self.params.preload:
            await self._load()
        self._show_problem()

    async def stop(self) -> None:
        await self._worker.close()
        if self._vault is not None:
            self._vault.close()
        # Otherwise the interpreter searches all that torch has made for cycles before it exits: 0.9 s instead of 0.2.
        gc.freeze()

    @serve(Generate, concurrency=WAITING, queue=0)
    async def generate(self, request: Generate, call: Call) -> Generated:
        """Stream the answer token by token, then say what it took."""
        # At most `max_new_tokens` wait here for a caller that reads slowly; the model does not wait for it.
        tokens: asyncio.Queue[Token | None] = asyncio.Queue()
        sending = asyncio.ensure_future(_send(tokens, call))
        try:
            generated = await self._worker.generate(
                request,
                on_token=tokens.put_nowait,
                cancelled=lambda: call.cancelled,
                deadline=self.clock.mono_ns() / 1e9 + call.remaining() - REPLY_S,
            )
            tokens.put_nowait(None)
            await sending
        finally:
            sending.cancel()
            self._show_problem()
        return generated

    @serve(Teach, concurrency=1, queue=4)
    async def teach(self, request: Teach, call: Call) -> Taught:
        """Stream solutions as they come, then say what they took. Whoever wants an answer goes first."""

        async def send(solutions: list[Solution]) -> None:
            for solution in solutions:
                await call.part(solution)

        try:
            return await self._worker.teach(request, on_solutions=send, cancelled=lambda: call.cancelled)
        finally:
            self._show_problem()

    @serve(Embed, concurrency=8, queue=32)
    async def embed(self, request: Embed, call: Call) -> Embedded:
        """Texts as vectors. Whoever wants an answer goes first."""
        try:
            return await self._worker.embed(request, cancelled=lambda: call.cancelled)
        finally:
            self._show_problem()

    @serve(Load)
    async def load(self, _request: Load, _call: Call) -> ModelInfo:
        try:
            await self._worker.load()
        finally:
            self._show_problem()
        return self._worker.info

    @serve(Unload)
    async def unload(self, _request: Unload, _call: Call) -> ModelInfo:
        await self._worker.unload()
        return self._worker.info

    @serve(InfoRequest)
    async def info(self, _request: InfoRequest, _call: Call) -> ModelInfo:
        return self._worker.info

    @serve(SaveState)
    async def save_state(self, _request: SaveState, _call: Call) -> StateSaved:
        return await self._worker.save_state()

    @serve(ResumeState)
    async def resume_state(self, request: ResumeState, _call: Call) -> StateResumed:
        return await self._worker.resume_state(request.session)

    @serve(MarkState)
    async def mark_state(self, request: MarkState, _call: Call) -> StateMarked:
        """Keep a conversation as it stands beside the conversation itself."""
        return await self._worker.mark_state(request)

    @serve(ForgetState)
    async def forget_state(self, request: ForgetState, _call: Call) -> StateForgotten:
        """Drop what is kept of a conversation; its next turn is computed anew."""
        return await self._worker.forget_state(request.session)

    async def metabolic_changed(self, state: MetabolicState) -> None:
        """Unload before the transition counts as taken up; load beside it, for that may take long."""
        self.spawn(self._settle_loads())
        match residency(state, self._level.dream):
            case Residency.UNLOADED:
                await self._worker.unload()
            case Residency.HELD:
                self.spawn(self._load())

    @on(AdapterCurrent)
    async def learned(self, event: Event[AdapterCurrent]) -> None:
        """Answer with the weights a dream has put in force for this level, or with its own where it names none.

        What is on trial beside them answers its share of conversations.
        """
        named, level = event.body, self._level.name
        learned = next((_learned(each) for each in named.adapters if each.level == level and each.digest), None)
        tried = next((each for each in named.challengers if each.adapter.level == level), None)
        try:
            await self._worker.adopt(learned, Trial(_learned(tried.adapter), tried.share) if tried else None)
        except ModelError as error:
            digest = learned.digest if learned else ""
            self._adopted(AdapterAdopted(level=level, digest=digest, refused=str(error)))
        self._show_problem()

    def _adopted(self, adopted: AdapterAdopted) -> None:
        if adopted.refused:
            self.log.warning(
                "learned.refused", digest=adopted.digest, challenger=adopted.challenger, error=adopted.refused
            )
        else:
            self.log.info(
                "learned.adopted", digest=adopted.digest, challenger=adopted.challenger, waited=adopted.waited
            )
        self.publish(adopted)

    @on(ExchangeScored)
    async def scored(self, event: Event[ExchangeScored]) -> None:
        """What a conversation is worth decides how long its attention state stays, when others need the room."""
        scored = event.body
        if scored.conversation is not None and self._worker.info.sessions:
            self._valued += await self._worker.matters(scored.session, scored.conversation.salience)

    def _open_vault(self) -> Vault | None:
        if not self._level.disk or self._level.backend == "openai":
            return None
        keys = Keys(HostIdentity.load(self.state_dir))
        directory = self.state_dir / VAULT
        hot = self._open_hot(directory, keys)
        try:
            return Vault(directory, keys, budget=self._level.disk, clock=self.clock, hot=hot)
        except StateOutOfReach as error:
            self.log.warning("state.not_kept", error=str(error))
            self._not_kept = str(error)
            return None

    def _open_hot(self, vault: Path, keys: Keys) -> Hot | None:
        if not self._level.shared:
            return None
        try:
            place = shared_memory_dir() / keys.name(b"hot", str(vault).encode()).hex()[:16]
            return Hot(place, keys, budget=self._level.shared)
        except SageError as error:
            self.log.warning("state.not_shared", error=str(error))
            return None

    async def _load(self) -> None:
        """Load, and say so if that fails: the node goes on, and each request gets the error by its name."""
        try:
            await self._worker.load()
        except ModelError as error:
            self.log.warning("model.not_loaded", error=str(error))
        else:
            info = self._worker.info
            self.log.info(
                "model.loaded", level=info.level, version=info.version, device=info.device, seconds=info.load_s
            )
        self._show_problem()

    def _started(self, cpu_s: float) -> None:
        self._loads.add_start(self.new_trace().hex(), cpu_s)
        self._book()

    def _failed(self, kind: str, effort: Effort) -> None:
        self._loads.add_failed(kind, self.new_trace().hex(), effort)
        self._book()

    def _loaded(self, effort: Effort) -> None:
        self._loads.add(self.new_trace().hex(), effort)
        self._book()

    def _unheard(self, generated: Generated) -> None:
        self._loads.add_unheard(self.new_trace().hex(), generated)
        self._book()

    def _taught_in_vain(self, taught: Taught) -> None:
        self._loads.add_taught_in_vain(self.new_trace().hex(), taught)
        self._book()

    def _read(self, embedded: Embedded) -> None:
        if embedded.cpu_s > 0:
            self._loads.add_embedded(self.new_trace().hex(), embedded)
            self._book()

    def _book(self) -> None:
        if self.metabolic is not None:
            self.spawn(self._settle_loads())

    async def _settle_loads(self) -> None:
        """Have the controller book what nobody else settles. What it does not take waits for its next transition."""
        while (bill := self._loads.next()) is not None:
            try:
                await self.call(CONTROLLER, bill, deadline=SETTLE_S, idempotency_key=bill.ident)
            except BadRequest as error:
                self.log.warning("load.refused", ident=bill.ident, error=str(error))
                self._loads.strike(bill, refused=True)
            except SageError as error:
                self.log.info("load.unsettled", ident=bill.ident, error=str(error))
                return
            else:
                self._loads.strike(bill)

    def _show_problem(self) -> None:
        """Degraded while the model does not load, ready again once it does."""
        self.ails("model", self._worker.problem or self._not_kept)

    def _model_stats(self) -> dict[str, float]:
        info = self._worker.info
        return {
            "loaded": float(info.loaded),
            "load_s": info.load_s,
            "weight_bytes": info.weight_bytes,
            "state_bytes": info.state_bytes,
            "waiting": self._worker.waiting,
            "sensor_failed": self._worker.gauge.failed,
            "valued": self._valued,
        }


def _learned(adapter: Adapter) -> Learned:
    return Learned(Path(adapter.path), adapter.digest, adapter.base_version)


async def _send(tokens: asyncio.Queue[Token | None], call: Call) -> None:
    while (token := await tokens.get()) is not None:
        await call.part(token)


if __name__ == "__main__":
    run(ModelWorker)
