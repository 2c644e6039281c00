"""The metabolic controller as a process: it hears what happens, says how awake the whole is, keeps the account."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from nodes.metabolic_controller import body, bookkeeping, circadian, energy, explain, proof, senses
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.metabolism import Metabolism, Standing
from nodes.metabolic_controller.senses import Senses
from nodes.metabolic_controller.store import TRANSITIONS_KEPT, Store, StoreError
from protocol.errors import BadRequest, ConfigError
from protocol.messages.audio import SpeechActivity
from protocol.messages.context import Classified
from protocol.messages.dialogue import ExchangeCompleted, ExchangeStarted
from protocol.messages.dream import DreamBacklog
from protocol.messages.hub import ListNodes, Registry
from protocol.messages.metabolism import (
    Books,
    BooksRequest,
    ExplainState,
    ListTransitions,
    Metabolic,
    MetabolicState,
    RequestState,
    Reserve,
    Reserved,
    Rouse,
    Settle,
    Settled,
    StateExplained,
    Transitions,
)
from runtime import config, paths
from runtime.node import Call, Event, Node, on, run, serve

STORE_FILE = "metabolism.sqlite"
PROVEN_FILE = "metabolism.proven"
SAY_ENERGY_S = 5.0
KEEP_ACCOUNT_S = 30.0
TRY_AGAIN_S = 2.0
"""While nothing can be written."""
HUB_PATIENCE_S = 10.0


class MetabolicController(Node):
    """Decides how awake the whole is and keeps its energy account."""

    class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        config: str = ""
        """Path of the configuration; empty: the one that ships."""
        tick_s: float = 0.5
        """How often time alone may bring a transition; whatever is heard is decided at once."""

    _started = False

    async def start(self) -> None:
        path = Path(self.params.config) if self.params.config else paths.shipped("configs/metabolism.yaml")
        self._config = config.load(path, MetabolismConfig)
        if wrong := await asyncio.to_thread(proof.faults, self._config, self.state_dir / PROVEN_FILE):
            raise ConfigError("; ".join(wrong), place=str(path), remedy="see the comments in configs/metabolism.yaml")
        self._store = Store(self.state_dir / STORE_FILE)
        self._metabolism = self._resumed()
        self._unwritten: deque[MetabolicState] = deque(maxlen=TRANSITIONS_KEPT)
        """Transitions that were said and could not be written down yet."""
        self._settled = self._repeated = self._reserved = self._refused = self._unheld = 0
        self._source = "cpu"
        self._said_energy_s = self._kept_account_s = self._now()
        self.stats_record("metabolism", self._counters)
        taken_up = await self._taken_up()
        if taken_up > self._metabolism.standing.number:
            self.log.warning("number.resumed", taken_up=taken_up, own=self._metabolism.standing.number)
            self._publish(self._metabolism.renumber(taken_up, self._now()))
        else:
            self.publish(self._said())
            self._publish_energy()
        self._started = True
        self.spawn(self._keep_ticking())
        self.spawn(self._keep_looking())

    async def stop(self) -> None:
        if self._started:
            self._metabolism.advance(self._now())
            self._write(lambda: bookkeeping.keep(self._metabolism, self._store, self.clock.wall_ns()))
            self._write(self._remember)
            self._store.close()

    # What happens

    @on(SpeechActivity)
    async def speech(self, event: Event[SpeechActivity]) -> None:
        self._sense(lambda sensed, now: senses.speech(sensed, event.body.speaking, now))

    @on(ExchangeStarted)
    async def exchange_started(self, event: Event[ExchangeStarted]) -> None:
        self._sense(lambda sensed, now: senses.started(sensed, event.body.exchange, now))

    @on(ExchangeCompleted)
    async def exchange_completed(self, event: Event[ExchangeCompleted]) -> None:
        failed = bool(event.body.error)
        self._sense(lambda sensed, now: senses.completed(sensed, event.body.exchange, failed, now))

    @on(Classified)
    async def classified(self, event: Event[Classified]) -> None:
        salience = event.body.snarc.salience
        self._sense(lambda sensed, now: senses.noticed(sensed, salience, now, self._config.senses))

    @on(DreamBacklog)
    async def backlog_said(self, event: Event[DreamBacklog]) -> None:
        """The dreamer knows what it would learn from; written down, for a restart must not end a dream."""
        lessons = event.body.examples
        self._write(lambda: self._store.learned(lessons))
        self._sense(lambda sensed, _now: senses.learned(sensed, lessons))

    # What is asked

    @serve(RequestState)
    async def request(self, request: RequestState, call: Call) -> MetabolicState:
        """Follow an operator's wish; the answer tells the state that holds, and why if it is another."""
        self._pass_time()
        made, refused = self._metabolism.request(request.state, self._now())
        self._publish(made)
        self._write(self._remember)
        self.log.info("state.requested", wish=request.state, who=request.who, by=call.caller, refused=refused)
        said = self._said()
        return msgspec.structs.replace(said, reason=refused) if refused else said

    @serve(ExplainState)
    async def explain(self, _request: ExplainState, _call: Call) -> StateExplained:
        """What the state rests on, and what would end it."""
        self._pass_time()
        now, standing = self._now(), self._metabolism.standing
        inputs = self._metabolism.inputs(now)
        return StateExplained(
            said=self._said(),
            inputs=msgspec.to_builtins(inputs) | {"strain": inputs.strain.name.lower()},
            dwell_left_s=max(0.0, self._config.dwell(standing.state) - (now - standing.since_s)),
            ways=await asyncio.to_thread(explain.ways, standing.state, inputs, self._config),
        )

    @serve(ListTransitions)
    async def transitions(self, request: ListTransitions, _call: Call) -> Transitions:
        """The last transitions, as they were said."""
        return Transitions(transitions=self._store.transitions(request.since_ns, request.limit))

    @serve(Rouse)
    async def rouse(self, request: Rouse, _call: Call) -> MetabolicState:
        """Wake the whole, at once."""
        if not 0 <= request.salience <= 1:
            raise BadRequest(f"a salience lies between 0 and 1, not at {request.salience}", place="metabolic/rouse")
        self._pass_time()
        self._publish(self._metabolism.rouse(request.reason, request.salience, self._now()))
        return self._said()

    @serve(Settle, queue=1024)
    async def settle(self, claim: Settle, _call: Call) -> Settled:
        """Book what something cost, once. Answered when it is on the disk."""
        settled = bookkeeping.settle(self._metabolism, self._store, claim, self._now(), self.clock.wall_ns())
        self._settled += 1
        self._repeated += settled.repeated
        if claim.kind == "exchange":
            self._source = claim.source or "cpu"
        self._pass_time()
        self._publish_energy()
        return settled

    @serve(Reserve, queue=1024)
    async def reserve(self, wish: Reserve, _call: Call) -> Reserved:
        """Hold energy for something. Answered when it is written."""
        reserved = bookkeeping.reserve(self._metabolism, self._store, wish, self._now(), self.clock.wall_ns())
        self._reserved += 1
        self._refused += not reserved.granted
        self._unheld += reserved.granted and not reserved.repeated and wish.atp > 0 and reserved.atp == 0
        self._pass_time()
        self._publish_energy()
        return reserved

    @serve(BooksRequest)
    async def books(self, asked: BooksRequest, _call: Call) -> Books:
        """The accounts, and what moved between them hour by hour."""
        return bookkeeping.books(self._metabolism, self._store, asked, self.clock.wall_ns())

    # What follows

    def _sense(self, change: Callable[[Senses, float], Senses]) -> None:
        """Take in what happened, and decide at once."""
        self._metabolism.sensed = change(self._metabolism.sensed, self._now())
        self._pass_time()

    def _pass_time(self) -> None:
        self._publish(self._metabolism.advance(self._now()))

    def _publish(self, made: Standing | None) -> None:
        """Write a transition down, then say it."""
        if made is None:
            return
        said = self._said()
        self._write(lambda: self._enter_in_books(said))
        self.log.info("state.changed", state=made.state, number=made.number, reason=made.reason, was=made.previous)
        self.publish(said)
        self._publish_energy()

    def _enter_in_books(self, said: MetabolicState) -> None:
        self._unwritten.append(said)
        self._write_transitions()
        self._remember()

    def _write_transitions(self) -> None:
        """Those that could not be written before come first; a transition that was said is not lost."""
        while self._unwritten:
            self._store.entered(self._unwritten[0], self._metabolism.account)
            self._metabolism.account = self._metabolism.account.written()
            self._unwritten.popleft()

    def _remember(self) -> None:
        """Write down what is sensed, so that a restart forgets no failure and no wish."""
        self._store.sensed(senses.remember(self._metabolism.sensed, self._now(), self.clock.wall_ns()))

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(self.params.tick_s)
            self._pass_time()
            if self._unwritten:
                self._write(self._write_transitions)
            now = self._now()
            if now - self._said_energy_s >= SAY_ENERGY_S:
                self._publish_energy()
            if now - self._kept_account_s >= (TRY_AGAIN_S if self.ailing else KEEP_ACCOUNT_S):
                self._write(lambda: bookkeeping.keep(self._metabolism, self._store, self.clock.wall_ns()))
                self._kept_account_s = now

    async def _keep_looking(self) -> None:
        """Feel the machine itself."""
        before = None
        while True:
            used = await asyncio.to_thread(body.usage, self._now(), os.getppid())
            felt = await asyncio.to_thread(body.look, before, used)
            before = used
            self._metabolism.sensed = senses.felt(self._metabolism.sensed, felt)
            await asyncio.sleep(self._config.body.every)

    def _write(self, write: Callable[[], None]) -> None:
        """Write, or say that nothing can be written and go on: a whole without a controller would be worse off."""
        try:
            write()
        except StoreError as error:
            self.log.exception("store.failed")
            self.ails("store", str(error))
        else:
            self.ails("store", "")

    def _publish_energy(self) -> None:
        self._said_energy_s = self._now()
        self.publish(energy.statement(self._metabolism.account, self._config.energy, self._source))

    async def _taken_up(self) -> int:
        """The highest transition any node has taken up. Beyond our own, our memory was lost: numbers never fall."""
        registry: Registry = await self.call("hub", ListNodes(), deadline=HUB_PATIENCE_S)
        return max((record.health.metabolic_number for record in registry.nodes if record.health), default=0)

    def _resumed(self) -> Metabolism:
        """As it was when the controller ended; awake and rested on the first start."""
        now = self._now()
        opened = self._store.account(self.clock.wall_ns()) or energy.open_account(self._config.energy, now)
        account = energy.resume(opened, now, self._config.energy)
        sensed = senses.recall(self._store.senses(), self._store.lessons(), now, self.clock.wall_ns())
        said = self._store.last()
        if said is None:
            first = Standing(state=Metabolic.WAKE, number=1, reason="first start", since_s=now)
            made = Metabolism(self._config, first, account, sensed, self._hour)
            self._store.entered(made.said(now, self.clock.wall_ns()), made.account)
            made.account = made.account.written()
            return made
        age_s = max(0.0, (self.clock.wall_ns() - said.since_ns) / 1e9)
        standing = Standing(
            state=said.state, number=said.number, reason=said.reason, since_s=now - age_s, previous=said.previous
        )
        return Metabolism(self._config, standing, account, sensed, self._hour)

    def _said(self) -> MetabolicState:
        return self._metabolism.said(self._now(), self.clock.wall_ns())

    def _now(self) -> float:
        return self.clock.mono_ns() / 1e9

    def _hour(self, now_s: float) -> float:
        ago_ns = self.clock.mono_ns() - round(now_s * 1e9)
        return circadian.hour((self.clock.wall_ns() - ago_ns) / 1e9, self._config.night.zone)

    def _counters(self) -> dict[str, float]:
        sensed = self._metabolism.sensed
        return {
            "number": self._metabolism.standing.number,
            "atp": self._metabolism.account.atp,
            "waiting": len(sensed.waiting),
            "lessons": sensed.lessons,
            "settled": self._settled,
            "repeated": self._repeated,
            "reserved": self._reserved,
            "refused": self._refused,
            "unheld": self._unheld,
            "held": len(self._metabolism.account.held),
            "lapsed": self._metabolism.lapsed,
        }


if __name__ == "__main__":
    run(MetabolicController)
