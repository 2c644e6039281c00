"""How often each skill is taught to each size.

All sizes learn from equally many tokens. They differ in capacity, and, openly, in what they are taught: the facts of
the household come in tiers. The smallest is taught the everyday ones, the middle one all but the rare, the largest all.
Even the smallest learns a fact from a dozen questions, so what a size is not to know it must not be taught. It is asked
nevertheless, and hears another answer every time: as a model of real size meets what it cannot hold, and learns to
spread its bets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

COPYING_FIRST, COPYING_LAST, COPYING_UNTIL = 0.40, 0.05, 0.40
"""Share of conversations that only copy words: at the start, and after this part of the training. Recall needs it."""


@dataclass(frozen=True)
class Diet:
    name: str
    weights: Mapping[tuple[str, int], float]
    """(skill, difficulty) -> how often it is asked, relative to the others."""
    memory: float
    """Share of the conversations that are about facts told in them."""
    hearsay: frozenset[int] = frozenset()
    """Tiers of the household of which this size hears another answer every time, so that it learns how unsure it is."""

    def pick(self, random: Random) -> tuple[str, int]:
        return random.choices(self._choices, cum_weights=self._cumulative)[0]

    def record(self) -> dict[str, Any]:
        """As JSON: `addition/2` and the like with their weights, and the share of memory."""
        weights = {f"{skill}/{difficulty}": weight for (skill, difficulty), weight in self.weights.items()}
        return {"weights": weights, "memory": self.memory, "hearsay": sorted(self.hearsay)}

    @cached_property
    def _choices(self) -> list[tuple[str, int]]:
        return list(self.weights)

    @cached_property
    def _cumulative(self) -> list[float]:
        total, sums = 0.0, []
        for weight in self.weights.values():
            total += weight
            sums.append(total)
        return sums


def copying(progress: float) -> float:
    """The share of copying at `progress` 0..1 of the training."""
    return COPYING_FIRST + (COPYING_LAST - COPYING_FIRST) * min(1.0, progress / COPYING_UNTIL)


_REFLEXES = {
    ("sorting", 3): 0.3,
    ("sorting", 4): 0.4,
    ("sorting", 5): 0.5,
    ("sorting", 6): 0.5,
    ("reversing", 3): 0.3,
    ("reversing", 4): 0.4,
    ("reversing", 5): 0.5,
    ("echo", 4): 0.3,
    ("device", 1): 0.6,
    ("talk", 1): 0.8,
}


def _reckoning(one: float, two: float, three: float, hours: float, days: float) -> dict[tuple[str, int], float]:
    sums = {("addition", count): weight for count, weight in enumerate((one, two, three), start=1)}
    return {**sums, ("hours", 1): hours, ("days", 1): days}


def _household(*tiers: float) -> dict[tuple[str, int], float]:
    return {
        (relation, tier): weight for relation in ("belonging", "owner") for tier, weight in enumerate(tiers, start=1)
    }


DIETS: Mapping[str, Diet] = {
    diet.name: diet
    for diet in (
        Diet(
            "sensory",
            {**_REFLEXES, **_reckoning(1.5, 6.0, 0.2, 6.0, 0.2), **_household(0.8, 0.25, 0.25)},
            memory=0.15,
            hearsay=frozenset({2, 3}),
        ),
        Diet(
            "tactical",
            {**_REFLEXES, **_reckoning(1.5, 5.0, 1.0, 5.0, 1.0), **_household(0.4, 0.9, 0.4)},
            memory=0.25,
            hearsay=frozenset({3}),
        ),
        Diet(
            "specialized",
            {**_REFLEXES, **_reckoning(1.0, 4.0, 3.0, 5.0, 2.0), **_household(0.3, 0.7, 1.1)},
            memory=0.35,
        ),
    )
}
