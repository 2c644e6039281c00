"""The search finds nothing wrong with what ships, and finds each defect by its name where there is one."""

import msgspec
import pytest

from nodes.metabolic_controller.config import MetabolismConfig, Rate
from nodes.metabolic_controller.explore import STATES, explore, faults
from nodes.metabolic_controller.machine import Inputs, step
from protocol.messages.metabolism import Metabolic
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
WAKE, FOCUS, REST, DREAM, CRISIS = Metabolic


DAY = msgspec.structs.replace(CONFIG, night=msgspec.structs.replace(CONFIG.night, begins=0.0, ends=0.0))
"""Without a night, which halves the search where the night has no part in what is tested."""


def with_(part: str, **change: object) -> MetabolismConfig:
    """The shipped configuration, by day alone unless the night is what changes."""
    base = CONFIG if part == "night" else DAY
    return msgspec.structs.replace(base, **{part: msgspec.structs.replace(getattr(base, part), **change)})


def earning_nothing(*states: Metabolic) -> MetabolismConfig:
    return with_("energy", rates={**CONFIG.energy.rates, **dict.fromkeys(states, Rate(income=0.0, base=1.0))})


def rules(config: MetabolismConfig, decide=None) -> set[str]:
    return {violation.rule for violation in explore(config, decide).violations}


def test_the_shipped_machine_has_no_trap_is_never_deaf_and_comes_to_rest():
    found = explore(CONFIG)
    assert found.violations == ()
    assert found.longest == 3
    assert found.steps == 10 * found.inputs > 800_000
    assert found.configurations > 400
    assert {after for _, after in found.transitions} == set(STATES)
    assert {(CRISIS, after) for after in (WAKE,)} == {t for t in found.transitions if t[0] is CRISIS}


def test_a_dream_that_needs_more_than_there_can_be_is_unreachable():
    assert rules(with_("dream", enter_atp=105.0)) == {"unreachable"}


def test_overlapping_thresholds_are_restless():
    assert "restless" in rules(with_("dream", leave_atp=80.0))
    assert "restless" in rules(with_("focus", leave_salience=0.9))
    assert "restless" in rules(with_("crisis", enter_errors=2, leave_errors=3))


def test_a_rest_that_regains_nothing_leaves_the_account_empty():
    assert rules(earning_nothing(REST)) == {"exhausted"}


def test_without_any_income_an_empty_account_is_a_trap():
    found = {violation.rule: violation.message for violation in explore(earning_nothing(*STATES)).violations}
    assert set(found) == {"trap", "exhausted"}
    assert "cannot be reached from" in found["trap"]


def test_a_machine_deaf_in_rest_is_named():
    def deaf(state: Metabolic, inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Metabolic:
        """Speech does not rouse; only salience does."""
        return step(state, msgspec.structs.replace(inputs, speech=False), elapsed_s, config).state

    found = {violation.rule: violation for violation in explore(DAY, deaf).violations}
    assert set(found) == {"deaf"}
    assert "speech" in found["deaf"].message
    assert found["deaf"].cases > 100


def test_a_machine_deaf_to_salience_is_named():
    def deaf(state: Metabolic, inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Metabolic:
        salience = 0.0 if state is REST else inputs.salience
        return step(state, msgspec.structs.replace(inputs, salience=salience), elapsed_s, config).state

    assert "deaf" in rules(DAY, deaf)


def test_a_state_that_nothing_ends_is_a_trap():
    def stuck(state: Metabolic, inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Metabolic:
        """Without energy the machine does nothing at all."""
        if inputs.atp < 15.0 and state is FOCUS and inputs.errors < 3:
            return state
        return step(state, inputs, elapsed_s, config).state

    assert "trap" in rules(DAY, stuck)


@pytest.mark.parametrize("sleeper", [REST, DREAM])
def test_a_crisis_that_does_not_get_through_is_named(sleeper: Metabolic):
    def numb(state: Metabolic, inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Metabolic:
        decided = step(state, inputs, elapsed_s, config).state
        return sleeper if state is sleeper and decided is CRISIS and not inputs.stirring else decided

    assert "crisis-missed" in rules(DAY, numb)


def test_a_crisis_that_never_ends_is_named():
    def endless(state: Metabolic, inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Metabolic:
        return CRISIS if state is CRISIS else step(state, inputs, elapsed_s, config).state

    assert "crisis-endless" in rules(DAY, endless)


def test_a_state_that_is_never_entered_is_unreachable():
    def dreamless(state: Metabolic, inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Metabolic:
        decided = step(state, inputs, elapsed_s, config).state
        return state if decided is DREAM else decided

    assert rules(DAY, dreamless) == {"unreachable"}


def test_a_threshold_of_the_night_that_deafens_sleep_is_named():
    assert "deaf" in rules(with_("night", rouse_salience=0.95))


def test_without_a_night_the_day_alone_is_searched():
    assert explore(DAY).inputs == 48_600
    assert rules(with_("night", begins=0.0, ends=24.0)) == set()


def test_what_was_reached_by_day_must_not_be_a_trap_by_night():
    def sleepless(state: Metabolic, inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Metabolic:
        """By night no dream begins, and one that came from the day is left for nothing but a crisis or an operator."""
        decided = step(state, inputs, elapsed_s, config).state
        if not config.night.holds(inputs.hour) or inputs.request or inputs.errors:
            return decided
        if state is DREAM:
            return DREAM
        return state if decided is DREAM else decided

    found = explore(CONFIG, sleepless).violations
    assert {(violation.rule, violation.message.endswith("by night")) for violation in found} >= {
        ("trap", True),
        ("unreachable", True),
    }


def test_faults_name_the_rule_and_there_are_none_in_what_ships():
    assert faults(DAY) == []
    assert faults(with_("dream", enter_atp=105.0)) == [
        "focus.enter_atp and dream.enter_atp must not exceed energy.capacity"
    ]
