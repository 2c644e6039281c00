"""The state machine, case by case; that no case is missing is shown in test_explore."""

import pytest

from nodes.metabolic_controller.body import Strain
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.machine import Inputs, refusal, step
from protocol.messages.metabolism import Metabolic
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
LONG = 3600.0
WAKE, FOCUS, REST, DREAM, CRISIS = Metabolic


def after(state: Metabolic, elapsed_s: float = LONG, **sensed: object) -> Metabolic:
    return step(state, Inputs(**{"atp": 100.0, **sensed}), elapsed_s, CONFIG).state


def test_wake_stays_while_there_is_no_cause():
    assert after(WAKE) is WAKE


def test_what_matters_brings_focus_only_with_energy_for_it():
    assert after(WAKE, salience=0.8) is FOCUS
    assert after(WAKE, salience=0.8, atp=29.0) is WAKE


def test_focus_outlasts_a_fading_salience_and_ends_below_the_lower_threshold():
    assert after(FOCUS, salience=0.5) is FOCUS
    assert after(FOCUS, salience=0.3) is WAKE


def test_focus_leads_to_rest_when_everybody_has_left():
    assert after(FOCUS, salience=0.9, quiet_s=LONG) is WAKE
    assert after(WAKE, salience=0.0, quiet_s=LONG) is REST


def test_a_tired_whole_rests_sooner():
    assert after(WAKE, quiet_s=40.0) is WAKE
    assert after(WAKE, quiet_s=40.0, atp=5.0) is REST


def test_exhaustion_never_puts_to_sleep_who_is_spoken_to():
    assert after(WAKE, atp=-20.0, waiting=1) is WAKE
    assert after(WAKE, atp=-20.0, speech=True) is WAKE


@pytest.mark.parametrize("state", [REST, DREAM])
@pytest.mark.parametrize("stir", [{"speech": True}, {"waiting": 1}, {"salience": 0.9}])
@pytest.mark.parametrize("atp", [-25.0, 0.0, 100.0])
def test_a_sleeper_is_roused_at_once(state: Metabolic, stir: dict[str, object], atp: float):
    assert after(state, 0.0, atp=atp, quiet_s=LONG, lessons=99, **stir) is WAKE


def test_dream_needs_quiet_energy_and_something_to_learn():
    assert after(REST, quiet_s=LONG, lessons=8) is DREAM
    assert after(REST, quiet_s=LONG, lessons=7) is REST
    assert after(REST, quiet_s=LONG, lessons=8, atp=64.0) is REST
    assert after(REST, quiet_s=299.0, lessons=8) is REST


def test_dream_ends_when_it_is_done_or_the_energy_is():
    assert after(DREAM, quiet_s=LONG, lessons=0) is REST
    assert after(DREAM, quiet_s=LONG, lessons=8, atp=4.0) is REST
    assert after(DREAM, quiet_s=LONG, lessons=8, atp=16.0) is DREAM


def test_sleep_comes_easier_by_night_and_is_deeper():
    assert after(WAKE, quiet_s=70.0, hour=12.0) is WAKE
    assert after(WAKE, quiet_s=70.0, hour=23.0) is REST
    assert after(REST, quiet_s=200.0, lessons=8, hour=12.0) is REST
    assert after(REST, quiet_s=200.0, lessons=8, hour=3.0) is DREAM
    assert after(REST, salience=0.7, hour=12.0) is WAKE
    assert after(REST, salience=0.7, hour=3.0) is REST
    assert after(REST, salience=0.9, hour=3.0) is WAKE
    reason = step(WAKE, Inputs(atp=100.0, quiet_s=70.0, hour=23.0), LONG, CONFIG).reason
    assert reason == "quiet for 1m by night"


def test_a_strained_machine_begins_nothing_demanding_and_leaves_it_when_it_must():
    assert after(WAKE, salience=0.8, strain=Strain.SOME) is WAKE
    assert after(FOCUS, salience=0.8, strain=Strain.SOME) is FOCUS
    assert after(FOCUS, salience=0.8, strain=Strain.MUCH) is WAKE
    assert after(REST, quiet_s=LONG, lessons=8, strain=Strain.SOME) is REST
    assert after(DREAM, quiet_s=LONG, lessons=8, strain=Strain.SOME) is DREAM
    assert after(DREAM, quiet_s=LONG, lessons=8, strain=Strain.MUCH) is REST
    assert after(WAKE, quiet_s=40.0, strain=Strain.MUCH) is REST
    hot = Inputs(atp=100.0, quiet_s=LONG, lessons=8, strain=Strain.MUCH, strained_by="90 °C")
    assert step(DREAM, hot, LONG, CONFIG).reason == "strained (90 °C)"


def test_a_state_lasts_its_dwell_time():
    assert after(FOCUS, 14.9, salience=0.0) is FOCUS
    assert after(FOCUS, 15.0, salience=0.0) is WAKE


@pytest.mark.parametrize("state", [WAKE, FOCUS, REST, DREAM])
def test_a_crisis_gets_through_at_once_from_everywhere(state: Metabolic):
    assert after(state, 0.0, errors=3, atp=-25.0, request=WAKE) is CRISIS


def test_a_crisis_ends_when_its_cause_has_ended_and_not_before():
    assert after(CRISIS, errors=1) is CRISIS
    assert after(CRISIS, errors=0) is WAKE
    assert after(CRISIS, 19.0, errors=0) is CRISIS


def test_an_operator_ends_a_crisis_that_failures_alone_would_not_have_begun():
    assert after(CRISIS, errors=2, request=WAKE) is WAKE
    assert after(CRISIS, errors=3, request=WAKE) is CRISIS
    assert after(CRISIS, errors=1) is CRISIS


@pytest.mark.parametrize("state", [WAKE, FOCUS, REST, DREAM])
@pytest.mark.parametrize("wish", list(Metabolic))
def test_an_operator_is_followed_from_everywhere_and_holds_the_state(state: Metabolic, wish: Metabolic):
    assert after(state, 0.0, request=wish) is wish
    assert after(wish, LONG, request=wish, quiet_s=2 * LONG, atp=0.0) is wish


def test_an_operator_puts_nobody_to_sleep_in_the_middle_of_a_sentence():
    assert after(WAKE, request=DREAM, speech=True) is WAKE
    assert refusal(DREAM, WAKE, Inputs(atp=1.0, speech=True), CONFIG) == "somebody is speaking"
    assert "a crisis ends when its cause ends" in refusal(WAKE, CRISIS, Inputs(atp=1.0, errors=3), CONFIG)
    assert refusal(WAKE, CRISIS, Inputs(atp=1.0, errors=2), CONFIG) == ""
    assert refusal(WAKE, CRISIS, Inputs(atp=1.0), CONFIG) == ""
    assert refusal(FOCUS, WAKE, Inputs(atp=1.0, speech=True), CONFIG) == ""


def test_every_transition_has_a_reason_and_staying_has_none():
    assert step(WAKE, Inputs(atp=5.0, quiet_s=40.0), LONG, CONFIG).reason == "tired (5 ATP) and quiet for 30s"
    assert step(REST, Inputs(atp=5.0, speech=True), LONG, CONFIG).reason == "somebody is speaking"
    assert step(WAKE, Inputs(atp=100.0), LONG, CONFIG).reason == ""
    assert step(DREAM, Inputs(atp=100.0, request=DREAM), LONG, CONFIG).reason == ""
