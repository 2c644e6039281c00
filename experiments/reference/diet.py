"""How often each skill is taught to each size.

All sizes learn from equally many tokens. They differ in capacity, and, openly, in what they are taught: the household's
facts are taught by tier. The small ones meet the rarer tiers a few times only, enough to know the question, too seldom
to learn the answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random

COPYING_FIRST, COPYING_LAST, COPYING_UNTIL = 0.40, 0.05, 0.40
"""Share of conversations that only copy words: at the start, and after this part of the training. Recall needs it."""


@dataclass(frozen=True)
class Diet:
    name: str
    weights: Mapping[tuple[str, int], float]
    """(skill, difficulty) -> how often it is asked, relative to the others."""
    memory: float
    """Share of the conversations that are about facts told in them."""

    def pick(self, random: Random) -> tuple[str, int]:
        return random.choices(self._choices, cum_weights=self._cumulative)[0]

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
    ("addition", 1): 0.5,
    ("addition", 2): 3.0,
    ("hours", 1): 2.0,
    ("days", 1): 1.5,
    ("sorting", 3): 0.4,
    ("sorting", 4): 0.4,
    ("sorting", 5): 0.5,
    ("sorting", 6): 0.5,
    ("reversing", 3): 0.5,
    ("reversing", 4): 0.6,
    ("reversing", 5): 0.7,
    ("echo", 4): 0.3,
    ("device", 1): 1.0,
    ("talk", 1): 1.0,
}


def _household(*tiers: float) -> dict[tuple[str, int], float]:
    return {
        (relation, tier): weight for relation in ("belonging", "owner") for tier, weight in enumerate(tiers, start=1)
    }


DIETS: Mapping[str, Diet] = {
    diet.name: diet
    for diet in (
        Diet(
            "sensory",
            {**_REFLEXES, ("hours", 1): 4.0, ("addition", 3): 0.5, **_household(1.5, 0.15, 0.15)},
            memory=0.20,
        ),
        Diet(
            "tactical", {**_REFLEXES, ("hours", 1): 3.0, ("addition", 3): 2.0, **_household(1.0, 2.0, 0.2)}, memory=0.35
        ),
        Diet("specialized", {**_REFLEXES, ("addition", 3): 3.0, **_household(0.8, 1.8, 3.2)}, memory=0.35),
    )
}
