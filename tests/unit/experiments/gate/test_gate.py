from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from experiments.gate.experiment import drawn, exchanged
from experiments.gate.kinds import JUDGING, KINDS, KNOWN, OLD, POISONED, ROUNDS, material, skills_of
from experiments.reference.verifiers import CurriculumVerifier
from nodes.dream_consolidator.selection.select import Lesson, Material
from nodes.dream_consolidator.validation.trial import Manner, Trial

VERIFIER = CurriculumVerifier()


@pytest.fixture(scope="module")
def days() -> dict[str, Material]:
    return {name: material(kind, 3) for name, kind in KINDS.items()}


def right(lesson: Lesson) -> float:
    verdict = VERIFIER.verify(lesson.messages, lesson.answer)
    assert verdict is not None
    return verdict.score


def taught(day: Material) -> list[Lesson]:
    return [lesson for lesson in day.lessons if lesson.source == "teacher"]


def test_every_kind_is_judged_by_the_same_questions_none_of_which_it_learned(days: dict[str, Material]) -> None:
    judging = {question.messages[-1].content for question in days["real improvement"].held_out}
    for day in days.values():
        assert day.held_out == days["real improvement"].held_out
        assert not judging & {lesson.messages[-1].content for lesson in (*day.lessons, *day.development)}
    counts = Counter(question.stratum for question in days["no change"].held_out)
    assert counts == {**dict.fromkeys(skills_of(3), JUDGING), **dict.fromkeys(KNOWN, OLD)}


def test_what_spoils_a_day_spoils_it(days: dict[str, Material]) -> None:
    assert all(right(lesson) == 1.0 for lesson in taught(days["overfitted student"]))
    assert sum(map(right, taught(days["shuffled labels"]))) < 0.2 * len(taught(days["shuffled labels"]))
    poisoned = Counter(lesson.stratum in POISONED for lesson in taught(days["poisoned day"]) if not right(lesson))
    assert poisoned[False] == 0
    assert poisoned[True] > 50
    looped = taught(days["repetition loop"])[0].answer.split()
    assert looped[: len(looped) // ROUNDS] * ROUNDS == looped
    assert not any(lesson.answer for lesson in taught(days["broken teacher"]))


def test_only_the_overfitted_student_rehearses_nothing(days: dict[str, Material]) -> None:
    rehearsing = {name for name, day in days.items() if len(taught(day)) < len(day.lessons)}
    assert rehearsing == set(KINDS) - {"overfitted student"}


def trials() -> list[Trial]:
    def one(stratum: str, target: bool, number: int) -> Trial:
        before, after = (Manner(tokens=tokens, repeated=0, finished=True, confidence=0.5) for tokens in (1, 2))
        return Trial(
            stratum=stratum,
            target=target,
            before=number % 3 == 0,
            after=number % 2 == 0,
            judge="v",
            before_manner=before,
            after_manner=after,
        )

    return [one(stratum, target, number) for stratum, target in (("a", True), ("b", False)) for number in range(40)]


def test_questions_are_drawn_anew_stratum_by_stratum() -> None:
    found = drawn(trials(), Random(1))
    assert Counter(each.stratum for each in found) == {"a": 40, "b": 40}
    assert found != trials()
    assert found == drawn(trials(), Random(1))


def test_an_exchange_turns_about_half_of_what_was_taught_round_and_nothing_else() -> None:
    found = exchanged(trials(), Random(1))
    turned = [each for each in found if each.after_manner is not None and each.after_manner.tokens == 1]
    assert 10 < len(turned) < 30
    assert all(each.target for each in turned)
    assert found[40:] == trials()[40:]
