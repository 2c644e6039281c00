"""The dream consolidator as a process: it keeps what is worth learning, and dreams while nobody is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator import teacher_cache
from nodes.dream_consolidator.adapters.registry import Adapters
from nodes.dream_consolidator.adapters.trials import Trials
from nodes.dream_consolidator.charges import Charges
from nodes.dream_consolidator.collector.store import Collector
from nodes.dream_consolidator.dream import Dreamer, Ended
from nodes.dream_consolidator.job import PURPOSE
from nodes.dream_consolidator.journal import Journal
from nodes.dream_consolidator.pace import AGAIN_S, AWAY_S, CHARGE_S, LOOK_S, TELL_S
from nodes.dream_consolidator.purse import Purse, sensor
from nodes.dream_consolidator.vouching import LEDGER, validation
from nodes.model_worker import levels as model_levels
from nodes.model_worker.effort import Gauge
from protocol import ids
from protocol.errors import BadRequest, SageError
from protocol.messages.dream import (
    Adapter,
    AdapterAdopted,
    AdapterDecided,
    DreamBacklog,
    DreamCompleted,
    DreamProgress,
    DreamShown,
    DreamStatus,
    DreamStatusRequest,
    DreamStopped,
    ExamplesForgotten,
    ExamplesListed,
    ForgetExamples,
    History,
    HistoryRequest,
    Keep,
    Kept,
    ListExamples,
    Revise,
    Revised,
    RollBack,
    RolledBack,
    ShowDream,
    StartDream,
    StopDream,
)
from protocol.messages.metabolism import Energy, Metabolic, MetabolicState, Reserve, Settle
from protocol.messages.trust import TrustRecorded, TrustTable
from runtime.node import Call, Event, Node, on, run, serve
from runtime.paths import private_directory
from runtime.sealing import Sealer

CONTROLLER = "metabolic_controller"
_SETTLE_S = 5.0
_HOLD_S = 1.0
"""So long a transition may have to wait for a dream that is about to begin."""
_ENDED = None
"""Put to whoever follows a dream when it is over."""

Follower = asyncio.Queue[DreamProgress | None]


class DreamConsolidator(Node):
    """Keeps salient exchanges, and in DREAM lets a small model learn from a larger one what measurably helps."""

    class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        config: str = ""
        """Path of the configuration; empty: the one that ships."""
        levels: str = ""
        """Path of the levels file; empty: the one that ships."""

    def __init__(self, **context: Any) -> None:
        """As every node. Raises `ConfigError` for a configuration, or a student that is no level."""
        super().__init__(**context)
        settings = configuration.load(self.params.config or None)
        levels = model_levels.load(self.params.levels or None)
        for student in settings.students:
            levels.by_name(student)
        directory = private_directory(self.state_dir / "dream")
        self._settings = settings
        self._collector = Collector(
            directory / "examples.sqlite", Sealer.load(self.state_dir, PURPOSE), settings.collect, levels.names
        )
        self._journal = Journal(directory / "journal.sqlite")
        self._adapters = Adapters.load(self.state_dir)
        self._trials = Trials(self._adapters, settings.canary)
        charges = Charges(directory / "charges.json")
        if charges.problem:
            self.log.warning("dream.charges_lost", problem=charges.problem)
        self._purse = Purse(self._ask_controller, charges, settings.dream, Gauge(self.clock, sensor), self.log)
        self._dreamer = Dreamer(
            collector=self._collector,
            journal=self._journal,
            adapters=self._adapters,
            settings=settings,
            levels=levels,
            state_dir=self.state_dir,
            clock=self.clock,
            afford=self._purse.afford,
        )
        for dream, why in self._dreamer.void.items():
            self.log.warning("dream.void", dream=dream, why=why)
            told = f"it was begun under settings that are read no longer, and begins anew: {why}"
            void = DreamCompleted(dream=dream, level="", promoted=False, why=told)
            self._journal.write(void, material_ns=0, ended_ns=self.clock.wall_ns())
        self._dreaming: asyncio.Task[DreamCompleted] | None = None
        self._asked_for = False
        self._may_dream = False
        """Whether the whole dreams. Known sooner than the transition counts as taken up."""
        self._followers: set[Follower] = set()
        self._closing: asyncio.Task[None] | None = None
        """Books what the last stretch cost."""
        self._forgetting = asyncio.Lock()
        self._changed = asyncio.Event()
        """Set when there may be more to learn than was said."""
        self._backlog: DreamBacklog | None = None
        self._away = ""
        """Why the teacher was not there a moment ago; no dream begins by itself then."""
        self._said = teacher_cache.opened(self.state_dir, settings.teach.cache)

    async def start(self) -> None:
        self.stats_record("examples", self._collector.stats)
        self.stats_record("energy", self._purse.stats)
        self.stats_record("teacher", self._said.stats)
        await self._forget_derived()
        self._say_adapters()
        self.spawn(self._keep_telling())
        self.spawn(self._keep_looking())

    async def stop(self) -> None:
        await self._interrupt()
        if self._closing is not None:
            await asyncio.wait({self._closing}, timeout=_SETTLE_S)
        self._collector.close()
        self._said.close()
        self._journal.close()

    async def metabolic_changed(self, state: MetabolicState) -> None:
        """DREAM begins a dream. Whatever else ends it, within its grace; REST lets one go on that was asked for."""
        self._may_dream = state.policy.dream
        if state.policy.dream and not self._away:
            self._begin(asked_for=False, reason=state.reason)
        elif not (state.state is Metabolic.REST and self._asked_for):
            await self._interrupt()

    @on(TrustRecorded)
    async def outcome_said(self, event: Event[TrustRecorded]) -> None:
        self._decided(self._trials.heard(event.body, self.clock.wall_ns()))

    @on(TrustTable)
    async def trust_said(self, event: Event[TrustTable]) -> None:
        self._decided(self._trials.alarmed(event.body, self.clock.wall_ns()))

    @on(AdapterAdopted)
    async def adopted_said(self, event: Event[AdapterAdopted]) -> None:
        self._decided(self._trials.adopted(event.body, self.clock.wall_ns()))

    @on(Energy)
    async def energy_said(self, event: Event[Energy]) -> None:
        if self._purse.heard(event.body):
            self._tell()

    @serve(Keep, concurrency=64, queue=1024)
    async def keep(self, offer: Keep, call: Call) -> Kept:
        """Keep an exchange if something can be learned from it; answered once it is on the disk."""
        kept = self._collector.offer(offer, self.clock.wall_ns())
        if kept.kept:
            self._changed.set()
        return kept

    @serve(Revise, concurrency=64, queue=1024)
    async def revise(self, revise: Revise, call: Call) -> Revised:
        """Take in what was learned of an exchange after it was offered; answered once it is on the disk."""
        return self._collector.revise(revise)

    @serve(ListExamples)
    async def list_examples(self, request: ListExamples, call: Call) -> ExamplesListed:
        """What is kept, one by one; opened only where its words are asked for."""
        count = 0
        for row in self._collector.rows(request.exchanges, words=request.words):
            said = self._said.answer(row.exchange) if request.words else ""
            await call.part(msgspec.structs.replace(row, teacher=said))
            count += 1
        return ExamplesListed(examples=count)

    @serve(ForgetExamples, concurrency=4)
    async def forget_examples(self, wish: ForgetExamples, call: Call) -> ExamplesForgotten:
        """Forget examples and what was made from them; answered when no byte of what was said is left in the store."""
        if wish == ForgetExamples():
            raise BadRequest("it does not say what to forget", place="dream/forget", remedy="name an exchange, or all")
        found = self._collector.forget(wish)
        given_up, derived = await self._forget_derived()
        self.log.info("dream.forgot", examples=len(found.examples), derived=derived)
        self._changed.set()
        return ExamplesForgotten(
            examples=len(found.examples), exchanges=len(found.exchanges), dream=given_up, derived=derived
        )

    @serve(StartDream)
    async def start_dream(self, request: StartDream, call: Call) -> DreamCompleted:
        """Dream now, or follow the dream there is. Who gives up listening does not end it."""
        follower: Follower = asyncio.Queue()
        self._followers.add(follower)
        try:
            dreaming = self._begin(asked_for=True, reason=request.reason)
            while (progress := await follower.get()) is not _ENDED:
                await call.part(progress)
            return await dreaming
        finally:
            self._followers.discard(follower)

    @serve(StopDream)
    async def stop_dream(self, request: StopDream, call: Call) -> DreamStopped:
        """Answered once nothing of it runs. It goes on from there another time."""
        dreaming = self._dreaming if self._is_dreaming() else None
        await self._interrupt()
        return DreamStopped(dream=(await dreaming).dream if dreaming is not None else "")

    @serve(HistoryRequest)
    async def history(self, request: HistoryRequest, call: Call) -> History:
        return History(dreams=self._journal.records(request.limit), versions=self._adapters.lineages())

    @serve(ShowDream)
    async def show(self, request: ShowDream, call: Call) -> DreamShown:
        """One dream and what it left. BadRequest where there is none of that name."""
        last = self._journal.last() if request.ident == "last" else None
        wanted = last.dream if last else request.ident
        version = self._adapters.find(wanted)
        record = self._journal.find(version.adapter.dream if version else wanted) if wanted else None
        if record is None and version is None:
            raise BadRequest(
                f"there is no dream {request.ident!r}", place="dream/show", remedy="`sage dream history` names them"
            )
        found = version or (self._adapters.find(record.completed.dream) if record else None)
        name = found.adapter.dream if found else ""
        lineage = next((each for each in self._adapters.lineages() if each.dream == name), None)
        if lineage is not None and lineage.state == "challenger":
            lineage = msgspec.structs.replace(lineage, standing=self._trials.standing(lineage.level))
        atp = self._purse.charged(record.completed.dream) if record else None
        return DreamShown(dream=record, lineage=lineage, atp=atp)

    @serve(RollBack)
    async def roll_back(self, wish: RollBack, call: Call) -> RolledBack:
        rolled_back, decided = self._trials.roll_back(wish, self.clock.wall_ns())
        self._decided(decided)
        return rolled_back

    @serve(DreamStatusRequest)
    async def status(self, request: DreamStatusRequest, call: Call) -> DreamStatus:
        return DreamStatus(
            examples=self._collector.count,
            dreaming=self._is_dreaming(),
            last=self._journal.last(),
            adapters=(current := self._adapters.announced()[0]).adapters,
            challengers=current.challengers,
        )

    async def _forget_derived(self) -> tuple[str, list[str]]:
        """Give up, remove or mark what was made from forgotten exchanges: the dream that was given up, and the rest."""
        async with self._forgetting:
            exchanges = self._collector.pending()
            if not exchanges:
                return "", []
            given_up = self._dreamer.give_up(exchanges)
            await self._interrupt()  # no training process reads what teachers said while it is forgotten
            if given_up:
                self._dreamer.clear()
            answers = self._said.forget(exchanges)
            withdraw = self._settings.canary.forgotten == "withdraw"
            marked = self._adapters.forgotten(exchanges, withdraw=withdraw, now_ns=self.clock.wall_ns())
            if marked:
                self._say_adapters()
            self._collector.settled(exchanges)
            derived = [f"weights {digest}" for digest in marked]
            return given_up, derived + ([f"{answers} answers of teachers"] if answers else [])

    def _begin(self, *, asked_for: bool, reason: str) -> asyncio.Task[DreamCompleted]:
        """Begin a dream, unless one is under way; its task."""
        if self._dreaming is None or self._dreaming.done():
            ident = ids.text(ids.uuid7(self.clock.wall_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big")))
            self._asked_for = asked_for
            self.log.info("dream.began", reason=reason)
            self._dreaming = self.spawn(self._dream(self._dreamer.dream(ident, self._progressed, asked=asked_for)))
            self.spawn(self._accompany(self._dreaming))
        return self._dreaming

    async def _interrupt(self) -> None:
        """Stop the dream there is; when this returns, another may begin."""
        await self._dreamer.interrupt()
        if self._dreaming is not None:
            await asyncio.wait({self._dreaming})

    def _is_dreaming(self) -> bool:
        return self._dreaming is not None and not self._dreaming.done()

    async def _dream(self, dreaming: Coroutine[Any, Any, Ended]) -> DreamCompleted:
        over = False
        try:
            ended = await dreaming
            over = not ended.completed.interrupted
            self._announce(ended)
            if ended.away:
                self._away = ended.away
                self.spawn(self._await_teacher())
            return ended.completed
        finally:
            self._closing = self.spawn(self._purse.close(self._dreamer.spent_s(), ended=over))
            for follower in self._followers:
                follower.put_nowait(_ENDED)
            self._tell()

    async def _await_teacher(self) -> None:
        """Let some time pass before the teacher is asked again, unless somebody wants a dream by hand."""
        await asyncio.sleep(AWAY_S)
        self._away = ""
        self._tell()
        self._go_on()

    def _go_on(self) -> None:
        """Dream on where the whole dreams and there is more to learn."""
        if self._may_dream and not self._is_dreaming() and self._backlog is not None and self._backlog.examples > 0:
            self._begin(asked_for=False, reason="there is more to learn")

    def _progressed(self, progress: DreamProgress) -> None:
        self.publish(progress)
        for follower in self._followers:
            follower.put_nowait(progress)

    def _announce(self, ended: Ended) -> None:
        completed = ended.completed
        if ended.last_lines:
            self.log.error("dream.failed", dream=completed.dream, last_lines=ended.last_lines)
        self.log.info(
            "dream.ended",
            dream=completed.dream,
            level=completed.level,
            promoted=completed.promoted,
            interrupted=completed.interrupted,
            why=completed.why,
        )
        if ended.promoted is not None:
            self._say_adapters()
            self.spawn(self._vouch(completed, ended.promoted))
        self.publish(completed)

    def _decided(self, decisions: Sequence[AdapterDecided]) -> None:
        """Say what became of learned weights, and have the workers answer accordingly."""
        for each in decisions:
            self.log.warning("adapter.decided", level=each.level, digest=each.digest, state=each.state, why=each.why)
            self.publish(each)
        if decisions:
            self._say_adapters()

    async def _keep_looking(self) -> None:
        """A trial ends by its time, whatever is heard."""
        while True:
            self._decided(self._trials.look(self.clock.wall_ns()))
            await asyncio.sleep(LOOK_S)

    def _say_adapters(self) -> None:
        """Have the workers answer with what is in force or on trial, as far as its record verifies."""
        current, refused = self._adapters.announced()
        self.publish(current)
        for error in refused:
            self.log.error("adapter.refused", error=str(error))
        self.ails("adapters", "; ".join(str(error) for error in refused))

    async def _vouch(self, completed: DreamCompleted, promoted: Adapter) -> None:
        """Tell the ledger what the new weights showed. Without it they are believed in as any that nobody knows."""
        told = validation(completed, promoted)
        if told is None:
            return
        try:
            await self.call(LEDGER, told, deadline=_SETTLE_S, idempotency_key=told.exchange)
        except SageError as error:
            self.log.warning("dream.not_vouched_for", dream=completed.dream, level=completed.level, error=str(error))

    async def _accompany(self, dreaming: asyncio.Task[DreamCompleted]) -> None:
        """Have the energy charged while it is spent: what the account no longer bears is not dreamt on."""
        while not dreaming.done():
            await asyncio.wait({dreaming}, timeout=CHARGE_S)
            if not dreaming.done() and (poor := await self._purse.charge(self._dreamer.spent_s())):
                await self._dreamer.interrupt(poor)
        if dreaming.cancelled():
            return
        if (error := dreaming.exception()) is not None:  # not tried again before the whole dreams anew
            self.ails("dream", f"a dream could not go on: {error}")
            return
        self.ails("dream", "")
        self._go_on()

    async def _ask_controller(self, request: Reserve | Settle) -> Any:
        """A claim is the same however often it is made; what is to be held is asked for anew each time."""
        if isinstance(request, Settle):
            return await self.call(CONTROLLER, request, deadline=_SETTLE_S, idempotency_key=request.ident)
        return await self.call(CONTROLLER, request, deadline=_HOLD_S)

    async def _keep_telling(self) -> None:
        """Say how much there is to learn: at first, and a while after that may have changed."""
        while True:
            self._changed.clear()
            if not self._is_dreaming():  # what a dream leaves is said when it ends
                self._tell()
            with contextlib.suppress(TimeoutError):  # need grows with waiting alone
                async with asyncio.timeout(AGAIN_S):
                    await self._changed.wait()
            await asyncio.sleep(TELL_S)

    def _tell(self) -> None:
        try:
            backlog = self._dreamer.backlog()
            if why := self._purse.lacking or self._away:
                backlog = DreamBacklog(examples=0, why=why, retrain=backlog.retrain)
        except Exception as error:  # a damaged or a full store must not end the telling
            self.log.warning("dream.backlog_unknown", error=str(error))
            backlog = DreamBacklog(examples=0, why=str(error))
        if backlog != self._backlog:
            self._backlog = backlog
            self.publish(backlog)


if __name__ == "__main__":
    run(DreamConsolidator)
