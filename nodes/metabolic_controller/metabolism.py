"""Machine, account and senses together, as they live: no clock, no file; every method takes the time.

What has to be kept is in `Standing`; whoever runs this writes it down before anybody hears of it.
"""

from __future__ import annotations

import msgspec

from nodes.metabolic_controller import energy, senses
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.energy import Account, Settlement
from nodes.metabolic_controller.machine import ASLEEP, Decision, refusal, step
from nodes.metabolic_controller.senses import Senses
from protocol.messages.metabolism import Metabolic, MetabolicState, Settle


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The transition that holds."""

    state: Metabolic
    number: int
    reason: str
    since_s: float
    """Clock time at which it began."""
    previous: Metabolic | None = None


class Metabolism:
    """Told what happens, it says how awake the whole is."""

    def __init__(self, config: MetabolismConfig, standing: Standing, account: Account, sensed: Senses) -> None:
        self.config = config
        self.standing = standing
        self.account = account
        self.sensed = sensed

    def advance(self, now_s: float) -> Standing | None:
        """Let time pass until `now_s`; the transition that follows, if one does."""
        self.account = energy.elapse(self.account, self.standing.state, now_s, self.config.energy)
        self.sensed = senses.forget(self.sensed, now_s, self.config)
        inputs = senses.read(self.sensed, self.account.atp, now_s, self.config)
        decision = step(self.standing.state, inputs, now_s - self.standing.since_s, self.config)
        if decision.state is self.standing.state:
            return None
        return self._enter(decision, now_s)

    def rouse(self, reason: str, salience: float, now_s: float) -> Standing | None:
        """Somebody needs the whole awake."""
        self.sensed = senses.noticed(self.sensed, salience, now_s, self.config.senses)
        if self.standing.state in ASLEEP:
            return self._enter(Decision(Metabolic.WAKE, reason or "roused"), now_s)
        return self.advance(now_s)

    def request(self, wish: Metabolic, now_s: float) -> tuple[Standing | None, str]:
        """An operator wishes a state: the transition that follows, and why the wish is not followed, or not yet."""
        inputs = senses.read(self.sensed, self.account.atp, now_s, self.config)
        if refused := refusal(wish, self.standing.state, inputs, self.config):
            return None, f"{wish} was refused: {refused}"
        self.sensed = senses.wished(self.sensed, wish, now_s)
        made = self.advance(now_s)
        waits = self.standing.state is not wish
        return made, f"{wish} follows when {self.standing.state} has lasted its shortest time" if waits else ""

    def settle(self, claim: Settle, earlier: int | None, now_s: float) -> Settlement:
        """What the account would be after `claim`; it is taken over by `settled`, once it is written down."""
        self.account = energy.elapse(self.account, self.standing.state, now_s, self.config.energy)
        return energy.settle(self.account, claim, earlier, self.config.energy)

    def settled(self, settlement: Settlement, kind: str) -> None:
        self.account = settlement.account
        if kind == "exchange" and not settlement.repeated:
            self.sensed = senses.learned(self.sensed, self.sensed.lessons + 1)

    def renumber(self, heard: int, now_s: float) -> Standing:
        """The others have taken up transition `heard`, which this account does not know: go on from there."""
        decision = Decision(self.standing.state, f"numbering resumed after {heard}")
        self.standing = msgspec.structs.replace(self.standing, number=heard)
        return self._enter(decision, now_s)

    def said(self, now_s: float, wall_ns: int) -> MetabolicState:
        """The transition that holds, as it is published."""
        standing = self.standing
        return MetabolicState(
            state=standing.state,
            number=standing.number,
            reason=standing.reason,
            since_ns=wall_ns - round((now_s - standing.since_s) * 1e9),
            previous=standing.previous,
            budget=max(0.0, self.account.atp),
            policy=self.config.policy[standing.state],
        )

    def _enter(self, decision: Decision, now_s: float) -> Standing:
        self.account = energy.elapse(self.account, self.standing.state, now_s, self.config.energy)
        self.standing = Standing(
            state=decision.state,
            number=self.standing.number + 1,
            reason=decision.reason,
            since_s=now_s,
            previous=self.standing.state,
        )
        self.sensed = senses.release(self.sensed, decision.state)
        return self.standing
