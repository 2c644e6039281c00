"""From questions and answers to lessons and trials: which answers may teach, and what they showed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

import msgspec

from nodes.dream_consolidator.collector.examples import normalised
from nodes.dream_consolidator.selection.select import RIGHT, Lesson, Material, Question
from nodes.dream_consolidator.validation.ruling import Trial, judge_answer
from protocol.messages.model import ChatMessage
from runtime.verifiers import Verifier, judge

SELF_ASKED = "self-asked"
_JUDGING, _DEVELOPMENT = 0.4, 0.1
"""Shares of the self-asked questions that judge, and that say when to stop."""


class SelfAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Questions the student made up, by their use."""

    lessons: tuple[Lesson, ...] = ()
    development: tuple[Lesson, ...] = ()
    held_out: tuple[Question, ...] = ()


def sort_self_asked(texts: Iterable[str], held_out: Iterable[Question], random: Random) -> SelfAsked:
    """Make lessons and judging questions of what the student asked: no question twice, none that judges already."""
    known = {normalised(question.messages[-1].content) for question in held_out}
    unique: dict[str, str] = {}
    for text in texts:
        key = normalised(text)
        if key and key not in known:
            unique.setdefault(key, text)
    asked = [(ChatMessage(role="user", content=text),) for text in unique.values()]
    random.shuffle(asked)
    first, second = round(_JUDGING * len(asked)), round((_JUDGING + _DEVELOPMENT) * len(asked))
    lessons = tuple(
        Lesson(ident=f"{SELF_ASKED}/{index}", messages=messages, answer="", source="self", stratum=SELF_ASKED)
        for index, messages in enumerate(asked)
    )
    return SelfAsked(
        lessons=lessons[second:],
        development=lessons[first:second],
        held_out=tuple(
            Question(ident=each.ident, messages=each.messages, stratum=each.stratum) for each in lessons[:first]
        ),
    )


def corrected(asked: SelfAsked, own: Mapping[str, str], verifiers: Sequence[Verifier]) -> SelfAsked:
    """The self-asked questions, those for the teacher to answer that a verifier knows the student to answer wrong."""

    def correct(lesson: Lesson) -> Lesson:
        verdict = judge(verifiers, lesson.messages, own.get(lesson.ident, ""))
        wrong = verdict is not None and verdict[1].score < RIGHT
        return msgspec.structs.replace(lesson, source="teacher") if wrong else lesson

    return msgspec.structs.replace(
        asked, lessons=tuple(map(correct, asked.lessons)), development=tuple(map(correct, asked.development))
    )


def answered(
    lessons: Iterable[Lesson], answers: Mapping[str, str], verifiers: Sequence[Verifier]
) -> tuple[list[Lesson], int]:
    """The lessons with their answers, without those that have none or that a verifier refutes; how many it refuted."""
    found: list[Lesson] = []
    refuted = 0
    for lesson in lessons:
        answer = lesson.answer or answers.get(lesson.ident, "")
        if not answer.strip():
            continue
        verdict = judge(verifiers, lesson.messages, answer)
        if verdict is not None and verdict[1].score < RIGHT:
            refuted += 1
            continue
        verified = lesson.verified or verdict is not None
        stratum = verdict[1].skill if verdict is not None else lesson.stratum
        found.append(msgspec.structs.replace(lesson, answer=answer, verified=verified, stratum=stratum))
    return found, refuted


def trials(
    questions: Iterable[Question],
    *,
    taught: frozenset[str],
    teacher: Mapping[str, str],
    before: Mapping[str, str],
    after: Mapping[str, str],
    verifiers: Sequence[Verifier],
) -> list[Trial]:
    """Judge both answers to each question. `taught` are the strata of the lessons that a teacher gave.

    A question that nobody can judge is left out.
    """
    found = []
    for question in questions:
        ident, expected = question.ident, teacher.get(question.ident, "")
        first = judge_answer(verifiers, question.messages, before[ident], expected)
        second = judge_answer(verifiers, question.messages, after[ident], expected)
        if first is None or second is None:
            continue
        stratum = first.skill or question.stratum
        found.append(
            Trial(
                stratum=stratum,
                target=stratum in taught,
                before=first.right,
                after=second.right,
                judge=first.judge,
            )
        )
    return found


def taught(lessons: Iterable[Lesson], material: Material) -> list[Lesson]:
    """The lessons the dream is for: of the store, and the teacher's. All others rehearse."""
    idents = {lesson.ident for lesson in material.lessons}
    return [lesson for lesson in lessons if lesson.source == "teacher" and lesson.ident in idents]


def awaiting(material: Material, asked: SelfAsked) -> list[Lesson]:
    """Lessons whose answer the teacher is still to give."""
    every = (*material.lessons, *material.development, *asked.lessons, *asked.development)
    return [lesson for lesson in every if lesson.source == "teacher" and not lesson.answer]
