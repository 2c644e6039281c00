"""Sorting digits; reversing, counting and repeating words."""

from random import Random

from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.skills.keys import after_colon, every, last_number
from experiments.reference.words import COPIED, PEOPLE, ROOMS, THINGS

WORD = r"[a-z]+"
REPEATED = (*COPIED, *THINGS, *ROOMS, *PEOPLE)


def _draw_digits(random: Random, difficulty: int) -> Problem:
    drawn = random.sample("0123456789", difficulty)
    return Problem({"list": " ".join(drawn)}, " ".join(sorted(drawn)))


def _solve_sorting(slots: Slots, _: Facts) -> str:
    return f"in order: {' '.join(sorted(slots['list'].split(), key=int))}."


def _length(slots: Slots, _: Facts) -> int:
    return len(slots["list"].split())


SORTING = Skill(
    name="sorting",
    bodies=("sort {list}", "sort the numbers {list}", "put {list} in order", "bring the numbers {list} in order"),
    patterns={"list": r"\d+(?: \d+)+"},
    difficulties=(3, 4, 5, 6),
    draw=_draw_digits,
    solve=_solve_sorting,
    key=lambda answer: every(r"\d+", answer),
    difficulty=_length,
)


def _draw_words(random: Random, difficulty: int) -> Problem:
    words = " ".join(random.sample(REPEATED, difficulty))
    return Problem({"list": words}, words)


def _solve_reversing(slots: Slots, _: Facts) -> str:
    return f"backwards: {' '.join(reversed(slots['list'].split()))}."


REVERSING = Skill(
    name="reversing",
    bodies=(
        "say {list} backwards",
        "reverse the words {list}",
        "turn around the words {list}",
        "read {list} backwards",
    ),
    patterns={"list": rf"{WORD}(?: {WORD})+"},
    difficulties=(3, 4, 5),
    draw=_draw_words,
    solve=_solve_reversing,
    key=after_colon,
    difficulty=_length,
)


def _solve_counting(slots: Slots, _: Facts) -> str:
    numbered = [f"{word} {number}" for number, word in enumerate(slots["list"].split(), start=1)]
    return f"{', '.join(numbered)}."


COUNTING = Skill(
    name="counting",
    bodies=("count {list}", "count the words {list}", "how many are {list}", "how many words are {list}"),
    patterns={"list": rf"{WORD}(?: {WORD})+"},
    difficulties=(3, 6, 9),
    draw=_draw_words,
    solve=_solve_counting,
    key=last_number,
    difficulty=_length,
)


def _solve_echo(slots: Slots, _: Facts) -> str:
    return f"{slots['list']}."


ECHO = Skill(
    name="echo",
    bodies=("repeat {list}", "repeat the words {list}", "say after me {list}", "echo {list}"),
    patterns={"list": rf"{WORD}(?: {WORD})+"},
    difficulties=(4, 8, 16),
    draw=_draw_words,
    solve=_solve_echo,
    key=after_colon,
    difficulty=_length,
)
