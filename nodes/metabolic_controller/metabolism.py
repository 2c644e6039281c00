"""Machine, account and senses together, as they live: no clock, no file; every method takes the time.

What has to be kept is in `Standing`; whoever runs this writes it down before anybody hears of it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from nodes.metabolic_controller import energy, reservations, senses
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.energy import Account, Settlement
from nodes.metabolic_controller.machine import ASLEEP, Decision, Inputs, refusal, step
from nodes.metabolic_controller.reservations import Reserving
from nodes.metabolic_controller.senses import Senses
from protocol.messages.metabolism import Metabolic, MetabolicState, Reserve, Settle


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

    def __init__(
        self,
        config: MetabolismConfig,
        standing: Standing,
        account: Account,
        sensed: Senses,
        hour: Callable[[float], float] = lambda _now_s: senses.NOON,
    ) -> None:
        """`hour`: of the day, 0..24, at a clock time."""
        self.config = config
        self._hour = hour
        self.standing = standing
        self.account = account
        self.sensed = sensed
        self.lapsed = 0
        """Reservations that nobody settled in time."""

    def advance(self, now_s: float) -> Standing | None:
        """Let time pass until `now_s`; the transition that follows, if one does."""
        self._pass(now_s)
        self.sensed = senses.forget(self.sensed, now_s, self.config)
        inputs = self.inputs(now_s)
        decision = step(self.standing.state, inputs, now_s - self.standing.since_s, self.config)
        if decision.state is self.standing.state:
            return None
        return self._enter(decision, now_s)

    def inputs(self, now_s: float) -> Inputs:
        """What the machine decides by."""
        return senses.read(self.sensed, self.account.atp, now_s, self.config, self._hour(now_s))

    def rouse(self, reason: str, salience: float, now_s: float) -> Standing | None:
        """Somebody needs the whole awake."""
        self.sensed = senses.noticed(self.sensed, salience, now_s, self.config.senses)
        if self.standing.state in ASLEEP:
            return self._enter(Decision(Metabolic.WAKE, reason or "roused"), now_s)
        return self.advance(now_s)

    def request(self, wish: Metabolic, now_s: float) -> tuple[Standing | None, str]:
        """An operator wishes a state: the transition that follows, and why the wish is not followed, or not yet."""
        inputs = self.inputs(now_s)
        if refused := refusal(wish, self.standing.state, inputs, self.config):
            return None, f"{wish} was refused: {refused}"
        self.sensed = senses.wished(self.sensed, wish, now_s)
        made = self.advance(now_s)
        waits = self.standing.state is not wish
        return made, f"{wish} follows when {self.standing.state} has lasted its shortest time" if waits else ""

    def settle(self, claim: Settle, earlier: int | None, now_s: float) -> Settlement:
        """What the account would be after `claim`; it is taken over by `settled`, once it is written down."""
        self._pass(now_s)
        return energy.settle(self.account, claim, earlier, self.config.energy)

    def settled(self, settlement: Settlement) -> None:
        """`settlement` is written down."""
        if not settlement.repeated:
            self.account = settlement.account.written()

    def reserve(self, wish: Reserve, settled: int | None, now_s: float) -> Reserving:
        """What the account would be with `wish` held; `settled` is what its ident was charged, None if it was not."""
        self._pass(now_s)
        return reservations.reserve(self.account, wish, settled, self.standing.state, self.config.energy, now_s)

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

    def _pass(self, now_s: float) -> None:
        """Book the time until now, and give back what was held for too long."""
        account = energy.elapse(self.account, self.standing.state, now_s, self.config.energy)
        self.account, late = reservations.expire(account, now_s)
        self.lapsed += len(late)

    def _enter(self, decision: Decision, now_s: float) -> Standing:
        left = self.standing.state
        self.account = energy.elapse(self.account, left, now_s, self.config.energy)
        self.standing = Standing(
            state=decision.state,
            number=self.standing.number + 1,
            reason=decision.reason,
            since_s=now_s,
            previous=left,
        )
        self.sensed = senses.release(self.sensed, left, decision.state)
        return self.standing
