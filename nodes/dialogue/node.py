"""Dialogue as a process: words come in by voice or by call, one path answers them all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from nodes.dialogue import config, critical, hindsight, readiness, replays, spending, voice
from nodes.dialogue.choice import NO_TABLE
from nodes.dialogue.deliveries import CONTEXT, DESTINATIONS
from nodes.dialogue.exchange import Exchange
from nodes.dialogue.moments import Moments
from nodes.dialogue.patterns import Patterns, learner
from nodes.dialogue.patterns.learner import Learner
from nodes.dialogue.ports import Outlook
from nodes.dialogue.reach import Reach
from nodes.dialogue.readiness import Loaded
from nodes.dialogue.reality import opening
from nodes.dialogue.reality import settings as reality_settings
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.replayer import Replayer
from nodes.dialogue.replays import Replays
from nodes.dialogue.respond import NOBODY, Responder
from nodes.dialogue.store import Store, StoreUnreadable
from nodes.dialogue.traces import spoken
from nodes.trust_ledger.table import seed
from protocol.errors import ConfigError, SageError, SealError
from protocol.messages.audio import Utterance
from protocol.messages.context import ExchangeScored
from protocol.messages.dialogue import (
    Answer,
    Ask,
    Feedback,
    FeedbackTaken,
    ForgetSession,
    Forgotten,
    ReplyPart,
    TraceReply,
    TraceRequest,
)
from protocol.messages.dream import AdapterCurrent, DreamCompleted
from protocol.messages.hub import Registry
from protocol.messages.metabolism import Energy
from protocol.messages.model import MarkState
from protocol.messages.node import Health, NodeState
from protocol.messages.patterns import (
    DecidePattern,
    ListPatterns,
    ListProposals,
    PatternDecided,
    PatternRemoved,
    PatternsListed,
    Proposals,
    RemovePattern,
)
from protocol.messages.reality import (
    AssumptionExplained,
    AssumptionObserved,
    Assumptions,
    AssumptionsForgotten,
    ExplainAssumption,
    ForgetAssumptions,
    ListAssumptions,
    ObserveAssumption,
)
from protocol.messages.speech import Spoken
from protocol.messages.trust import Replay, Replayed, TrustTable
from runtime.node import Call, Event, Node, on, run, serve
from runtime.sealing import Sealer
from runtime.verifiers import Verifier, load_verifiers

STORE_FILE = "dialogue.sqlite"
DISK_S = 2.0
"""How often what could not be written is tried again."""
PRESENT = (NodeState.READY, NodeState.DEGRADED)
"""States in which a node answers. One that starts would, later: a model may take longer to load than an asker waits."""


class Dialogue(Node):
    """Answers what it is asked, with the smallest model that can be trusted with it."""

    class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        config: str = "configs/dialogue.yaml"
        """A relative path may lie below the install; so for the others."""
        patterns: str = "configs/patterns.yaml"
        trust: str = "configs/trust.yaml"
        reality: str = "configs/reality.yaml"
        critical: str = critical.SHIPPED

    _reach: Reach | None = None

    async def start(self) -> None:
        self._config = config.load(self.params.config)
        trust = config.load_trust(self.params.trust)
        self._moments = Moments(self._config.checkpoints)
        self._energy: Energy | None = None
        self._table: TrustTable = NO_TABLE
        self._present: frozenset[str] | None = None
        self._store = Store.open(self.state_dir / STORE_FILE, Sealer.load(self.state_dir, "dialogue"))
        self._reality = self._open_reality()
        self._epochs: dict[str, int] = {}
        """Worker, or sense of context → the life of it that was last heard of."""
        self._learner = self._open_patterns()
        self._replays = self._open_replays()
        self._loaded: dict[str, Loaded] = {}
        self._cpu_s: dict[str, float] = {}
        self._reach = reach = Reach(
            self, self._config, self._store, self._outlook, self._reality, self._learner, self._replays
        )
        verifiers = self._verifiers()
        harmful = critical.load(self.params.critical)
        self._responder = Responder(self._config, self._learner.force.patterns, trust, verifiers, reach, harmful)
        self._replayer = Replayer(self._config, trust, verifiers, self._replays, reach)
        await reach.assumed.begin()
        for name, record in (
            ("responder", self._responder.stats),
            ("outbox", reach.outbox.stats),
            ("unwritten", reach.unwritten.stats),
            ("conversations", reach.conversations.stats),
            ("traces", reach.traces.stats),
            ("reality", reach.assumed.stats),
            ("patterns", self._learner.force.stats),
            ("patterns_learned", self._learner.stats),
            ("replay", self._replayer.stats),
        ):
            self.stats_record(name, record)
        rounds = [*reach.courier.rounds(DESTINATIONS), reach.assumed.dropper.run(), *self._learner.rounds()]
        self._rounds = [self.spawn(work) for work in [*rounds, self._watch_the_disk()]]

    async def stop(self) -> None:
        if self._reach is None:
            return
        await self._responder.stop()
        for task in self._rounds:
            task.cancel()
        await asyncio.gather(*self._rounds, return_exceptions=True)
        await asyncio.to_thread(self._reach.unwritten.again)
        if self._reach.unwritten:
            self.log.error("exchanges.lost", count=len(self._reach.unwritten), problem=self._reach.unwritten.problem)
        self._store.close()
        self._reality.close()
        self._learner.close()
        self._replays.close()

    # What is asked

    @serve(Ask, concurrency=64, queue=64)
    async def ask(self, request: Ask, call: Call) -> Answer:
        """Answer, in pieces as they come, then with everything that is known of the answer."""
        within_s = min(call.remaining(), 10 * self._config.times.answer)
        return await self._respond(request, call.trace, within_s, call.part)

    @serve(TraceRequest)
    async def trace(self, request: TraceRequest, _call: Call) -> TraceReply:
        """The stages of an exchange and how long they took."""
        found = await asyncio.to_thread(self._kept.traces.find, request.ident)
        nothing = TraceReply(exchange="", trace=b"", question="", answered_by="", stages=[], found=False)
        return found or nothing

    @serve(Feedback)
    async def feedback(self, request: Feedback, _call: Call) -> FeedbackTaken:
        """Take down how good an answer was; whoever learns from it hears of it, now or when they are back."""
        found = await asyncio.to_thread(self._kept.traces.find, request.exchange)
        levels = [level.name for level in self._config.levels]
        told = hindsight.of_feedback(request, found, levels, self.clock.wall_ns())
        await self._kept.deliver(told)
        assert found is not None
        self._learner.judged(found.exchange, request.value, request.source)
        await self._kept.assumed.judged(found.exchange, request.value, request.source)
        return FeedbackTaken(exchange=found.exchange, question=found.question)

    @serve(Replay, concurrency=1)
    async def replay(self, request: Replay, call: Call) -> Replayed:
        """Put questions of the day through all levels, and tune the price of energy by what comes of it."""
        if request.take_back:
            return await self._replayer.take_back()
        return await self._replayer.replay(request.count, spending.rates(self._energy), call.part)

    @serve(ForgetSession)
    async def forget(self, request: ForgetSession, _call: Call) -> Forgotten:
        """Remove what was said in a conversation, here and from what others keep of it."""
        messages = await asyncio.to_thread(self._kept.conversations.forget, request.session)
        await self._kept.assumed.forget_session(request.session)
        await asyncio.to_thread(self._replays.forget, request.session)
        await self._learner.forget_session(request.session)
        return Forgotten(messages=messages)

    @serve(ListAssumptions)
    async def assumptions(self, request: ListAssumptions, _call: Call) -> Assumptions:
        """What is taken to be so."""
        return await self._kept.assumed.list(request, spending.rates(self._energy).cpu_s)

    @serve(ExplainAssumption)
    async def explain_assumption(self, request: ExplainAssumption, _call: Call) -> AssumptionExplained:
        return await self._kept.assumed.explain(request)

    @serve(ForgetAssumptions)
    async def forget_assumptions(self, request: ForgetAssumptions, _call: Call) -> AssumptionsForgotten:
        return await self._kept.assumed.forget(request)

    @serve(ObserveAssumption)
    async def observe_assumption(self, request: ObserveAssumption, _call: Call) -> AssumptionObserved:
        """Take in what somebody saw of an assumption."""
        return await self._kept.assumed.observe(request)

    @serve(ListPatterns)
    async def patterns(self, _request: ListPatterns, _call: Call) -> PatternsListed:
        """What is answered without a model."""
        return self._learner.listed()

    @serve(ListProposals)
    async def proposals(self, request: ListProposals, _call: Call) -> Proposals:
        return await self._learner.proposals(request)

    @serve(DecidePattern)
    async def decide_pattern(self, request: DecidePattern, _call: Call) -> PatternDecided:
        """Accept or reject what is proposed as a pattern."""
        return await self._learner.decide(request)

    @serve(RemovePattern)
    async def remove_pattern(self, request: RemovePattern, _call: Call) -> PatternRemoved:
        return await self._learner.remove(request)

    # What is heard

    @on(Utterance)
    async def heard(self, event: Event[Utterance]) -> None:
        """Answer aloud; beside the handler, so that what is said meanwhile is heard too."""
        self.spawn(self._answer_aloud(event.body, event.header.trace))

    @on(Spoken)
    async def was_spoken(self, event: Event[Spoken]) -> None:
        await asyncio.to_thread(self._kept.traces.add, event.body.exchange, spoken(event.body, event.header.source))

    @on(Energy)
    async def energy_said(self, event: Event[Energy]) -> None:
        self._energy = event.body

    @on(Health)
    async def health_said(self, event: Event[Health]) -> None:
        """Which workers have their model in memory, and what their processes have taken."""
        model = event.body.stats.get("model")
        if model is not None and "loaded" in model:
            source = event.header.source
            self._loaded[source] = readiness.heard(self._loaded.get(source), model, self.clock.mono_ns())
            self._cpu_s[source] = event.body.cpu_s

    @on(DreamCompleted)
    async def dreamt(self, event: Event[DreamCompleted]) -> None:
        """Night is for replay: what was learned is weighed anew, on the weights that answer from now on."""
        if self._config.replay.each and not event.body.interrupted:
            ended = [task for task in self._rounds if task.done()]
            self._rounds = [task for task in self._rounds if task not in ended]
            self._rounds.append(self.spawn(self._replay_by_night()))

    @on(TrustTable)
    async def trust_said(self, event: Event[TrustTable]) -> None:
        self._table = event.body

    @on(AdapterCurrent)
    async def adapters_said(self, event: Event[AdapterCurrent]) -> None:
        """Which version answers from now on is known once it has; of learned weights it is told by their digest."""
        self._responder.versions.clear()
        self._responder.versions.update(
            {one.level: seed(one.level, one.digest).version for one in event.body.adapters if one.digest}
        )
        await self._kept.assumed.adapters(event.body)

    @on(Registry)
    async def registry_said(self, event: Event[Registry]) -> None:
        present = frozenset(record.name for record in event.body.nodes if record.state in PRESENT)
        for back in present - (self._present or frozenset()):
            self._kept.courier.poke(back)
        self._present = present
        watched = present & {CONTEXT, *(level.worker for level in self._config.levels)}
        epochs = {record.name: record.epoch for record in event.body.nodes if record.name in watched}
        anew = frozenset(name for name, epoch in epochs.items() if self._epochs.get(name) != epoch)
        self._epochs |= epochs
        if anew:
            self.spawn(self._kept.assumed.started(anew))

    @on(ExchangeScored)
    async def scored(self, event: Event[ExchangeScored]) -> None:
        if reason := self._moments.why(event.body):
            self.spawn(self._mark(event.body, reason))

    # What follows

    async def _mark(self, scored: ExchangeScored, reason: str) -> None:
        """Have the worker that answered keep the conversation as it stands."""
        found = await asyncio.to_thread(self._kept.traces.find, scored.exchange)
        worker = next((each.worker for each in self._config.levels if found and each.name == found.answered_by), "")
        if not worker or not scored.session:
            return  # no model answered: no state stands behind it
        request = MarkState(session=scored.session, label=scored.exchange, why=reason)
        try:
            await self.call(worker, request, deadline=self._config.times.delivery)
        except SageError as error:
            self.log.warning("moment.not_marked", exchange=scored.exchange, worker=worker, error=str(error))
        else:
            self.log.info("moment.marked", exchange=scored.exchange, session=scored.session, why=reason)

    async def _watch_the_disk(self) -> None:
        """Write what waits for room, and say in every heartbeat that something does."""
        unwritten, said = self._kept.unwritten, ""
        while True:
            await asyncio.sleep(DISK_S)
            if unwritten:
                await asyncio.to_thread(unwritten.again)
            if unwritten.problem != said:
                said = unwritten.problem
                self.ails("disk", said)

    async def _answer_aloud(self, utterance: Utterance, trace: bytes) -> None:
        try:
            await self._respond(voice.asked(utterance), trace, self._config.times.answer)
        except SageError as error:
            self.log.warning("voice.unanswered", utterance=utterance.utterance, error=str(error))

    async def _respond(
        self, ask: Ask, trace: bytes, within_s: float, stream: Callable[[ReplyPart], Awaitable[Any]] | None = None
    ) -> Answer:
        trace = trace or self.new_trace()

        async def give(part: ReplyPart) -> None:
            self.publish(part, trace=trace)
            if stream is not None:
                await stream(part)

        exchange = Exchange(
            ask=ask,
            ident=self.new_trace().hex(),
            trace=trace,
            give=give,
            mono_ns=self.clock.mono_ns,
            deadline_ns=self.clock.mono_ns() + round(within_s * 1e9),
        )
        return await self._responder.respond(exchange)

    async def _replay_by_night(self) -> None:
        """Until somebody stirs: what was replayed by then is kept, and goes into the next tuning."""
        found = await self._replayer.replay(self._config.replay.each, spending.rates(self._energy), go_on=self._asleep)
        self.log.info("replay.done", done=found.done, failed=found.failed, price=found.price, why=found.why)

    def _asleep(self) -> bool:
        return self.metabolic is not None and self.metabolic.policy.answer == NOBODY

    def _outlook(self) -> Outlook:
        workers = {level.worker for level in self._config.levels}
        gone = workers - self._present if self._present is not None else frozenset[str]()
        return Outlook(
            metabolic=self.metabolic,
            energy=self._energy,
            table=self._table,
            gone=frozenset(gone),
            ready=readiness.ready(self._loaded, self.clock.mono_ns()),
            cpu_s=self._cpu_s,
            lesson=self._replays.lesson,
        )

    def _open_replays(self) -> Replays:
        """As they were left. What cannot be read is moved aside, and that is said: it can be replayed again."""
        kept, path = self._config.replay, self.state_dir / replays.FILE
        sealer = Sealer.load(self.state_dir, "dialogue")
        try:
            return Replays(Store.open(path, sealer, replays.TABLES), questions=kept.questions, samples=kept.samples)
        except (StoreUnreadable, SealError) as error:
            aside = path.rename(path.with_suffix(f".{self.clock.wall_ns()}.unreadable"))
            self.log.exception("replay.unreadable", moved_to=str(aside))
            self.ails("replay", f"nothing is known of replays: {error}; the file is now {aside.name}")
            return Replays(Store.open(path, sealer, replays.TABLES), questions=kept.questions, samples=kept.samples)

    def _open_reality(self) -> Reality:
        """As it was left. What cannot be read is moved aside, and that is said: all of it can be found out again."""
        settings = reality_settings.load(self.params.reality)
        try:
            return opening.opened(self.state_dir, settings)
        except StoreUnreadable as error:
            aside = opening.moved_aside(self.state_dir, self.clock.wall_ns())
            self.log.exception("reality.unreadable", moved_to=str(aside))
            self.ails("reality", f"nothing is assumed any more: {error}; the file is now {aside.name}")
            return opening.opened(self.state_dir, settings)

    def _verifiers(self) -> list[Verifier]:
        try:
            return load_verifiers()
        except ConfigError as error:
            self.log.exception("verifiers.unusable")
            self.ails("verifiers", f"no verifier has a say: {error}")
            return []

    def _open_patterns(self) -> Learner:
        opened = learner.opened(
            self.state_dir,
            self.params.patterns,
            log=self.log,
            wall_ns=self.clock.wall_ns,
            changed=self._patterns_changed,
        )
        if opened.force.problem:
            self.ails("patterns", opened.force.problem)
        return opened

    def _patterns_changed(self, now: Patterns, problem: str) -> None:
        self._responder.patterns = now
        self.ails("patterns", problem)

    @property
    def _kept(self) -> Reach:
        assert self._reach is not None
        return self._reach


if __name__ == "__main__":
    run(Dialogue)
