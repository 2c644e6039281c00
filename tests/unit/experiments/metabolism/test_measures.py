"""Figures of courses written by hand."""

import pytest

from experiments.metabolism import world as worlds
from experiments.metabolism.course import Course, Entered, Fate, Leg, Look, Told
from experiments.metabolism.measures import could_at, measured, returns, together
from experiments.metabolism.world import Question
from nodes.metabolic_controller.config import MetabolismConfig
from protocol.messages.metabolism import Metabolic
from runtime import config, paths

SETTINGS = config.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
WORLD = worlds.load()
WAKE, FOCUS, REST, DREAM, CRISIS = Metabolic


def course(**parts) -> Course:
    empty = {
        "seconds": 3600.0,
        "tick_s": 5.0,
        "start": WAKE,
        "told": (),
        "entered": (),
        "legs": (),
        "looks": (look(0.0),),
        "stirs": (),
        "spent": {"base": 1.0},
        "loads": 0,
    }
    return Course(**{**empty, **parts})


def look(at_s: float, **parts) -> Look:
    calm = {"state": REST, "atp": 100.0, "quiet_s": at_s, "to_learn": True, "lessons": 20, "dreaming": False}
    return Look(at_s=at_s, **{**calm, **parts})


def entered(at_s: float, left: Metabolic, state: Metabolic) -> Entered:
    return Entered(at_s=at_s, state=state, left=left, reason="")


def told(at_s: float, fate: Fate, first_s: float | None = None, load_s: float = 0.0, roused: bool = False) -> Told:
    question = Question(ident=str(at_s), at_s=at_s, conversation="", needs="sensory", salience=0.0, luck=1.0)
    return Told(question=question, fate=fate, level="sensory", first_s=first_s, load_s=load_s, roused=roused)


BACK_AND_FORTH = (entered(1000.0, REST, DREAM), entered(1100.0, DREAM, REST))


def test_a_state_left_and_entered_again_without_a_cause_is_a_flap():
    assert returns(course(entered=BACK_AND_FORTH), WORLD.idle) == (1, 0)


def test_the_way_back_may_lead_through_other_states():
    around = (entered(1000.0, WAKE, REST), entered(1030.0, REST, DREAM), entered(1070.0, DREAM, WAKE))
    assert returns(course(entered=around), WORLD.idle) == (1, 0)


@pytest.mark.parametrize("stir_s", [945.0, 1050.0, 1100.0])
def test_it_is_none_where_somebody_stirred_shortly_before_or_in_between(stir_s):
    assert returns(course(entered=BACK_AND_FORTH, stirs=(stir_s,)), WORLD.idle) == (0, 0)


def test_who_stirred_long_before_is_no_cause():
    assert returns(course(entered=BACK_AND_FORTH, stirs=(900.0, 1200.0)), WORLD.idle) == (1, 0)


def test_a_dream_that_ended_is_a_cause_and_one_begun_in_vain_is_none():
    ended = Leg(began_s=1000.0, ended_s=1090.0, finished=True)
    assert returns(course(entered=BACK_AND_FORTH, legs=(ended,)), WORLD.idle) == (0, 1)
    vain = Leg(began_s=1000.0, ended_s=1000.0, finished=True, vain=True)
    assert returns(course(entered=BACK_AND_FORTH, legs=(vain,)), WORLD.idle) == (1, 0)


def test_a_return_after_a_long_time_is_life():
    late = (BACK_AND_FORTH[0], entered(1000.0 + WORLD.idle.return_ + 1, DREAM, REST))
    assert returns(course(entered=late), WORLD.idle) == (0, 0)


@pytest.mark.parametrize(
    ("parts", "could"),
    [
        ({}, True),
        ({"quiet_s": WORLD.idle.quiet - 1}, False),
        ({"to_learn": False}, False),
        ({"atp": WORLD.idle.minutes * WORLD.dream.atp - 1}, False),
        ({"atp": 0.0, "dreaming": True, "state": DREAM}, True),
        ({"state": WAKE}, True),
        ({"lessons": 0}, True),
    ],
)
def test_what_dreams_could_get_is_not_for_the_machine_to_say(parts, could):
    seconds, _ = could_at(course(looks=(look(400.0, **parts),)), WORLD, WORLD.idle.quiet)
    assert seconds == (5.0 if could else 0.0)


def test_the_share_that_dreams_got_is_of_that_time():
    looks = [look(at_s, dreaming=at_s >= 600.0) for at_s in range(0, 900, 5)]
    found = measured(course(looks=tuple(looks)), WORLD, SETTINGS)
    assert (found.could_s, found.dreamt_of_it_s) == (600.0, 300.0)
    assert found.dream_share == 0.5


def test_served_counts_whoever_had_a_turn_and_failures_are_told_apart():
    in_incident = WORLD.incident.after + 1
    found = measured(
        course(
            told=(
                told(1.0, Fate.ANSWERED, 3.0, load_s=2.0, roused=True),
                told(in_incident, Fate.FAILED),
                told(3.0, Fate.ASLEEP),
                told(4.0, Fate.LATE),
            )
        ),
        WORLD,
        SETTINGS,
    )
    assert found.served == 0.5
    assert found.failed == 1.0
    assert (found.first_s, found.beyond_load_s, found.roused_s) == ((3.0,), (1.0,), (1.0,))


def test_hours_of_all_states_are_those_of_the_course():
    found = measured(course(entered=BACK_AND_FORTH, start=REST), WORLD, SETTINGS)
    assert found.states["DREAM"] == pytest.approx(100 / 3600)
    assert sum(found.states.values()) == pytest.approx(1.0)


def test_a_transition_of_which_a_stir_is_the_very_moment_is_not_idle():
    moved = (entered(1000.0, REST, WAKE), entered(2000.0, WAKE, REST))
    assert measured(course(entered=moved, stirs=(1000.0,)), WORLD, SETTINGS).idle_transitions == 1


def test_courses_put_together_are_one_long_course():
    one = measured(course(told=(told(1.0, Fate.ANSWERED, 3.0),)), WORLD, SETTINGS)
    two = measured(course(told=(told(1.0, Fate.LATE),), looks=(look(0.0, atp=7.0),)), WORLD, SETTINGS)
    both = together([one, two])
    assert (both.hours, both.questions, both.served, both.lowest_atp) == (2.0, 2, 0.5, 7.0)
    assert both.spent == {"base": 2.0}
