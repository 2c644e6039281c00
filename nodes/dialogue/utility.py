"""What it is worth to begin with a level, and to be content with its answer. Numbers in, numbers out.

Levels stand from least to most capable. `chances` of a right answer and `costs` as shares of the dearest level's run
alongside; `price` is what one answer of the dearest is worth, in probability of a right answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Handing(msgspec.Struct, frozen=True, kw_only=True):
    """How well doubt about an answer, once it is there, tells right from wrong."""

    noticed: float
    """Share of wrong answers that are handed on."""
    alarms: float
    """Share of right ones."""


def cascade_worth(chances: Sequence[float], costs: Sequence[float], handing: Handing) -> list[tuple[float, float]]:
    """For a cascade that begins at each level: probability of a right answer, and cost.

    From the most capable (p, c) downwards, with what is handed on to the next level h = p alarms + (1 - p) noticed:
    p' = p (1 - alarms) + h p'' and c' = c + h c'', where '' is the next level's cascade. Errors of different levels
    are taken as independent.
    """
    worth: list[tuple[float, float]] = []
    for chance, cost in zip(reversed(chances), reversed(costs), strict=True):
        right, spent = chance, cost
        if worth:
            handed = chance * handing.alarms + (1 - chance) * handing.noticed
            after_right, after_spent = worth[-1]
            right, spent = chance * (1 - handing.alarms) + handed * after_right, cost + handed * after_spent
        worth.append((right, spent))
    return worth[::-1]


def utilities(chances: Sequence[float], costs: Sequence[float], price: float, handing: Handing) -> list[float]:
    """Of beginning with each level: probability of a right answer - price x cost."""
    return [right - price * cost for right, cost in cascade_worth(chances, costs, handing)]


def contents(worth: Sequence[float]) -> list[float]:
    """For each level the calibrated confidence at which its answer stands, for going on with the next is worth no more.

    What was spent is spent, so an answer is worth the chance that it is right. The last level's always stands.
    """
    return [*(min(1.0, max(0.0, following)) for following in worth[1:]), 0.0]
