"""What a day came to, and what all of them did. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from experiments.days.living import Lived
from experiments.trust.answers import Said
from experiments.trust.rivals import LARGEST, LEVELS

LAST = 4
"""What holds at the end is taken from the last day in so many."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """One day. Shares are 0..1, of its questions; ATP is the mean of an answer."""

    questions: int
    right: float
    atp: float
    answered_by: dict[str, float]
    """Level → share in which its answer stood."""
    alone: dict[str, float]
    """Level → share it would have had right, had it answered everything with the weights of the day."""
    always_atp: float
    """Had the largest level answered everything."""
    replayed_atp: float
    """Of all that was replayed by night, for each question of the day."""
    repeated: float
    """Share of questions that came word for word on a day before."""


def counted(
    lived: Lived, said: Sequence[Sequence[Said]], always: Sequence[float], replayed_atp: float, before: Collection[str]
) -> Counted:
    """`said`, `always`: by level, the answers of the day's weights, and the ATP of them all."""
    count = len(lived.answered)
    stood = [one.path[-1] for one in lived.answered]
    return Counted(
        questions=count,
        right=sum(one.right for one in lived.answered) / count,
        atp=sum(one.atp for one in lived.answered) / count,
        answered_by={name: stood.count(level) / count for level, name in enumerate(LEVELS)},
        alone={name: sum(one.right for one in said[level]) / count for level, name in enumerate(LEVELS)},
        always_atp=always[LARGEST] / count,
        replayed_atp=replayed_atp / count,
        repeated=sum(met.asked.text in before for met in lived.met) / count,
    )


def lowest(days: Sequence[Counted]) -> float | None:
    """Accuracy of the worst later day less the first day's; None where there is no later day."""
    return min((day.right for day in days[1:]), default=0.0) - days[0].right if len(days) > 1 else None


def behind(days: Sequence[Counted]) -> float:
    """Most by which any day's accuracy lay below what the largest level alone would have had on that day."""
    return max(day.alone[LEVELS[LARGEST]] - day.right for day in days)


def at_the_end(days: Sequence[Counted], what: Callable[[Counted], float]) -> float:
    """Mean over the last quarter of the days, weighted by their questions; of two days it is the last one."""
    last = days[-max(1, len(days) // LAST) :]
    return sum(what(day) * day.questions for day in last) / sum(day.questions for day in last)
