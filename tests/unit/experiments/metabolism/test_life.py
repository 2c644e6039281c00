"""Lives of a few hours, with questions put where they show something."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.metabolism import rivals
from experiments.metabolism import world as worlds
from experiments.metabolism.course import Fate
from experiments.metabolism.dreams import Assumed
from experiments.metabolism.life import live
from experiments.metabolism.world import Question, Stream
from nodes.metabolic_controller import energy
from nodes.metabolic_controller.config import MetabolismConfig
from protocol.messages.metabolism import Metabolic
from runtime import config, paths

SETTINGS = config.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
NOON = msgspec.structs.replace(worlds.load(), begins=12.0)
"""Without a night for ten hours."""
LEVELS = {level.name: level for level in NOON.levels}
WAKE, FOCUS, REST, DREAM, CRISIS = Metabolic


def question(at_s: float, needs: str = "sensory", salience: float = 0.3, luck: float = 1.0) -> Question:
    return Question(ident=f"q{at_s}", at_s=at_s, conversation="one", needs=needs, salience=salience, luck=luck)


def hours(count: float, *questions: Question, noises: tuple[float, ...] = ()) -> Stream:
    return Stream(seconds=3600 * count, questions=questions, noises=noises)


def machine(start: Metabolic = WAKE):
    return rivals.this_machine(SETTINGS, NOON, start=start)


def test_whoever_finds_it_asleep_waits_for_the_rousing_and_the_model_and_no_longer():
    told = live(NOON, hours(1, question(1800.0, "tactical")), machine()).told[0]
    level = LEVELS["tactical"]
    assert (told.fate, told.roused) == (Fate.ANSWERED, True)
    assert told.first_s == pytest.approx(NOON.rouse + level.load + level.first)


def test_a_model_stays_until_the_next_sleep():
    asked = [question(at_s) for at_s in (10.0, 40.0, 1800.0)]
    course = live(NOON, hours(1, *asked), machine())
    assert [told.load_s > 0 for told in course.told] == [True, False, True]
    assert course.spent["load"] == pytest.approx(2 * LEVELS["sensory"].load_atp, abs=1e-5)


def test_one_answer_at_a_time():
    first, second = live(NOON, hours(0.2, question(10.0, "specialized"), question(11.0, "sensory")), machine()).told
    large, small = LEVELS["specialized"], LEVELS["sensory"]
    assert first.first_s == pytest.approx(large.load + large.first)
    assert second.first_s == pytest.approx(large.load + large.whole - 1.0 + small.load + small.first)


def test_a_patterns_answer_needs_no_model():
    course = live(NOON, hours(0.2, question(10.0, "pattern")), machine())
    assert course.told[0].first_s == 0.0
    assert course.loads == 0


def test_nobody_wakes_for_a_question_in_the_random_machine():
    asleep = rivals.ByChance(machine(REST), transitions=0.0, draw=Random(0))
    told = live(NOON, hours(0.5, question(600.0)), asleep).told[0]
    assert (told.fate, told.first_s) == (Fate.ASLEEP, None)


def test_who_is_cut_off_by_his_own_patience_is_late():
    crowd = [question(10.0 + number, "specialized") for number in range(40)]
    fates = [told.fate for told in live(NOON, hours(0.3, *crowd), machine()).told]
    assert set(fates) == {Fate.ANSWERED, Fate.LATE}


def test_who_asks_an_empty_account_is_answered_by_the_smallest_level():
    told = live(NOON, hours(0.1, question(10.0, "specialized")), rivals.overdrawn(SETTINGS, NOON)).told[0]
    assert (told.fate, told.level) == (Fate.ANSWERED, "sensory")


def test_enough_failures_let_the_largest_level_answer_alone():
    incident = msgspec.structs.replace(NOON.incident, after=0.0, lasts=3600.0, fails=1.0, fails_alone=0.0)
    world = msgspec.structs.replace(NOON, incident=incident)
    asked = [question(10.0 * number, luck=0.5) for number in range(1, 8)]
    course = live(world, hours(0.1, *asked), machine())
    fates = [told.fate for told in course.told]
    assert fates == [Fate.FAILED] * 3 + [Fate.ANSWERED] * 4
    assert {told.level for told in course.told[3:]} == {"specialized"}
    always = live(world, hours(0.1, *asked), rivals.always_awake(SETTINGS, world))
    assert {told.fate for told in always.told} == {Fate.FAILED}


def test_a_dream_that_is_interrupted_goes_on_and_takes_no_longer_than_its_work_and_the_resuming():
    settled = SETTINGS.dream.after
    course = live(NOON, hours(1, question(settled + 40.0)), machine(), Assumed(NOON, 20))
    legs = [leg for leg in course.legs if not leg.vain]
    assert [leg.finished for leg in legs] == [False, True]
    work = NOON.dream.fixed + 20 * NOON.dream.lesson + NOON.dream.resume
    assert sum(leg.seconds for leg in legs) == pytest.approx(work)
    assert course.spent["dream"] == pytest.approx(work / 60 * NOON.dream.atp, abs=1e-4)
    told = course.told[0]
    assert told.first_s == pytest.approx(NOON.rouse + NOON.grace + told.load_s + LEVELS["sensory"].first)


def test_no_dream_begins_of_answers_that_teach_nothing():
    asked = [question(10.0 * number, "pattern") for number in range(1, 1 + SETTINGS.dream.lessons)]
    assert live(NOON, hours(1, *asked), machine()).legs == ()


def test_the_same_course_is_lived_in_the_same_way():
    drawn = worlds.stream(NOON, "day", 5)
    assert live(NOON, drawn, machine()) == live(NOON, drawn, machine())


def test_a_noise_wakes_it_for_a_while():
    course = live(NOON, hours(1, noises=(1800.0,)), machine())
    assert [(one.state, one.at_s) for one in course.entered if one.state is WAKE] == [(WAKE, 1800.0)]
    assert course.entered[-1].state is REST


def test_the_one_that_never_sleeps_never_changes():
    asked = [question(10.0 * number, luck=0.0, salience=0.95) for number in range(1, 100)]
    course = live(NOON, hours(2, *asked), rivals.always_awake(SETTINGS, NOON))
    assert (course.entered, course.legs) == ((), ())


def test_the_random_machine_changes_as_often_as_it_was_told():
    course = live(NOON, hours(24 * 5), rivals.by_chance(SETTINGS, NOON, transitions=6.0, seed=1))
    assert len(course.entered) / (24 * 5) == pytest.approx(6.0, rel=0.1)
    assert {one.state for one in course.entered} == set(Metabolic)


QUESTIONS = st.lists(
    st.builds(
        question,
        st.floats(0, 7200).map(lambda at_s: round(at_s, 3)),
        st.sampled_from(["pattern", *LEVELS]),
        st.floats(0, 1),
        st.floats(0, 1),
    ),
    max_size=25,
    unique_by=lambda one: one.at_s,
)


@settings(max_examples=30, deadline=None)
@given(QUESTIONS, st.sampled_from(["this", "awake", "chance"]), st.integers(0, 40))
def test_every_question_is_told_once_and_every_atp_is_accounted_for(asked, rival, lessons):
    whole = {
        "this": lambda: rivals.this_machine(SETTINGS, NOON),
        "awake": lambda: rivals.always_awake(SETTINGS, NOON),
        "chance": lambda: rivals.by_chance(SETTINGS, NOON, transitions=20.0, seed=1),
    }[rival]()
    stream = hours(2, *sorted(asked, key=lambda one: one.at_s))
    course = live(NOON, stream, whole, Assumed(NOON, lessons))
    assert sorted(told.question.ident for told in course.told) == sorted(one.ident for one in asked)
    said = energy.statement(whole.account, whole.config.energy)
    assert said.opening + said.income - sum(said.spent.values()) == pytest.approx(said.atp, abs=1e-6)
    assert all(told.first_s is None or 0 <= told.first_s < NOON.patience for told in course.told)
    if rival != "chance":
        assert not any(told.fate is Fate.ASLEEP for told in course.told)
