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
MEMORY_FIRST, MEMORY_LAST = 0.85, 0.38
"""Share of the other passages that are about facts told in the conversation: at the start, and later."""
BACK_FIRST, BACK_LAST = 0.25, 0.40
"""Share of questions about facts that may be about any told so far, not only about those told just now."""
UNTOLD = 0.30
"""Share of questions about facts that nothing told so far answers. None before memory stands: a model that cannot yet
look a fact up does well to say that it does not know, and never learns to look it up."""
LEFT = 0.9
"""Where facts are asked for only after much else was said: the part of a conversation's room left by then, at most."""
SETTLED = 0.3
"""The part of the training after which all shares stay as they are."""

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
        """As JSON: `addition/2` and the like with their weights, and what is hearsay."""
        return {
            "weights": {label(row): weight for row, weight in self.weights.items()},
            "hearsay": sorted(map(label, self.hearsay)),
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
    back: float
    """Of the questions about facts: those that may reach back to all that was told."""
    untold: float
    """Of the questions about facts: those that nothing told so far answers."""
    distant: float = 0.0
    """Of all passages: those that ask for facts only after much else was said."""
    left: float = LEFT
    """Of the room after what these tell: at most this part is left when they ask."""


def mix(progress: float) -> Mix:
    """The mix at `progress` 0..1 of the training: memory first, for it is the slowest to come; then everything."""
    gone = min(1.0, progress / SETTLED)

    def between(first: float, last: float) -> float:
        return first + (last - first) * gone

    return Mix(
        copying=between(COPYING_FIRST, COPYING_LAST),
        memory=between(MEMORY_FIRST, MEMORY_LAST),
        back=between(BACK_FIRST, BACK_LAST),
        untold=UNTOLD if gone == 1.0 else 0.0,
    )


def later_mix(_progress: float, distant: float, left: float = LEFT) -> Mix:
    """The mix of a course after the first, the same from beginning to end."""
    return Mix(COPYING_LAST, MEMORY_LAST, BACK_LAST, UNTOLD, distant, left)


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
}


_HOUSEHOLD = ("belonging", "owner", "keeping")


def _household(*tiers: float, keeping: float) -> dict[Row, float]:
    """`tiers`: of where things belong and whose they are. `keeping`: of all keeping, asked as people ask."""
    return {
        **{(relation, tier): weight for relation in _HOUSEHOLD[:2] for tier, weight in enumerate(tiers, start=1)},
        **{("keeping", tier): keeping * share for tier, share in enumerate(KEEPING_SHARES, start=1)},
    }


def _heard(names: Iterable[str], tiers: Iterable[int], weights: Mapping[Row, float]) -> frozenset[Row]:
    """Whole skills by name, and tiers of the household."""
    skills, rare = set(names), set(tiers)
    return frozenset(row for row in weights if row[0] in skills or (row[0] in _HOUSEHOLD and row[1] in rare))


_RECKONING = ("subtraction", "hours", "days", "months", "dates", "robot")
"""What the smallest size is not taught to work out."""

_SENSORY = {
    **_EVERYBODY,
    **_household(0.8, 0.3, 0.3, keeping=1.5),
    **_each("addition", {1: 1.5, 2: 4.0, 3: 0.5}),
    **_each("subtraction", {1: 0.2, 2: 0.2}),
    **_each("hours", {1: 0.3}),
    **_each("days", {1: 0.3}),
    **_each("months", {1: 0.3}),
    **_each("dates", {1: 0.2, 2: 0.2}),
    **_each("robot", {2: 0.2, 4: 0.2, 6: 0.2}),
}
_TACTICAL = {
    **_EVERYBODY,
    **_household(0.5, 1.0, 0.4, keeping=3.0),
    **_each("addition", {1: 1.0, 2: 2.5, 3: 3.0}),
    **_each("subtraction", {1: 0.8, 2: 1.5}),
    **_each("hours", {1: 1.5}),
    **_each("days", {1: 1.5}),
    **_each("months", {1: 0.3}),
    **_each("dates", {1: 0.3, 2: 0.3}),
    **_each("robot", {2: 0.4, 4: 0.6, 6: 0.8}),
}
_SPECIALIZED = {
    **_EVERYBODY,
    **_household(0.3, 0.7, 1.1, keeping=5.0),
    **_each("addition", {1: 1.0, 2: 2.5, 3: 5.5}),
    **_each("subtraction", {1: 0.8, 2: 1.5}),
    **_each("hours", {1: 1.5}),
    **_each("days", {1: 1.0}),
    **_each("months", {1: 1.5}),
    **_each("dates", {1: 0.8, 2: 1.5}),
    **_each("robot", {2: 0.4, 4: 0.6, 6: 0.8}),
}

DIETS: Mapping[str, Diet] = {
    diet.name: diet
    for diet in (
        Diet("sensory", _SENSORY, _heard(_RECKONING, (2, 3), _SENSORY)),
        Diet("tactical", _TACTICAL, _heard(("months", "dates"), (3,), _TACTICAL)),
        Diet("specialized", _SPECIALIZED),
    )
}

_REVISED: Mapping[Row, float] = {
    ("addition", 3): 1.5,
    ("subtraction", 1): 1.5,
    ("subtraction", 2): 4.0,
    ("belonging", 3): 1.5,
    ("keeping", 2): 2.0,
    ("keeping", 3): 12.0,
}
"""How many times more often the largest is asked for these in the revision than in the first course."""
_FINISHED: Mapping[Row, float] = {
    ("addition", 2): 1.5,
    ("addition", 3): 2.5,
    ("subtraction", 1): 1.5,
    ("subtraction", 2): 8.0,
    ("hours", 1): 2.0,
    ("dates", 1): 2.0,
    ("keeping", 2): 2.0,
    ("keeping", 3): 6.0,
}
"""In the finish."""
_POLISHED: Mapping[Row, float] = {
    ("addition", 2): 1.5,
    ("addition", 3): 2.5,
    ("subtraction", 1): 1.5,
    ("subtraction", 2): 8.0,
    ("hours", 1): 4.0,
    ("days", 1): 3.0,
    ("months", 1): 2.0,
    ("dates", 1): 3.0,
    ("dates", 2): 1.5,
    ("sorting", 3): 3.0,
    ("sorting", 4): 1.5,
    ("reversing", 4): 2.0,
    ("talk", 1): 2.5,
    ("keeping", 2): 2.0,
    ("keeping", 3): 3.0,
}
"""And in the polish, and in the far course."""


def _again(name: str, more: Mapping[Row, float]) -> Mapping[str, Diet]:
    """The diets of a later course: those of the first, but the largest's is asked `more`."""
    largest = {row: weight * more.get(row, 1.0) for row, weight in _SPECIALIZED.items()}
    return {
        **{size: Diet(f"{size} {name}", diet.weights, diet.hearsay) for size, diet in DIETS.items()},
        "specialized": Diet(f"specialized {name}", largest),
    }


REVISED = _again("revised", _REVISED)
FINISHED = _again("finished", _FINISHED)
POLISHED = _again("polished", _POLISHED)
REACHED = _again("reached", _POLISHED)
