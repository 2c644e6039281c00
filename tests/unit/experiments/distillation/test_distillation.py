from random import Random

import pytest

from experiments.distillation import experiment, world
from experiments.distillation.arms import ARMS, SHIPPED
from experiments.distillation.lived import righted
from experiments.distillation.measures import change, interval
from experiments.distillation.trial import shuffled, top
from experiments.reference.catalogue import released_figures
from experiments.reference.skills import SKILLS
from nodes.dream_consolidator.collector.examples import Example
from nodes.dream_consolidator.selection.select import Lesson, Material
from protocol.errors import ConfigError
from protocol.messages.dream import Keep
from protocol.messages.model import ChatMessage

WORLD = world.load()
AMONG = world.teachable(WORLD, released_figures()["figures"])


def keep(question: str, answer: str, level: str) -> Keep:
    messages = [ChatMessage(role="user", content=question)]
    return Keep(exchange="x", session="s", messages=messages, answer=answer, level=level, version="v", context="stable")


def example(number: int) -> Example:
    return Example(
        exchange=f"x{number}",
        messages=(ChatMessage(role="user", content=f"question {number}"),),
        answer="a",
        level="specialized",
        version="v",
        context="stable",
        cluster=0,
        salience=number / 10,
        score=None,
        verifier="",
        confidence=1.0,
        received_ns=number,
    )


def test_a_day_is_concentrated_on_skills_that_the_student_lacks_and_the_teacher_has():
    aims = world.targets(WORLD, AMONG, 3)
    assert len(aims) == WORLD.skills
    assert aims <= set(AMONG)
    day = world.lived_day(WORLD, world.interests(WORLD, AMONG, 3), 3)
    share = sum(moment.question.skill in aims for moment in day.moments) / len(day.moments)
    assert share == pytest.approx(WORLD.share, abs=0.05)


def test_what_is_known_by_heart_is_not_to_be_taught():
    assert not [name for name in AMONG if SKILLS[name].in_weights]


def test_a_gain_counts_every_skill_once_and_a_loss_is_that_of_the_worst_old_skill():
    before = {"new": {1: [False, False], 2: [False, True]}, "old": {1: [True] * 4}, "older": {1: [True] * 4}}
    after = {"new": {1: [True, True], 2: [True, True]}, "old": {1: [True] * 4}, "older": {1: [True, False, True, True]}}
    found = change(before, after, ["new"], ["old", "older"])
    assert (found.before, found.after) == (0.25, 1.0)
    assert found.worst == ("older", -0.25)


def test_marks_of_fewer_questions_are_compared_with_the_first_of_more():
    before = {"new": {1: [True, False, False]}, "old": {1: [True]}}
    found = change(before, {"new": {1: [False]}, "old": {1: [True]}}, ["new"], ["old"])
    assert found.gain == -1.0


def test_what_the_student_lacked_and_was_not_taught_is_no_old_skill():
    before = {"new": {1: [False]}, "old": {1: [True]}, "lacked": {1: [True, False]}}
    after = {"new": {1: [True]}, "old": {1: [True]}, "lacked": {1: [False, False]}}
    found = change(before, after, ["new"], ["old"])
    assert found.worst == ("old", 0.0)
    assert found.worst_lacking == ("lacked", -0.5)


def test_an_interval_over_days_is_students():
    mean, low, high = interval([0.1, 0.2, 0.3])
    assert mean == pytest.approx(0.2)
    assert (low, high) == (pytest.approx(0.2 - 4.303 * 0.1 / 3**0.5), pytest.approx(0.2 + 4.303 * 0.1 / 3**0.5))


def test_one_day_says_nothing_of_how_sure_a_gain_is():
    assert interval([0.1])[1] == float("-inf")


def test_shuffling_changes_whose_salience_it_is_and_nothing_else():
    examples = [example(number) for number in range(10)]
    found = shuffled(examples, Random(1))
    assert sorted(one.salience for one in found) == [one.salience for one in examples]
    assert [one.salience for one in found] != [one.salience for one in examples]
    assert [one.question for one in found] == [one.question for one in examples]


def test_the_most_salient_alone_all_weigh_the_same():
    examples = [example(number) for number in range(10)]
    lessons = tuple(
        Lesson(ident=one.exchange, messages=one.messages, answer="a", source="teacher", weight=2.0) for one in examples
    )
    found = top(Material(lessons=lessons, development=(), held_out=()), examples, 3, 2)
    assert [(lesson.ident, lesson.weight) for lesson in found.lessons] == [("x9", 1.0), ("x8", 1.0), ("x7", 1.0)]


def test_what_the_student_had_wrong_is_given_the_right_answer_as_the_teachers():
    wrong = keep("what day is it 2 days after tuesday", "monday", "sensory")
    found = righted(wrong, "specialized")
    assert (found.level, found.score) == ("specialized", 1.0)
    assert found.answer.endswith("thursday.")
    right = keep("what day is it 2 days after tuesday", found.answer, "sensory")
    assert righted(right, "specialized") == right


def test_every_arm_has_a_name_of_its_own_and_the_shipped_one_changes_nothing():
    assert len({arm.name for arm in ARMS}) == len(ARMS)
    assert (dict(SHIPPED.train), dict(SHIPPED.select)) == ({}, {})


def test_an_arm_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ConfigError, match="shipped"):
        experiment.chosen(["shiped"])


def test_goals_that_were_not_measured_are_not_met():
    assert [(goal.measured, goal.met) for goal in experiment.goals({})] == [(None, False)] * 4
