"""The forerunner's defects, looked for in the life of this machine. What it did stands beside what is found.

Its machine is known by its measured behaviour alone; nothing of it is run here.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from experiments.metabolism import rivals, world
from experiments.metabolism.course import Course, Fate
from experiments.metabolism.dreams import Assumed
from experiments.metabolism.life import live
from experiments.metabolism.world import DAY_S, Question, Stream, World
from nodes.metabolic_controller.config import MetabolismConfig
from protocol.messages.metabolism import Metabolic

LESSONS = 20
NOON = 12.0
LOUD = 0.9
SILENCE = Stream(seconds=DAY_S, questions=(), noises=())
MOST_ALONE = 4
"""Transitions of a day in which nobody stirs: to wake, to rest, to a dream, and out of it."""


class Defect(msgspec.Struct, frozen=True):
    forerunner: str
    here: str
    gone: bool


def defects(given: World, settings: MetabolismConfig, busy: Stream, seed: int) -> Iterator[Defect]:
    """`busy`: a course with ten times the questions."""
    yield _idle(given, settings)
    yield _focus_rests(given, settings)
    yield _dream_ends_at_noon(given, settings)
    yield _hears_in_rest(given, settings)
    yield _recovers(given, settings, seed)
    yield _under_load(given, settings, busy)


def _idle(given: World, settings: MetabolismConfig) -> Defect:
    most = max(
        len(live(given, SILENCE, rivals.this_machine(settings, given, start=start), Assumed(given, LESSONS)).entered)
        for start in Metabolic
    )
    here = f"at most {most} transitions in a day of silence, from whatever state"
    return Defect("idle it flapped 132 to 221 times in 3,000 cycles", here, most <= MOST_ALONE)


def _focus_rests(given: World, settings: MetabolismConfig) -> Defect:
    course = live(given, SILENCE, rivals.this_machine(settings, given, start=Metabolic.FOCUS))
    at_s = _first(course, Metabolic.REST)
    return Defect("FOCUS could not reach REST", f"left alone in FOCUS, it rests after {_shown(at_s)}", at_s is not None)


def _dream_ends_at_noon(given: World, settings: MetabolismConfig) -> Defect:
    noon = msgspec.structs.replace(given, begins=NOON)
    course = live(noon, SILENCE, rivals.this_machine(settings, noon, start=Metabolic.REST), Assumed(noon, LESSONS))
    dreamt, ended = _first(course, Metabolic.DREAM), None
    if dreamt is not None:
        ended = next((one.at_s for one in course.entered if one.left is Metabolic.DREAM), None)
    here = f"it dreams {_shown(dreamt)} after noon, and the dream has ended by {_shown(ended)}"
    return Defect("at noon DREAM could not end", here, ended is not None)


def _hears_in_rest(given: World, settings: MetabolismConfig) -> Defect:
    level = given.levels[-1]
    question = Question(ident="loud", at_s=DAY_S / 4, conversation="loud", needs=level.name, salience=LOUD, luck=1.0)
    silence = msgspec.structs.replace(SILENCE, questions=(question,))
    told = live(given, silence, rivals.this_machine(settings, given)).told[0]
    beyond = None if told.first_s is None else told.first_s - told.load_s
    here = f"roused: first part {_shown(beyond)} beyond loading the model" if told.roused else "it was not asleep"
    return Defect("REST was deaf to salience 0.9", here, told.roused and beyond is not None and beyond <= 1.0)


def _recovers(given: World, settings: MetabolismConfig, seed: int) -> Defect:
    stream = world.stream(given, next(iter(given.days)), seed)
    course = live(given, stream, rivals.overdrawn(settings, given))
    full = next((look.at_s for look in course.looks if look.atp >= settings.energy.capacity - 1e-6), None)
    lost = _lost(course)
    here = f"begun with {-settings.energy.overdraft:g} ATP: {lost} questions lost, full again after {_shown(full)}"
    return Defect("ATP 0 was a trap", here, full is not None and not lost)


def _under_load(given: World, settings: MetabolismConfig, busy: Stream) -> Defect:
    course = live(given, busy, rivals.this_machine(settings, given))
    here = f"with ten times the questions {_lost(course)} of {len(course.told)} lost"
    return Defect("under load it turned away 78% of queries", here, not _lost(course))


def _lost(course: Course) -> int:
    return sum(told.fate in (Fate.ASLEEP, Fate.LATE) for told in course.told)


def _first(course: Course, state: Metabolic) -> float | None:
    return next((one.at_s for one in course.entered if one.state is state), None)


def _shown(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
