"""What `configs/metabolism.yaml` says, typed. `misordered` names the thresholds that cannot be meant together."""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocol.messages.metabolism import Metabolic, Policy
from runtime.units import Duration

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
ERRORS_KEPT = 256
"""Failures that are remembered at most."""
LOUD = 0.9
"""Salience to which no sleep may be deaf."""
Atp = Annotated[float, msgspec.Meta(ge=0)]
Hour = Annotated[float, msgspec.Meta(ge=0, le=24)]
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


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """When sleep comes easier, and what then stands in place of the thresholds of `rest` and `dream`."""

    begins: Hour
    ends: Hour
    zone: str = ""
    """IANA name of the time zone of these hours; empty: the machine's own."""
    rest_after: Duration
    dream_after: Duration
    rouse_salience: Share

    def holds(self, hour: float) -> bool:
        """Whether it is night at this hour of the day. Never, where it begins when it ends."""
        if self.begins <= self.ends:
            return self.begins <= hour < self.ends
        return hour >= self.begins or hour < self.ends


class BodyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine can bear: temperatures in °C, charge and load as shares."""

    hot: float
    cool: float
    battery_low: Share
    battery_enough: Share
    busy: Share
    idle: Share
    every: Duration


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
    atp_per_joule: Atp
    processor_watts: Atp
    """What a busy processor core is taken to draw where no sensor says."""
    reservation_limit: Duration = 900.0
    """Longest time for which energy is held before it is settled."""
    rates: dict[Metabolic, Rate]

    @property
    def atp_per_cpu_s(self) -> float:
        return self.processor_watts * self.atp_per_joule


class MetabolismConfig(msgspec.Struct, frozen=True, kw_only=True):
    wake: Wake
    focus: Focus
    rest: Rest
    dream: Dream
    crisis: Crisis
    night: Night
    body: BodyConfig
    senses: SensesConfig
    energy: EnergyConfig
    policy: dict[Metabolic, Policy]

    def rest_after(self, hour: float) -> float:
        """Seconds of quiet after which a rested whole goes to rest."""
        return self.night.rest_after if self.night.holds(hour) else self.rest.after

    def dream_after(self, hour: float) -> float:
        return self.night.dream_after if self.night.holds(hour) else self.dream.after

    def rouse_salience(self, hour: float) -> float:
        """What is as salient as this wakes a sleeper, and keeps the waking from sleep."""
        return self.night.rouse_salience if self.night.holds(hour) else self.rest.rouse_salience

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
    night, body, senses = config.night, config.body, config.senses
    rules = (
        (senses.speech_limit > 0, "senses.speech_limit must be above 0, or sleep is deaf to speech"),
        (senses.exchange_limit > 0, "senses.exchange_limit must be above 0, or sleep is deaf to questions"),
        (senses.request_hold > 0, "senses.request_hold must be above 0, or no operator is followed"),
        (senses.salience_half_life > 0, "senses.salience_half_life must be above 0, or nothing ever matters"),
        (crisis.window > 0, "crisis.window must be above 0, or no failure counts"),
        (
            crisis.enter_errors <= ERRORS_KEPT,
            f"crisis.enter_errors must not exceed {ERRORS_KEPT}, for so many failures are remembered",
        ),
        (night.rest_after <= rest.after, "night.rest_after must not exceed rest.after: sleep is easier by night"),
        (night.dream_after <= dream.after, "night.dream_after must not exceed dream.after: sleep is easier by night"),
        (
            night.rouse_salience >= rest.rouse_salience,
            "night.rouse_salience must not be below rest.rouse_salience: sleep is deeper by night",
        ),
        (
            max(rest.rouse_salience, night.rouse_salience) <= LOUD,
            f"rest.rouse_salience and night.rouse_salience must not exceed {LOUD}, or sleep is deaf to what matters",
        ),
        (rest.tired_after <= night.rest_after, "rest.tired_after must not exceed night.rest_after"),
        (night.rest_after <= night.dream_after, "night.dream_after must not be shorter than night.rest_after"),
        (body.cool < body.hot, "body.cool must be below body.hot"),
        (body.battery_low < body.battery_enough, "body.battery_low must be below body.battery_enough"),
        (body.idle < body.busy, "body.idle must be below body.busy"),
        (body.every > 0, "body.every must be above 0"),
        (_zone_known(night.zone), f"night.zone: there is no time zone {night.zone!r}; a name is like Europe/Vienna"),
        (focus.leave_salience < focus.enter_salience, "focus.leave_salience must be below focus.enter_salience"),
        (focus.leave_atp < focus.enter_atp, "focus.leave_atp must be below focus.enter_atp"),
        (dream.leave_atp < dream.enter_atp, "dream.leave_atp must be below dream.enter_atp"),
        (crisis.leave_errors <= crisis.enter_errors, "crisis.leave_errors must not exceed crisis.enter_errors"),
        (rest.tired_after <= rest.after, "rest.tired_after must not exceed rest.after"),
        (rest.after <= dream.after, "dream.after must not be shorter than rest.after"),
        (rest.rouse_salience > 0, "rest.rouse_salience must be above 0, or rest could never begin"),
        (focus.quiet > 0, "focus.quiet must be above 0, or focus could never begin"),
        (energy.capacity > 0, "energy.capacity must be above 0"),
        (energy.atp_per_joule > 0, "energy.atp_per_joule must be above 0, or nothing would cost anything"),
        (energy.processor_watts > 0, "energy.processor_watts must be above 0, or an answer would cost nothing"),
        (energy.reservation_limit > 0, "energy.reservation_limit must be above 0, or nothing could be held"),
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


def _zone_known(zone: str) -> bool:
    if not zone:
        return True
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(zone)
    except (KeyError, OSError, ValueError):  # unknown; a directory of names; a path
        return False
    return True


def _every(key: str, given: dict[Metabolic, object] | dict[Metabolic, Rate] | dict[Metabolic, Policy]) -> str:
    missing = ", ".join(state.value for state in Metabolic if state not in given)
    return f"{key} must name every state; missing: {missing}"
