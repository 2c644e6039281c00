"""How awake the whole should be: `step` takes the state, what is sensed and how long the state has lasted.

No clock, no chance, no memory. Every comparison is of one input with one threshold, by `<` or `>=`: that is what lets
`nodes.metabolic_controller.explore` search the whole machine, and it must stay so.

What goes before what:
  1. a crisis gets through from everywhere, at once;
  2. speech, a waiting request or a salient event rouse from REST and DREAM, at once;
  3. an operator's wish binds, except that nobody is put to sleep in the middle of a sentence;
  4. otherwise a state lasts its dwell time and then follows its own rule.
"""

from __future__ import annotations

import msgspec

from nodes.metabolic_controller.body import Strain
from nodes.metabolic_controller.config import MetabolismConfig
from protocol.messages.metabolism import Metabolic
from runtime.units import format_duration

ASLEEP = frozenset({Metabolic.REST, Metabolic.DREAM})


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine senses."""

    atp: float
    salience: float = 0.0
    """Of what happened lately, 0..1."""
    quiet_s: float = 0.0
    """Seconds since anything stirred."""
    errors: int = 0
    """Exchanges that failed lately."""
    waiting: int = 0
    """Exchanges that somebody waits for."""
    speech: bool = False
    request: Metabolic | None = None
    """What an operator wishes."""
    lessons: int = 0
    """Exchanges that a dream would learn from; 0 where none would begin."""
    hour: float = 12.0
    """Of the day, 0..24, where the people are."""
    strain: Strain = Strain.NONE
    """Of the machine itself: heat, charge, other programs."""
    strained_by: str = ""
    """In words. Nothing is decided by it."""

    @property
    def stirring(self) -> bool:
        """Somebody speaks, or waits for an answer."""
        return self.speech or self.waiting >= 1


class Decision(msgspec.Struct, frozen=True):
    state: Metabolic
    reason: str = ""
    """Why the state changed; empty where it did not."""


def step(state: Metabolic, inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Decision:
    """The state that follows `state`, which has lasted `elapsed_s` seconds."""
    if state is Metabolic.CRISIS:
        return _crisis(inputs, elapsed_s, config)
    if cause := _alarm(inputs, config.crisis.enter_errors):
        return Decision(Metabolic.CRISIS, cause)
    if state in ASLEEP and (cause := arousal(inputs, config)):
        return Decision(Metabolic.WAKE, cause)
    if inputs.request is not None and not refusal(inputs.request, state, inputs, config):
        return Decision(inputs.request, "" if inputs.request is state else "an operator asked for it")
    if elapsed_s < config.dwell(state):
        return Decision(state)
    return _NATURAL[state](inputs, config)


def arousal(inputs: Inputs, config: MetabolismConfig) -> str:
    """What keeps the whole from sleeping; empty where nothing does."""
    if inputs.speech:
        return "somebody is speaking"
    if inputs.waiting >= 1:
        return "somebody waits for an answer"
    if inputs.salience >= config.rouse_salience(inputs.hour):
        return f"something salient happened ({inputs.salience:.2f})"
    return ""


def refusal(wish: Metabolic, state: Metabolic, inputs: Inputs, config: MetabolismConfig) -> str:
    """Why an operator's wish is not followed; empty where it is."""
    if state is Metabolic.CRISIS and wish is not state and inputs.errors >= config.crisis.enter_errors:
        return f"{inputs.errors} exchanges failed lately; a crisis ends when its cause ends"
    return arousal(inputs, config) if wish in ASLEEP else ""


def _alarm(inputs: Inputs, errors: int) -> str:
    if inputs.errors >= errors:
        return f"{inputs.errors} exchanges failed lately"
    return "an operator asked for it" if inputs.request is Metabolic.CRISIS else ""


def _crisis(inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Decision:
    over = config.crisis.leave_errors
    if inputs.request not in (None, Metabolic.CRISIS):
        over = config.crisis.enter_errors  # an operator may end what failures alone would not begin
    if elapsed_s < config.crisis.dwell or _alarm(inputs, over):
        return Decision(Metabolic.CRISIS)
    return Decision(Metabolic.WAKE, "the crisis is over")


def _wake(inputs: Inputs, config: MetabolismConfig) -> Decision:
    focus, rest = config.focus, config.rest
    if inputs.salience >= focus.enter_salience and inputs.quiet_s < focus.quiet and _fit(inputs, focus.enter_atp):
        return Decision(Metabolic.FOCUS, f"it matters (salience {inputs.salience:.2f})")
    if arousal(inputs, config):
        return Decision(Metabolic.WAKE)
    after = config.rest_after(inputs.hour)
    if inputs.quiet_s >= after:
        return Decision(Metabolic.REST, f"quiet for {format_duration(after)}{_by_night(inputs, config)}")
    if inputs.quiet_s >= rest.tired_after and (tired := _exhausted(inputs, rest.tired_atp, "tired")):
        return Decision(Metabolic.REST, f"{tired} and quiet for {format_duration(rest.tired_after)}")
    return Decision(Metabolic.WAKE)


def _focus(inputs: Inputs, config: MetabolismConfig) -> Decision:
    focus = config.focus
    if exhausted := _exhausted(inputs, focus.leave_atp):
        return Decision(Metabolic.WAKE, exhausted)
    if inputs.quiet_s >= focus.quiet:
        return Decision(Metabolic.WAKE, f"quiet for {format_duration(focus.quiet)}")
    if inputs.salience < focus.leave_salience:
        return Decision(Metabolic.WAKE, f"it no longer matters (salience {inputs.salience:.2f})")
    return Decision(Metabolic.FOCUS)


def _rest(inputs: Inputs, config: MetabolismConfig) -> Decision:
    dream = config.dream
    after = config.dream_after(inputs.hour)
    if inputs.quiet_s >= after and _fit(inputs, dream.enter_atp) and inputs.lessons >= dream.lessons:
        return Decision(Metabolic.DREAM, f"{inputs.lessons} exchanges to learn from, {inputs.atp:.0f} ATP")
    return Decision(Metabolic.REST)


def _dream(inputs: Inputs, config: MetabolismConfig) -> Decision:
    if inputs.lessons < config.dream.lessons:
        return Decision(Metabolic.REST, "nothing left to learn")
    if exhausted := _exhausted(inputs, config.dream.leave_atp):
        return Decision(Metabolic.REST, exhausted)
    return Decision(Metabolic.DREAM)


def _fit(inputs: Inputs, atp: float) -> bool:
    """Whether there is energy to begin something demanding, and the machine is up to it."""
    return inputs.atp >= atp and inputs.strain < Strain.SOME


def _exhausted(inputs: Inputs, atp: float, word: str = "exhausted") -> str:
    """Why something demanding cannot go on; empty where it can."""
    if inputs.atp < atp:
        return f"{word} ({inputs.atp:.0f} ATP)"
    return f"strained ({inputs.strained_by})" if inputs.strain >= Strain.MUCH else ""


def _by_night(inputs: Inputs, config: MetabolismConfig) -> str:
    return " by night" if config.night.holds(inputs.hour) else ""


_NATURAL = {
    Metabolic.WAKE: _wake,
    Metabolic.FOCUS: _focus,
    Metabolic.REST: _rest,
    Metabolic.DREAM: _dream,
}
