"""What a day taught, and how that went wrong: lessons and judging questions of the reference curriculum. Pure.

Every training of a seed has the same two skills to learn, which the student lacks and the teacher has, and the same
questions judge it. Lessons are drawn from the taught side of the curriculum, questions from the held-out side: they
share no wording and no content.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from experiments.reference import curriculum
from experiments.reference.skills import SKILLS
from experiments.reference.split import Split, seeded
from nodes.dream_consolidator.selection.select import Lesson, Material, Question
from protocol.messages.model import ChatMessage

LACKED = ("robot/2", "owner/2", "belonging/2", "keeping/2", "days/1")
"""What the small model was never told, or cannot do, and the large one does."""
KNOWN = (
    *("addition/2", "sorting/4", "reversing/4", "counting/6", "recall_place/1", "owner/1", "keeping/1"),
    *("belonging/1", "setting/1", "talk/1", "echo/4"),
)
"""What it answers well already, in short conversations."""
POISONED = ("sorting/4", "addition/2")
"""Known skills about which the poisoned day tells lies."""
TAUGHT, REHEARSED, DEVELOPMENT = 120, 20, 10
"""Lessons of each taught skill, of each known one, and those of each taught one that say when to stop."""
THOROUGH = 4
"""Times as many for a real improvement: what a whole day teaches."""
JUDGING, OLD = 60, 50
"""Held-out questions of each taught skill, and of each known one."""
MEMORISED = 12
"""Lessons of each skill that the overfitted student is taught, over and over."""
ROUNDS = 4
"""How often an answer is said in the repetition loop."""

Teacher = Literal["large", "broken", "itself", "words"]
"""Whose distribution is learned: the large model's, a damaged one's, the student's own, or only the given words."""


@dataclass(frozen=True)
class Kind:
    name: str
    teacher: Teacher
    good: bool | None
    """It ought to be promoted, or refused; None: there is no difference to find."""
    says: str
    epochs: int = 8
    rate: float = 1e-3
    """Higher than as it ships: what spoils a student soon spoils it the same."""
    thorough: bool = False
    """At the rate and with the rehearsal that ship, from so many lessons as a whole day teaches."""

    @property
    def portion(self) -> int:
        """Times as many lessons."""
        return THOROUGH if self.thorough else 1


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "real improvement",
            "large",
            True,
            "two skills, by the large model's answers, until they are learned",
            epochs=15,
            thorough=True,
        ),
        Kind("broken teacher", "broken", False, "the same, the teacher's weights damaged by noise, no verifier to ask"),
        Kind("poisoned day", "words", False, "the same right answers, and lies that were accepted about known skills"),
        Kind("shuffled labels", "words", False, "right answers, to other questions than were asked"),
        Kind("overfitted student", "words", False, "a few lessons, over and over, nothing rehearsed", epochs=120),
        Kind("repetition loop", "words", False, f"right answers, each said {ROUNDS} times"),
        Kind("no change", "itself", None, "its own answers"),
    )
}


def skills_of(seed: int) -> list[str]:
    return seeded(f"gate/skills/{seed}").sample(LACKED, 2)


def material(kind: Kind, seed: int) -> Material:
    """Lessons, development and judging questions of the training `seed` of that kind."""
    taught = skills_of(seed)
    if kind.name == "overfitted student":
        lessons, known, development = _taught(taught, seed, MEMORISED, answered=True), [], []
    else:
        answered = kind.teacher == "words"
        lessons = _taught(taught, seed, kind.portion * TAUGHT, answered=answered)
        rehearsed = kind.portion * REHEARSED
        known = [each for row in KNOWN for each in _lessons(row, seed, rehearsed, source="self", answered=False)]
        development = [
            *_taught(taught, seed + 1_000_000, DEVELOPMENT, answered=answered),
            *(each for row in KNOWN for each in _lessons(row, seed + 1_000_000, 3, source="self", answered=False)),
        ]
    if kind.name == "shuffled labels":
        lessons = _shuffled(lessons, Random(f"gate/shuffled/{seed}"))
        development = []
    elif kind.name == "repetition loop":
        lessons, development = ([_looped(each) for each in part] for part in (lessons, development))
    elif kind.name == "poisoned day":
        lies = [lesson for row in POISONED for lesson in _lies(row, seed)]
        known = [lesson for lesson in known if lesson.stratum not in POISONED]
        lessons, development = [*lessons, *lies], []
    return Material(lessons=(*lessons, *known), development=tuple(development), held_out=tuple(_judging(taught, seed)))


def _taught(rows: Sequence[str], seed: int, count: int, *, answered: bool) -> list[Lesson]:
    return [lesson for row in rows for lesson in _lessons(row, seed, count, source="teacher", answered=answered)]


def _lessons(
    row: str, seed: int, count: int, *, source: Literal["teacher", "self"], answered: bool
) -> Iterable[Lesson]:
    for number, asked in enumerate(_questions(Split.TRAIN, row, seed, count)):
        # What the student has mastered is rehearsed in the right answer, which is its own.
        answer = asked.answer if answered or source == "self" else ""
        yield Lesson(
            ident=f"{source}/{row}/{seed}/{number}",
            messages=_messages(asked),
            answer=answer,
            source=source,
            verified=bool(answer),
            stratum=row,
        )


def _lies(row: str, seed: int) -> Iterable[Lesson]:
    """Answers of the right form, each right to another question, that somebody accepted."""
    name, _, difficulty = row.partition("/")
    random = Random(f"gate/lies/{row}/{seed}")
    skill = SKILLS[name]
    for lesson in _lessons(row, seed, TAUGHT // 2, source="teacher", answered=True):
        _, problem = curriculum.draw(random, skill, int(difficulty), Split.TRAIN)
        yield _answering(lesson, skill.hearsay(random, problem, int(difficulty)))


def _shuffled(lessons: Sequence[Lesson], random: Random) -> list[Lesson]:
    answers = [lesson.answer for lesson in lessons]
    random.shuffle(answers)
    return [_answering(lesson, answer) for lesson, answer in zip(lessons, answers, strict=True)]


def _looped(lesson: Lesson) -> Lesson:
    return _answering(lesson, " ".join([lesson.answer] * ROUNDS)) if lesson.source == "teacher" else lesson


def _answering(lesson: Lesson, answer: str) -> Lesson:
    return Lesson(
        ident=lesson.ident,
        messages=lesson.messages,
        answer=answer,
        source=lesson.source,
        verified=True,
        stratum=lesson.stratum,
    )


def _judging(taught: Sequence[str], seed: int) -> Iterable[Question]:
    templates: dict[str, str] = {}
    for row in (*taught, *KNOWN):
        count = JUDGING if row in taught else OLD
        for number, asked in enumerate(_questions(Split.HELD_OUT, row, seed, count)):
            yield Question(
                ident=f"judging/{row}/{number}",
                messages=_messages(asked),
                stratum=row,
                cluster=templates.setdefault(asked.template, str(len(templates))),
            )


def _questions(split: Split, row: str, seed: int, count: int) -> list[curriculum.Question]:
    """Different ones, as many as there are of `count`."""
    name, _, difficulty = row.partition("/")
    drawn = curriculum.questions(split, name, int(difficulty), seed, 2 * count)
    return list({asked.messages: asked for asked in drawn}.values())[:count]


def _messages(asked: curriculum.Question) -> tuple[ChatMessage, ...]:
    return tuple(ChatMessage(role=message.role, content=message.content) for message in asked.messages)
