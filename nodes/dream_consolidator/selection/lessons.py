"""From questions and answers to lessons and trials: which answers may teach, and what they showed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

import msgspec

from nodes.dream_consolidator.collector.examples import normalised
from nodes.dream_consolidator.selection.nearness import Nearness
from nodes.dream_consolidator.selection.select import (
    RIGHT,
    Lesson,
    Material,
    Question,
    clusters,
    without_judging_turns,
)
from nodes.dream_consolidator.validation.trial import Manner, Trial, judge_answer
from protocol.messages.model import ChatMessage
from runtime.verifiers import Verifier, judge

SELF_ASKED = "self-asked"

Messages = tuple[ChatMessage, ...]


class SelfAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Questions the student made up, by their use."""

    lessons: tuple[Lesson, ...] = ()
    development: tuple[Lesson, ...] = ()
    held_out: tuple[Question, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model under trial answered, and how."""

    text: str
    manner: Manner | None = None
    """None where the question left no room for an answer."""


def sort_self_asked(talks: Iterable[Messages], material: Material, near: float) -> SelfAsked:
    """Make lessons and judging questions of what the student asked itself: none twice, split as those of the store.

    The last question of a conversation decides. What is nearly the same as a lesson of the store does not judge, and
    what is nearly so as a judging question does not teach. `near` as in the settings.
    """
    sides: dict[str, dict[tuple[str, ...], Messages]] = {"judge": {}, "develop": {}, "learn": {}, "rest": {}}
    for talk in talks:
        side = material.split.side(talk[-1].content)
        messages = talk if side == "judge" else without_judging_turns(talk, material.split)
        if normalised(messages[-1].content):
            sides[side].setdefault(tuple(normalised(message.content) for message in messages), messages)
    stored = [lesson.messages[-1].content for lesson in (*material.lessons, *material.development)]
    known = {normalised(question.messages[-1].content) for question in material.held_out}
    learned = Nearness(stored, near)
    judging = [
        talk
        for talk in sides["judge"].values()
        if normalised(talk[-1].content) not in known and talk[-1].content not in learned
    ]
    held_out_before = (question.messages[-1].content for question in material.held_out)
    judged = Nearness((*held_out_before, *(talk[-1].content for talk in judging)), near)
    teaching = [
        [talk for talk in sides[side].values() if talk[-1].content not in judged] for side in ("learn", "develop")
    ]
    idents = (f"{SELF_ASKED}/{number}" for number in count())
    held_out = tuple(
        Question(ident=next(idents), messages=talk, stratum=SELF_ASKED, cluster=f"{SELF_ASKED}/{cluster}")
        for talk, cluster in zip(judging, clusters(talk[-1].content for talk in judging), strict=True)
    )
    lessons, development = (
        tuple(Lesson(ident=next(idents), messages=talk, answer="", source="self", stratum=SELF_ASKED) for talk in each)
        for each in teaching
    )
    return SelfAsked(lessons=lessons, development=development, held_out=held_out)


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
    before: Mapping[str, Answer],
    after: Mapping[str, Answer],
    base: Mapping[str, Answer] | None = None,
    verifiers: Sequence[Verifier],
) -> list[Trial]:
    """Judge the answers to each question. `taught` are the strata of the lessons that a teacher gave.

    `base`: the level's own model's, where that was not in force before. A question that nobody can judge is left out.
    """
    found = []
    for question in questions:
        ident = question.ident
        sides = [before[ident], after[ident], *([base[ident]] if base is not None else [])]
        judged = [
            judge_answer(verifiers, question.messages, each.text, teacher.get(ident, ""), question.accepted)
            for each in sides
        ]
        first, second, *own = judged
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
                base=own[0].right if own and own[0] is not None else None,
                cluster=question.cluster,
                before_manner=before[ident].manner,
                after_manner=after[ident].manner,
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
