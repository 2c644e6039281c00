"""Who lives through the world: the machine itself, one that never sleeps, and one whose transitions are chance.

All of them are the shipped machine with the shipped account and senses; the first rival differs by its configuration
alone, the second by what decides.
"""

from __future__ import annotations

from random import Random

import msgspec

from experiments.metabolism.world import World
from nodes.metabolic_controller import energy, senses
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.machine import Decision
from nodes.metabolic_controller.metabolism import Metabolism, Standing
from nodes.metabolic_controller.senses import Senses
from protocol.messages.metabolism import Metabolic, Settle

AWAKE, CHANCE, THIS = "always awake", "by chance", "this machine"
NEVER_S = 1e12
NEVER = 10**9


def priced(settings: MetabolismConfig, world: World) -> MetabolismConfig:
    """`settings` with the base metabolism of the world; what the account regains stays as configured."""
    rates = {
        state: msgspec.structs.replace(rate, base=world.base[state]) for state, rate in settings.energy.rates.items()
    }
    return msgspec.structs.replace(settings, energy=msgspec.structs.replace(settings.energy, rates=rates))


def this_machine(settings: MetabolismConfig, world: World, *, start: Metabolic = Metabolic.WAKE) -> Metabolism:
    """The machine as it ships, with a full account; awake unless said otherwise."""
    config = priced(settings, world)
    first = Standing(state=start, number=1, reason="the course begins", since_s=0.0)
    account = energy.open_account(config.energy, 0.0)
    return Metabolism(config, first, account, Senses(stirred_s=0.0), hour=world.hour)


def overdrawn(settings: MetabolismConfig, world: World) -> Metabolism:
    """The machine as it ships, with an account that could not hold less."""
    whole = this_machine(settings, world)
    atp = settings.energy.capacity + settings.energy.overdraft
    claim = Settle(ident="before the course", kind="exchange", joules=atp / settings.energy.atp_per_joule)
    whole.account = whole.settle(claim, None, 0.0).account
    return whole


def always_awake(settings: MetabolismConfig, world: World) -> Metabolism:
    """The same machine with a waking that never ends, and no crisis."""
    sleepless = msgspec.structs.replace(
        settings,
        wake=msgspec.structs.replace(settings.wake, dwell=NEVER_S),
        crisis=msgspec.structs.replace(settings.crisis, enter_errors=NEVER, leave_errors=NEVER),
    )
    return this_machine(sleepless, world)


def by_chance(settings: MetabolismConfig, world: World, *, transitions: float, seed: int) -> Metabolism:
    """Transitions at random, `transitions` of them an hour on average, to any other state alike. Nothing rouses it."""
    return ByChance(this_machine(settings, world), transitions, Random(f"{seed}/transitions"))


class ByChance(Metabolism):
    """Senses and account as in the machine; when a state ends and what follows are drawn."""

    def __init__(self, like: Metabolism, transitions: float, draw: Random) -> None:
        super().__init__(like.config, like.standing, like.account, like.sensed)
        self._per_s = transitions / 3600
        self._draw = draw
        self._next_s = self._drawn(like.standing.since_s)

    def advance(self, now_s: float) -> Standing | None:
        self.account = energy.elapse(self.account, self.standing.state, now_s, self.config.energy)
        self.sensed = senses.forget(self.sensed, now_s, self.config)
        if now_s < self._next_s:
            return None
        self._next_s = self._drawn(now_s)
        others = [state for state in Metabolic if state is not self.standing.state]
        return self._enter(Decision(self._draw.choice(others), "by chance"), now_s)

    def rouse(self, reason: str, salience: float, now_s: float) -> Standing | None:
        self.sensed = senses.noticed(self.sensed, salience, now_s, self.config.senses)
        return self.advance(now_s)

    def _drawn(self, now_s: float) -> float:
        return now_s + self._draw.expovariate(self._per_s) if self._per_s else NEVER_S
