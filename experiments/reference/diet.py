"""How often each skill is taught to each size.

All sizes learn from equally many tokens. They differ in capacity, and, openly, in what they are taught: the rarer facts
of the household, and some ways of reckoning, are for the larger ones only. Even the smallest learns a fact from a dozen
questions, so what a size is not to know it must not be taught. It is asked nevertheless, and hears another answer every
time: as a model of real size meets what it cannot hold, and learns to spread its bets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from experiments.reference.skills.household import KEEPING_SHARES

COPYING_FIRST, COPYING_LAST = 0.40, 0.05
"""Share of passages that only copy words: at the start, and once memory stands. Recall grows out of copying."""
MEMORY_FIRST, MEMORY_LAST = 0.85, 0.45
"""Share of the other passages that are about facts told in the conversation: at the start, and later."""
SETTLED = 0.4
"""The part of the training after which both shares stay as they are."""

Row = tuple[str, int]
"""A skill and a difficulty."""


@dataclass(frozen=True)
class Diet:
    name: str
    weights: Mapping[Row, float]
    """How often each is asked, relative to the others."""
    hearsay: frozenset[Row] = frozenset()
    """To these this size hears another answer every time, so that it learns how unsure it is."""

    def pick(self, random: Random) -> Row:
        return random.choices(self._choices, cum_weights=self._cumulative)[0]

    def record(self) -> dict[str, Any]:
        """As JSON: `addition/2` and the like with their weights, what is hearsay, and how the mix moves."""
        return {
            "weights": {label(row): weight for row, weight in self.weights.items()},
            "hearsay": sorted(map(label, self.hearsay)),
            "copying": [COPYING_FIRST, COPYING_LAST],
            "memory": [MEMORY_FIRST, MEMORY_LAST],
            "settled": SETTLED,
        }

    @cached_property
    def _choices(self) -> list[Row]:
        return list(self.weights)

    @cached_property
    def _cumulative(self) -> list[float]:
        total, sums = 0.0, []
        for weight in self.weights.values():
            total += weight
            sums.append(total)
        return sums


def label(row: Row) -> str:
    """`addition/2`."""
    return f"{row[0]}/{row[1]}"


@dataclass(frozen=True)
class Mix:
    """What the passages of a conversation are about."""

    copying: float
    memory: float
    """Of the passages that do not copy."""


def mix(progress: float) -> Mix:
    """The mix at `progress` 0..1 of the training: memory first, for it is the slowest to come; then everything."""
    gone = min(1.0, progress / SETTLED)
    return Mix(
        COPYING_FIRST + (COPYING_LAST - COPYING_FIRST) * gone, MEMORY_FIRST + (MEMORY_LAST - MEMORY_FIRST) * gone
    )


def _each(skill: str, weights: Mapping[int, float]) -> dict[Row, float]:
    """One row for every difficulty."""
    return {(skill, difficulty): weight for difficulty, weight in weights.items()}


_EVERYBODY = {
    **_each("sorting", {3: 0.3, 4: 0.4, 5: 0.5, 6: 0.6}),
    **_each("reversing", {3: 0.3, 4: 0.4, 5: 0.6}),
    **_each("counting", {3: 0.3, 6: 0.5, 9: 0.6}),
    **_each("echo", {4: 0.2, 8: 0.2, 16: 0.2}),
    **_each("device", {1: 0.5}),
    **_each("setting", {1: 0.5}),
    **_each("talk", {1: 0.8}),
    **{("keeping", tier): 4.0 * share for tier, share in enumerate(KEEPING_SHARES, start=1)},
}


def _household(*tiers: float) -> dict[Row, float]:
    return {
        (relation, tier): weight for relation in ("belonging", "owner") for tier, weight in enumerate(tiers, start=1)
    }


def _heard(names: Iterable[str], tiers: Iterable[int], weights: Mapping[Row, float]) -> frozenset[Row]:
    """Whole skills by name, and tiers of the household."""
    skills, rare = set(names), set(tiers)
    return frozenset(
        row for row in weights if row[0] in skills or (row[0] in {"belonging", "owner"} and row[1] in rare)
    )


_SENSORY = {
    **_EVERYBODY,
    **_household(0.8, 0.3, 0.3),
    **_each("addition", {1: 1.5, 2: 4.0, 3: 0.5}),
    **_each("hours", {1: 2.0}),
    **_each("days", {1: 0.3}),
    **_each("months", {1: 0.3}),
    **_each("dates", {1: 0.2, 2: 0.2}),
    **_each("robot", {2: 0.2, 4: 0.2, 6: 0.2}),
}
_TACTICAL = {
    **_EVERYBODY,
    **_household(0.4, 0.9, 0.4),
    **_each("addition", {1: 1.0, 2: 2.5, 3: 3.0}),
    **_each("hours", {1: 1.5}),
    **_each("days", {1: 1.5}),
    **_each("months", {1: 0.3}),
    **_each("dates", {1: 0.3, 2: 0.3}),
    **_each("robot", {2: 0.4, 4: 0.6, 6: 0.8}),
}
_SPECIALIZED = {
    **_EVERYBODY,
    **_household(0.3, 0.7, 1.1),
    **_each("addition", {1: 1.0, 2: 2.5, 3: 4.0}),
    **_each("hours", {1: 1.2}),
    **_each("days", {1: 1.2}),
    **_each("months", {1: 1.2}),
    **_each("dates", {1: 1.0, 2: 2.0}),
    **_each("robot", {2: 0.4, 4: 0.6, 6: 0.8}),
}

DIETS: Mapping[str, Diet] = {
    diet.name: diet
    for diet in (
        Diet("sensory", _SENSORY, _heard(("days", "months", "dates", "robot"), (2, 3), _SENSORY)),
        Diet("tactical", _TACTICAL, _heard(("months", "dates"), (3,), _TACTICAL)),
        Diet("specialized", _SPECIALIZED),
    )
}
