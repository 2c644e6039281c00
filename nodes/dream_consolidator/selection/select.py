"""Examples → lessons to learn from, and questions that only judge. Pure: randomness comes in as a generator.

Questions are split by the keyed digest of their words, so that the same question falls on the same side in every
conversation and every dream. A lesson whose earlier turns hold a judging question begins after that turn: nothing
that judges is ever seen in training, not even as context.

Lessons are never the most salient ones alone. Strata (context × cluster) share the places; inside one,
P ∝ salience^exponent, drawn by systematic sampling (Madow 1949), whose inclusion probabilities are exact; each lesson
weighs the inverse of its own (Horvitz and Thompson 1952), so that a stratum is learned as it was met.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Literal

import msgspec

from nodes.dream_consolidator.collector.examples import Example, conversation_digest, lot, normalised
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
    """A question that only judges. The right answer is a verifier's or the teacher's to say."""

    ident: str
    messages: tuple[ChatMessage, ...]
    stratum: str = ""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What one dream rests on."""

    lessons: tuple[Lesson, ...]
    development: tuple[Lesson, ...]
    held_out: tuple[Question, ...]

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
) -> Material:
    """The material of a dream of level `student`. `levels` are all of them, least capable first."""
    rank = {level: index for index, level in enumerate(levels)}
    chosen = best_of_each_question(examples, rank, secret)
    sides: dict[str, list[Example]] = defaultdict(list)
    for example in chosen:
        sides[side(example.question, settings, secret)].append(example)
    lessons = [_lesson(example, student, rank, settings, secret) for example in sides["train"]]
    salience = {example.exchange: example.salience for example in chosen}
    places = round(settings.lessons * settings.rehearsal)
    rehearsed = _draw([each for each in lessons if each.source == "self"], places, lambda _: 1.0, random)
    taught = _draw(
        [each for each in lessons if each.source == "teacher"],
        settings.lessons - places,
        lambda lesson: max(salience[lesson.ident], _FAINTEST) ** settings.exponent,
        random,
    )
    judging = sorted(sides["held_out"], key=lambda example: lot(secret, "judge", normalised(example.question)))
    return Material(
        lessons=(*taught, *rehearsed),
        development=tuple(_lesson(each, student, rank, settings, secret) for each in sides["development"]),
        held_out=tuple(
            Question(ident=each.exchange, messages=each.messages, stratum=each.stratum)
            for each in judging[: settings.judged]
        ),
    )


def side(question: str, settings: Select, secret: bytes) -> Literal["train", "development", "held_out"]:
    """Where a question belongs, by its words alone."""
    draw = lot(secret, "side", normalised(question))
    if draw < settings.held_out:
        return "held_out"
    return "development" if draw < settings.held_out + settings.development else "train"


def best_of_each_question(examples: Iterable[Example], rank: dict[str, int], secret: bytes) -> list[Example]:
    """One example for each conversation that was met.

    Judged right goes before unjudged before wrong, then the larger level's answer, then the later.
    """
    best: dict[str, Example] = {}
    for example in examples:
        key = conversation_digest(secret, example.messages)
        if key not in best or _merit(example, rank) > _merit(best[key], rank):
            best[key] = example
    return list(best.values())


def without_judging_turns(messages: Sequence[ChatMessage], settings: Select, secret: bytes) -> tuple[ChatMessage, ...]:
    """The conversation from behind its last earlier turn that judges; what the system said first stays."""
    begin = 0
    for index, message in enumerate(messages[:-1]):
        if message.role == "user" and side(message.content, settings, secret) == "held_out":
            begin = index + 1
    if not begin:
        return tuple(messages)
    while messages[begin].role != "user":
        begin += 1
    system = tuple(message for message in messages[:1] if message.role == "system")
    return (*system, *messages[begin:])


def shares(sizes: dict[str, int], places: int) -> dict[str, int]:
    """How many of `places` each stratum of these sizes gets: equal parts, what one cannot fill going to the others."""
    given: dict[str, int] = {}
    left = places
    for position, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: (item[1], item[0]))):
        given[name] = min(size, left // (len(sizes) - position))
        left -= given[name]
    return given


def inclusion(sizes: Sequence[float], places: int) -> list[float]:
    """min(1, c·size) with the c for which they add up to `places`: the chance of each to be among them."""
    certain: set[int] = set()
    while True:
        open_ = [index for index in range(len(sizes)) if index not in certain]
        total = math.fsum(sizes[index] for index in open_)
        scale = (places - len(certain)) / total if total else 0.0
        over = {index for index in open_ if sizes[index] * scale >= 1.0}
        if not over:
            return [1.0 if index in certain else size * scale for index, size in enumerate(sizes)]
        certain |= over


def systematic(chances: Sequence[float], start: float) -> list[int]:
    """Indices drawn so that each is among them with exactly its chance. `start` is uniform in [0, 1)."""
    drawn = []
    reached, next_mark = 0.0, start
    for index, chance in enumerate(chances):
        reached += chance
        # A chance of one always passes a mark; rounding of the sum must not make it miss its own.
        if reached > next_mark + 1e-9 or chance >= 1.0:
            drawn.append(index)
            next_mark += 1.0
    return drawn


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
        chances = inclusion([size(each) for each in members], given[name])
        taken = systematic(chances, random.random())
        # Weights average one in a stratum: they undo the draw inside it, not the even share between strata.
        mean = math.fsum(1 / chances[index] for index in taken) / max(1, len(taken))
        drawn += [msgspec.structs.replace(members[index], weight=1 / chances[index] / mean) for index in taken]
    return tuple(drawn)


def _lesson(example: Example, student: str, rank: dict[str, int], settings: Select, secret: bytes) -> Lesson:
    messages = without_judging_turns(example.messages, settings, secret)
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


def _merit(example: Example, rank: dict[str, int]) -> tuple[float, int, int]:
    judged = 0.25 if example.score is None else float(example.score >= RIGHT)
    return judged, rank.get(example.level, -1), example.received_ns
