"""A day of real questions: what is asked of the machine, and what its dreamer learns from."""

import msgspec

from experiments.distillation import world as teaching
from experiments.metabolism import dreamt
from experiments.metabolism.course import Course, Leg
from experiments.metabolism.world import HOUR_S, load
from experiments.reference.days import even
from protocol.messages.context import Snarc
from protocol.messages.dream import Keep
from protocol.messages.metabolism import Metabolic

WORLD = load()


def keep(number: int, level: str = "sensory") -> Keep:
    return Keep(
        exchange=str(number),
        session="one",
        messages=[],
        answer="yes",
        level=level,
        version=level,
        context="stable",
        snarc=Snarc(salience=0.7),
    )


class Dreamer:
    """Says what it was told, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, float]] = []
        self.looked = 0

    def offer(self, kept, at_s):
        self.heard += [(each.exchange, at_s) for each in kept]

    def backlog(self, at_s):
        self.looked += 1
        return len(self.heard)


def test_every_question_comes_at_its_hour_and_needs_the_level_that_answered_it():
    fixed = msgspec.structs.replace(teaching.load(), visits=20.0)
    day = teaching.lived_day(fixed, even(), 1)
    kept = [keep(number, "sensory" if number % 2 else "specialized") for number in range(len(day.moments))]
    stream = dreamt.asked(day, kept, WORLD, 1)
    assert [question.at_s for question in stream.questions] == [
        moment.second - WORLD.begins * HOUR_S for moment in day.moments
    ]
    assert [question.needs for question in stream.questions] == [each.level for each in kept]
    assert len({question.ident for question in stream.questions}) == len(kept)
    assert {question.salience for question in stream.questions} == {0.7}


def test_the_dreamer_is_offered_what_was_answered_and_asked_now_and_then_what_there_is_to_learn():
    dreamer = Dreamer()
    sleeper = dreamt.Sleeper(dreamer, {"a": keep(1), "b": keep(2)}, lambda _: None)
    sleeper.answered("b", 5.0)
    assert dreamer.heard == [("2", 5.0)]
    assert [sleeper.backlog(at_s) for at_s in (6.0, 7.0, 6.0 + dreamt.LOOK_S)] == [1, 1, 1]
    assert dreamer.looked == 2
    sleeper.finished()
    sleeper.backlog(8.0)
    assert dreamer.looked == 3


def test_a_dream_that_was_gone_on_with_was_begun_once():
    def leg(began_s: float, *, finished: bool, vain: bool = False) -> Leg:
        return Leg(began_s=began_s, ended_s=began_s + 1, finished=finished, vain=vain)

    course = Course(
        seconds=10.0,
        tick_s=5.0,
        start=Metabolic.WAKE,
        told=(),
        entered=(),
        legs=(
            leg(1.0, finished=True, vain=True),
            leg(2.0, finished=False),
            leg(3.0, finished=True),
            leg(4.0, finished=True),
        ),
        looks=(),
        stirs=(),
        spent={},
        loads=0,
    )
    assert dreamt._begun(course) == [2.0, 4.0]


def test_without_the_incident_nothing_fails():
    world = dreamt.without_incident(WORLD)
    assert (world.incident.fails, world.incident.fails_alone, world.incident.questions) == (0, 0, 0)
