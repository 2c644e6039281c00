"""What a simulated person means to say in a conversation, before any answer is heard. Pure: all follows from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from experiments.conversations.world import World
from experiments.reference.curriculum import draw, telling_of
from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Slots, Template
from experiments.reference.skills import SKILLS, memory, rows
from experiments.reference.split import Split, seeded
from experiments.reference.wording import Style, question
from nodes.dialogue.patterns.pattern import PatternFile

TALK = "talk"
_TRIES = 20


class Kind(StrEnum):
    COMMON = "common"
    """One of the questions that everybody asks, first in the conversation."""
    QUESTION = "question"
    TELL = "tell"
    ABOUT = "about"
    """A question on what was told."""
    REPEAT = "repeat"
    """An earlier question of the conversation again, to the letter."""
    PATTERN = "pattern"
    CORRECT = "correct"
    """That the last answer was wrong."""
    AGAIN = "again"
    """The last question once more, because its answer was wrong."""


JUDGED = (Kind.COMMON, Kind.QUESTION, Kind.ABOUT, Kind.REPEAT, Kind.AGAIN)
"""Kinds that the curriculum's verifier knows an answer to."""


@dataclass(frozen=True)
class Saying:
    kind: Kind
    text: str
    pattern: str = ""
    """Name of the pattern that should answer."""


def scripts(world: World, patterns: PatternFile, seed: int, count: int) -> list[list[Saying]]:
    """So many conversations, from first to last."""
    phrases = _phrases(world, patterns)
    common = _common(world, seed)
    return [list(_script(world, phrases, common, seeded(f"conversation/{seed}/{number}"))) for number in range(count)]


def _script(
    world: World, phrases: Mapping[str, Sequence[str]], common: Sequence[str], random: Random
) -> Iterator[Saying]:
    left = random.randint(world.turns.least, world.turns.most)
    asked: list[str] = []
    told: set[str] = set()
    if random.random() < world.common.share:
        weights = [1 / rank for rank in range(1, len(common) + 1)]
        asked.append(random.choices(common, weights)[0])
        yield Saying(Kind.COMMON, asked[-1])
        left -= 1
    while left > 0:
        passage = list(_passage(world, phrases, random, asked, told))[:left]
        left -= len(passage)
        asked += [saying.text for saying in passage if saying.kind in (Kind.QUESTION, Kind.ABOUT)]
        yield from passage
    if random.random() < world.thanks:
        yield Saying(Kind.PATTERN, random.choice(phrases["thanks"]), "thanks")


def _passage(
    world: World, phrases: Mapping[str, Sequence[str]], random: Random, asked: Sequence[str], told: set[str]
) -> Iterator[Saying]:
    weights = world.passages
    choices = {
        "question": weights.question,
        "memory": weights.memory if len(told) < len(world.memory.kinds) else 0.0,
        "pattern": weights.pattern,
        "repeat": weights.repeat if asked else 0.0,
    }
    match random.choices(list(choices), list(choices.values()))[0]:
        case "question":
            yield Saying(Kind.QUESTION, _question(random))
        case "memory":
            yield from _remembered(world, random, told)
        case "pattern":
            name = random.choice(world.patterns)
            yield Saying(Kind.PATTERN, random.choice(phrases[name]), name)
        case _:
            yield Saying(Kind.REPEAT, random.choice(asked))


def _question(random: Random) -> str:
    """A held-out question that needs nothing told before; rows of the curriculum come alike often.

    Greetings and thanks are among the patterns.
    """
    name, difficulty = random.choice([row for row in rows() if row[0] != TALK and not SKILLS[row[0]].in_context])
    template, problem = draw(random, SKILLS[name], difficulty, Split.HELD_OUT)
    return question(random, template, problem.slots, random.choice(tuple(Style)))


def _remembered(world: World, random: Random, told: set[str]) -> Iterator[Saying]:
    """Something told, of a kind that was not told yet in this conversation, and held-out questions about it."""
    name = random.choice([kind for kind in world.memory.kinds if kind not in told])
    told.add(name)
    skill, style = SKILLS[name], random.choice(tuple(Style))
    difficulty = min(random.choice(world.memory.facts), max(skill.difficulties))
    template, problem = draw(random, skill, difficulty, Split.HELD_OUT)
    telling, _ = telling_of(random, problem.facts, style)
    yield Saying(Kind.TELL, telling.content)
    yield Saying(Kind.ABOUT, question(random, template, problem.slots, style))
    for _ in range(random.randint(world.memory.questions.least, world.memory.questions.most) - 1):
        further = _further(random, skill, problem.facts)
        if further is not None:
            yield Saying(Kind.ABOUT, question(random, *further, style))


def _further(random: Random, skill: Skill, facts: Facts) -> tuple[Template, Slots] | None:
    """Another held-out question of the skill on the same facts; None where chance finds none."""
    for _ in range(_TRIES):
        problem = _problem(random, skill, facts)
        template = random.choice(skill.templates_of(Split.HELD_OUT))
        if problem is not None and skill.split_of(template, problem) is Split.HELD_OUT:
            return template, problem.slots
    return None


def _problem(random: Random, skill: Skill, facts: Facts) -> Problem | None:
    match skill.name:
        case "recall_place":
            return memory.place_problem(facts, random.choice(list(facts.place)))
        case "recall_favourite":
            return memory.favourite_problem(facts, random.choice(list(facts.favourite)))
    return None


def _common(world: World, seed: int) -> list[str]:
    random = seeded(f"common/{seed}")
    return [_question(random) for _ in range(world.common.questions)]


def _phrases(world: World, patterns: PatternFile) -> dict[str, tuple[str, ...]]:
    """Name of a pattern → its phrases without slots. KeyError where one of the world's is gone."""
    found = {
        pattern.name: tuple(phrase for phrase in pattern.phrases if "{" not in phrase) for pattern in patterns.patterns
    }
    return {name: found[name] for name in {*world.patterns, "thanks"}}
