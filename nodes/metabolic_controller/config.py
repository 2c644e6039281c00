"""What `configs/metabolism.yaml` says, typed. `misordered` names the thresholds that cannot be meant together."""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocol.messages.metabolism import Metabolic, Policy
from runtime.units import Duration

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Atp = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class Wake(msgspec.Struct, frozen=True, kw_only=True):
    dwell: Duration


class Focus(msgspec.Struct, frozen=True, kw_only=True):
    dwell: Duration
    enter_salience: Share
    leave_salience: Share
    quiet: Duration
    enter_atp: Atp
    leave_atp: Atp


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    dwell: Duration
    after: Duration
    tired_after: Duration
    tired_atp: Atp
    rouse_salience: Share


class Dream(msgspec.Struct, frozen=True, kw_only=True):
    dwell: Duration
    after: Duration
    enter_atp: Atp
    leave_atp: Atp
    lessons: Count


class Crisis(msgspec.Struct, frozen=True, kw_only=True):
    dwell: Duration
    enter_errors: Count
    leave_errors: Count
    window: Duration


class SensesConfig(msgspec.Struct, frozen=True, kw_only=True):
    salience_half_life: Duration
    speech_limit: Duration
    exchange_limit: Duration
    request_hold: Duration


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """ATP a minute."""

    income: Atp
    base: Atp

    @property
    def net(self) -> float:
        return self.income - self.base


class EnergyConfig(msgspec.Struct, frozen=True, kw_only=True):
    capacity: Atp
    overdraft: Atp
    atp_per_cpu_s: Atp
    atp_per_joule: Atp
    rates: dict[Metabolic, Rate]


class MetabolismConfig(msgspec.Struct, frozen=True, kw_only=True):
    wake: Wake
    focus: Focus
    rest: Rest
    dream: Dream
    crisis: Crisis
    senses: SensesConfig
    energy: EnergyConfig
    policy: dict[Metabolic, Policy]

    def dwell(self, state: Metabolic) -> float:
        """Seconds that `state` lasts at least, unless something ends it by force."""
        part: Wake | Focus | Rest | Dream | Crisis = getattr(self, state.value.lower())
        return part.dwell


def misordered(config: MetabolismConfig) -> list[str]:
    """What is wrong with the values taken together; empty where nothing is.

    These are the local rules. Whether the machine they make can be trapped, deaf or restless is found by
    `nodes.metabolic_controller.explore`, which needs none of them to be true.
    """
    focus, rest, dream, crisis, energy = config.focus, config.rest, config.dream, config.crisis, config.energy
    rules = (
        (focus.leave_salience < focus.enter_salience, "focus.leave_salience must be below focus.enter_salience"),
        (focus.leave_atp < focus.enter_atp, "focus.leave_atp must be below focus.enter_atp"),
        (dream.leave_atp < dream.enter_atp, "dream.leave_atp must be below dream.enter_atp"),
        (crisis.leave_errors <= crisis.enter_errors, "crisis.leave_errors must not exceed crisis.enter_errors"),
        (rest.tired_after <= rest.after, "rest.tired_after must not exceed rest.after"),
        (rest.after <= dream.after, "dream.after must not be shorter than rest.after"),
        (rest.rouse_salience > 0, "rest.rouse_salience must be above 0, or rest could never begin"),
        (focus.quiet > 0, "focus.quiet must be above 0, or focus could never begin"),
        (energy.capacity > 0, "energy.capacity must be above 0"),
        (
            max(focus.enter_atp, dream.enter_atp) <= energy.capacity,
            "focus.enter_atp and dream.enter_atp must not exceed energy.capacity",
        ),
        (set(energy.rates) == set(Metabolic), _every("energy.rates", energy.rates)),
        (set(config.policy) == set(Metabolic), _every("policy", config.policy)),
        (
            Metabolic.REST not in energy.rates or energy.rates[Metabolic.REST].net > 0,
            "energy.rates.REST must have more income than base load, or nothing is ever regained",
        ),
        (
            Metabolic.DREAM not in energy.rates or energy.rates[Metabolic.DREAM].net < 0,
            "energy.rates.DREAM must have less income than base load, or a dream whose end was missed goes on for ever",
        ),
    )
    return [message for holds, message in rules if not holds]


def _every(key: str, given: dict[Metabolic, object] | dict[Metabolic, Rate] | dict[Metabolic, Policy]) -> str:
    missing = ", ".join(state.value for state in Metabolic if state not in given)
    return f"{key} must name every state; missing: {missing}"
