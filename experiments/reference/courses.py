"""What a training goes through: the first course, from nothing, and four more, each from what the one before left.

The first course teaches everything. The later ones dwell on what was still weak: facts that lie far back in a long
conversation, for every size, and the rarest facts and the hardest sums, for the largest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from experiments.reference.diet import DIETS, FINISHED, POLISHED, REACHED, REVISED, SETTLED, Diet, Mix, later_mix, mix


@dataclass(frozen=True)
class Course:
    name: str
    tokens: int
    rate: float
    """Peak of the learning rate, relative to the size's own."""
    diets: Mapping[str, Diet]
    mix: Callable[[float], Mix]
    long_every_first: int
    """One step in so many has long rows, so that far positions are learned too."""
    long_every_last: int
    """And once all is settled."""

    def long_every(self, progress: float) -> int:
        return self.long_every_first if progress < SETTLED else self.long_every_last

    def record(self, size: str) -> dict[str, Any]:
        """As JSON, with the diet of this size."""
        return {
            **self.diets[size].record(),
            "mix": {"first": _fields(self.mix(0.0)), "last": _fields(self.mix(1.0)), "settled": SETTLED},
            "long_every": [self.long_every_first, self.long_every_last],
        }


def _fields(mix: Mix) -> dict[str, float]:
    return dict(vars(mix))


FIRST = Course("first", 18_000_000, 1.0, DIETS, mix, 8, 4)
REVISION = Course("revision", 8_000_000, 0.5, REVISED, partial(later_mix, distant=0.3), 2, 2)
FINISH = Course("finish", 4_000_000, 0.4, FINISHED, partial(later_mix, distant=0.4), 1, 1)
POLISH = Course("polish", 3_000_000, 0.3, POLISHED, partial(later_mix, distant=0.5), 1, 1)
FAR = Course("far", 1_500_000, 0.3, REACHED, partial(later_mix, distant=0.7, left=0.15), 1, 1)
COURSES: Mapping[str, Course] = {course.name: course for course in (FIRST, REVISION, FINISH, POLISH, FAR)}
"""In their order."""
TOKENS = sum(course.tokens for course in COURSES.values())
"""In all."""
