"""Examples → lessons to learn from, and questions that only judge. Pure: randomness comes in as a generator.

Questions are split by their template (`split`), and one that is nearly the same as a judging one does not teach either
(`nearness`). A lesson whose earlier turns hold a question that does not teach begins after that turn: nothing that
judges, now or next, is ever seen in training, not even as context.

Lessons are never the most salient ones alone. Strata (context × cluster) share the places; inside one, templates take
turns, and P ∝ salience^exponent (`drawing`). Chances are exact, and each lesson weighs the inverse of its own (Horvitz
and Thompson 1952), so that a stratum is learned as it was met. What the student does right already is rehearsed, from
whatever stratum; places that rehearsal does not fill teach.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Literal

import msgspec

from nodes.dream_consolidator.collector.examples import Example, conversation_digest, lot, merit, normalised
from nodes.dream_consolidator.selection.drawing import diverse, shares, systematic
from nodes.dream_consolidator.selection.nearness import Nearness
from nodes.dream_consolidator.selection.split import Split, template
from nodes.dream_consolidator.settings import Select
from protocol.messages.model import ChatMessage

RIGHT = 0.5
"""A judged answer with at least this score counts as right."""
SURE = 0.9
"""An unjudged answer of a larger level with at least this confidence is taken for the teacher's."""
_FAINTEST = 0.01
"""Salience below which two examples are equally dull; keeps P above nothing."""


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What the student is to learn: to answer `messages` as its source would."""

    ident: str
    messages: tuple[ChatMessage, ...]
    answer: str
    """Empty: the source is still to be asked."""
    source: Literal["teacher", "self"]
    """Whose distribution is learned: the teacher's, or (rehearsal) the student's own before the dream."""
    verified: bool = False
    """Something other than a model said that the answer is right."""
    weight: float = 1.0
    stratum: str = ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question that only judges. The right answer is a verifier's to say, else as accepted, else the teacher's."""

    ident: str
    messages: tuple[ChatMessage, ...]
    stratum: str = ""
    cluster: str = ""
    """Questions of one template share it. A number, which says nothing of the words."""
    accepted: str = ""
    """An answer that something other than a model found right; empty where there is none."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What one dream rests on."""

    lessons: tuple[Lesson, ...]
    development: tuple[Lesson, ...]
    held_out: tuple[Question, ...]
    split: Split = Split()
    """By which questions that the student makes up are split as well."""

    @property
    def taught(self) -> int:
        """Lessons whose source is the teacher."""
        return sum(lesson.source == "teacher" for lesson in self.lessons)

    @property
    def taught_strata(self) -> frozenset[str]:
        return frozenset(lesson.stratum for lesson in self.lessons if lesson.source == "teacher")


def select(
    examples: Iterable[Example],
    *,
    student: str,
    levels: Sequence[str],
    settings: Select,
    secret: bytes,
    random: Random,
    turn: int = 1,
) -> Material:
    """The material of a dream of level `student`. `levels` are all of them, least capable first.

    `turn` is one more than that of the weights in force, see `split`.
    """
    rank = {level: index for index, level in enumerate(levels)}
    split = Split.of(settings, secret, turn)
    chosen = best_of_each_question(examples, rank, secret)
    sides: dict[str, list[Example]] = defaultdict(list)
    for example in chosen:
        sides[split.side(example.question)].append(example)
    judging = sorted(sides["judge"], key=lambda example: lot(secret, "judge", normalised(example.question)))
    judging = judging[: settings.judged]
    near = Nearness((example.question for example in judging), settings.near)
    teaching, development = (
        [_lesson(example, student, rank, split) for example in sides[side] if example.question not in near]
        for side in ("learn", "develop")
    )
    salience = {example.exchange: example.salience for example in chosen}
    rehearsed = _draw(
        [each for each in teaching if each.source == "self"],
        round(settings.lessons * settings.rehearsal),
        lambda _: 1.0,
        random,
    )
    taught = _draw(
        [each for each in teaching if each.source == "teacher"],
        settings.lessons - len(rehearsed),
        lambda lesson: max(salience[lesson.ident], _FAINTEST) ** settings.exponent,
        random,
    )
    return Material(
        lessons=(*taught, *rehearsed), development=tuple(development), held_out=_questions(judging), split=split
    )


def best_of_each_question(examples: Iterable[Example], rank: dict[str, int], secret: bytes) -> list[Example]:
    """One example for each conversation that was met.

    Judged right goes before unjudged before wrong, then the larger level's answer, then the later.
    """
    best: dict[str, Example] = {}
    for example in examples:
        key = conversation_digest(secret, example.messages)
        if key not in best or merit(example, rank) > merit(best[key], rank):
            best[key] = example
    return list(best.values())


def without_judging_turns(messages: Sequence[ChatMessage], split: Split) -> tuple[ChatMessage, ...]:
    """The conversation from behind its last earlier turn that judges, now or next; what the system said first stays."""
    begin = 0
    for index, message in enumerate(messages[:-1]):
        if message.role == "user" and split.side(message.content) in ("judge", "rest"):
            begin = index + 1
    if not begin:
        return tuple(messages)
    while messages[begin].role != "user":
        begin += 1
    system = tuple(message for message in messages[:1] if message.role == "system")
    return (*system, *messages[begin:])


def clusters(questions: Iterable[str]) -> list[str]:
    """For each question the number of its template, counted as they come."""
    numbers: dict[str, int] = {}
    return [str(numbers.setdefault(template(question), len(numbers))) for question in questions]


def _questions(judging: Sequence[Example]) -> tuple[Question, ...]:
    return tuple(
        Question(
            ident=each.exchange,
            messages=each.messages,
            stratum=each.stratum,
            cluster=cluster,
            accepted=each.answer if each.score is not None and each.score >= RIGHT else "",
        )
        for each, cluster in zip(judging, clusters(each.question for each in judging), strict=True)
    )


def _draw(
    lessons: Sequence[Lesson], places: int, size: Callable[[Lesson], float], random: Random
) -> tuple[Lesson, ...]:
    strata: dict[str, list[Lesson]] = defaultdict(list)
    for lesson in lessons:
        strata[lesson.stratum].append(lesson)
    given = shares({name: len(members) for name, members in strata.items()}, places)
    drawn: list[Lesson] = []
    for name, members in sorted(strata.items()):
        random.shuffle(members)
        members.sort(key=_template)
        chances = diverse([_template(each) for each in members], [size(each) for each in members], given[name])
        taken = systematic(chances, random.random())
        # Weights average one in a stratum: they undo the draw inside it, not the even share between strata.
        mean = math.fsum(1 / chances[index] for index in taken) / max(1, len(taken))
        drawn += [msgspec.structs.replace(members[index], weight=1 / chances[index] / mean) for index in taken]
    return tuple(drawn)


def _template(lesson: Lesson) -> str:
    return template(lesson.messages[-1].content)


def _lesson(example: Example, student: str, rank: dict[str, int], split: Split) -> Lesson:
    messages = without_judging_turns(example.messages, split)
    right = example.score is not None and example.score >= RIGHT
    mastered = right and example.level == student
    larger = rank.get(example.level, -1) > rank[student]
    trusted = larger and (right or (example.score is None and example.confidence >= SURE))
    # An answer given in a longer conversation may rest on what was cut away.
    usable = (mastered or trusted) and messages == example.messages
    return Lesson(
        ident=example.exchange,
        messages=messages,
        answer=example.answer if usable else "",
        source="self" if mastered and usable else "teacher",
        verified=right and usable,
        stratum=example.stratum,
    )
