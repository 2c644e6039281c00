"""The metabolic controller as a process: it hears what happens, says how awake the whole is, keeps the account."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

import msgspec

from nodes.metabolic_controller import energy, senses
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.explore import faults
from nodes.metabolic_controller.metabolism import Metabolism, Standing
from nodes.metabolic_controller.senses import Senses
from nodes.metabolic_controller.store import Store, StoreError
from protocol.errors import BadRequest, ConfigError
from protocol.messages.audio import SpeechActivity
from protocol.messages.context import Classified
from protocol.messages.dialogue import ExchangeCompleted, ExchangeStarted
from protocol.messages.dream import DreamCompleted
from protocol.messages.hub import ListNodes, Registry
from protocol.messages.metabolism import Metabolic, MetabolicState, RequestState, Rouse, Settle, Settled
from protocol.messages.node import NodeState
from runtime import config, paths
from runtime.node import Call, Event, Node, on, run, serve

STORE_FILE = "metabolism.sqlite"
KINDS = ("exchange", "dream")
SAY_ENERGY_S = 5.0
KEEP_ACCOUNT_S = 30.0
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
        if wrong := await asyncio.to_thread(faults, self._config):
            raise ConfigError("; ".join(wrong), place=str(path), remedy="see the comments in configs/metabolism.yaml")
        self._store = Store(self.state_dir / STORE_FILE)
        self._metabolism = self._resumed()
        self._settled = self._repeated = 0
        self._degraded = False
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

    async def stop(self) -> None:
        if self._started:
            self._metabolism.advance(self._now())
            self._store.keep(self._metabolism.account)
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

    @on(DreamCompleted)
    async def dream_completed(self, event: Event[DreamCompleted]) -> None:
        if not event.body.interrupted:
            self._store.dreamt(self.clock.wall_ns())
            self._sense(lambda sensed, _now: senses.learned(sensed, 0))

    # What is asked

    @serve(RequestState)
    async def request(self, request: RequestState, call: Call) -> MetabolicState:
        """Follow an operator's wish; the answer tells the state that holds, and why if it is another."""
        self._pass_time()
        made, refused = self._metabolism.request(request.state, self._now())
        self._publish(made)
        self.log.info("state.requested", wish=request.state, who=request.who, by=call.caller, refused=refused)
        said = self._said()
        return msgspec.structs.replace(said, reason=refused) if refused else said

    @serve(Rouse)
    async def rouse(self, request: Rouse, _call: Call) -> MetabolicState:
        """Wake the whole, at once."""
        self._pass_time()
        self._publish(self._metabolism.rouse(request.reason, request.salience, self._now()))
        return self._said()

    @serve(Settle, queue=1024)
    async def settle(self, claim: Settle, _call: Call) -> Settled:
        """Book what something cost, once. Answered when it is on the disk."""
        _refuse_senseless(claim)
        settlement = self._metabolism.settle(claim, self._store.settled(claim.ident), self._now())
        if not settlement.repeated:
            self._store.settle(claim.ident, claim.kind, settlement.charged, settlement.account, self.clock.wall_ns())
        self._metabolism.settled(settlement, claim.kind)
        self._settled += 1
        self._repeated += settlement.repeated
        self._pass_time()
        self._publish_energy()
        return Settled(
            ident=claim.ident,
            atp=settlement.charged / energy.MICRO,
            remaining=self._metabolism.account.atp,
            repeated=settlement.repeated,
        )

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
        self._write(lambda: self._store.entered(said, self._metabolism.account))
        self.log.info("state.changed", state=made.state, number=made.number, reason=made.reason, was=made.previous)
        self.publish(said)
        self._publish_energy()

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(self.params.tick_s)
            self._pass_time()
            now = self._now()
            if now - self._said_energy_s >= SAY_ENERGY_S:
                self._publish_energy()
            if now - self._kept_account_s >= KEEP_ACCOUNT_S:
                self._write(lambda: self._store.keep(self._metabolism.account))
                self._kept_account_s = now

    def _write(self, write: Callable[[], None]) -> None:
        """Write, or say that nothing can be written and go on: a whole without a controller would be worse off."""
        try:
            write()
        except StoreError as error:
            self.log.exception("store.failed")
            self.health(NodeState.DEGRADED, str(error))
            self._degraded = True
        else:
            if self._degraded:
                self._degraded = False
                self.health(NodeState.READY)

    def _publish_energy(self) -> None:
        self._said_energy_s = self._now()
        self.publish(energy.statement(self._metabolism.account, self._config.energy))

    async def _taken_up(self) -> int:
        """The highest transition any node has taken up. Beyond our own, our memory was lost: numbers never fall."""
        registry: Registry = await self.call("hub", ListNodes(), deadline=HUB_PATIENCE_S)
        return max((record.health.metabolic_number for record in registry.nodes if record.health), default=0)

    def _resumed(self) -> Metabolism:
        """As it was when the controller ended; awake and rested on the first start."""
        now = self._now()
        account = self._store.account() or energy.open_account(self._config.energy, now)
        sensed = Senses(stirred_s=now, lessons=self._store.lessons())
        said = self._store.last()
        if said is None:
            first = Standing(state=Metabolic.WAKE, number=1, reason="first start", since_s=now)
            made = Metabolism(self._config, first, energy.resume(account, now), sensed)
            self._store.entered(made.said(now, self.clock.wall_ns()), made.account)
            return made
        age_s = max(0.0, (self.clock.wall_ns() - said.since_ns) / 1e9)
        standing = Standing(
            state=said.state, number=said.number, reason=said.reason, since_s=now - age_s, previous=said.previous
        )
        return Metabolism(self._config, standing, energy.resume(account, now), sensed)

    def _said(self) -> MetabolicState:
        return self._metabolism.said(self._now(), self.clock.wall_ns())

    def _now(self) -> float:
        return self.clock.mono_ns() / 1e9

    def _counters(self) -> dict[str, float]:
        sensed = self._metabolism.sensed
        return {
            "number": self._metabolism.standing.number,
            "atp": self._metabolism.account.atp,
            "waiting": len(sensed.waiting),
            "lessons": sensed.lessons,
            "settled": self._settled,
            "repeated": self._repeated,
        }


def _refuse_senseless(claim: Settle) -> None:
    if claim.kind not in KINDS:
        raise BadRequest(f"{claim.kind!r} is not one of {', '.join(KINDS)}", place="metabolic/settle: kind")
    if not claim.ident:
        raise BadRequest("every spend names what it was spent on", place="metabolic/settle: ident")
    for field in ("cpu_s", "joules"):
        amount = getattr(claim, field)
        if not (math.isfinite(amount) and amount >= 0):
            raise BadRequest(f"{amount} is no amount", place=f"metabolic/settle: {field}")


if __name__ == "__main__":
    run(MetabolicController)
