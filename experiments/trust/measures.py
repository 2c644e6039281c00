"""What is measured of a life, against the one whose most capable level answers everything. Pure.

saved    share of the ATP of always-largest that was not spent on answers
loss     share of right answers lost against always-largest, question by question; below 0 where there are more
bound    one-sided 95% upper bound of the loss (Tango 1998)
regret   utility of the best single level for the question, as it turned out, less the utility of what was done;
         utility: right - price × ATP / mean ATP of the largest, at the price then in force; who knows none is taken by
         the shipped one
strict   share of questions that exactly the cheapest level that is right answered, alone (or, where none is right,
         the cheapest)
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from experiments.trust.lives import Answered, Life
from experiments.trust.rivals import LEVELS
from experiments.trust.world import Breaks, Met, World, cost
from nodes.dialogue.tuning import upper_bound

SURE = 0.95
SMALL = 0.01
"""Regret that is none."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    questions: int
    right: float
    atp: float
    """Of an answer, mean."""
    saved: float
    saved_all: float
    """Of the whole course, the first day and every replay counted in."""
    loss: float
    bound: float
    small_regret: float
    """Share of questions with a regret of at most 0.01."""
    regret: float
    """Mean."""
    strict: float
    handed_on: float
    shares: dict[str, float]
    """Level that began → share of the questions."""


class Breakage(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a level that broke."""

    outcomes: int | None
    """Of it until there was an alarm; None: there was none while it was broken."""
    before: float
    """Share of the questions that it had a part in, in the 500 before it broke."""
    during: float | None
    """And from the alarm until it was repaired."""
    after: float
    """And in the last 500."""
    recovered: int | None
    """Questions from its repair until it was relied on again; None: it was not, or was never in alarm."""
    loss: float
    """Of right answers against always-largest, while it was broken."""


def measured(world: World, met: Sequence[Met], life: Life, base: Life, device: str = "") -> Measured:
    """Of all days but the first."""
    since = world.queries
    mine, other = life.answered[since:], base.answered[since:]
    worse, better = discordant(mine, other)
    regrets = regrets_of(world, met, life, device)[since:]
    spent, largest = sum(one.atp for one in mine), sum(one.atp for one in other)
    whole = sum(one.atp for one in life.answered) + sum(life.replayed_atp)
    count = len(mine)
    return Measured(
        questions=count,
        right=sum(one.right for one in mine) / count,
        atp=spent / count,
        saved=1 - spent / largest,
        saved_all=1 - whole / sum(one.atp for one in base.answered),
        loss=(worse - better) / count,
        bound=upper_bound(worse, better, count, SURE),
        small_regret=sum(regret <= SMALL for regret in regrets) / count,
        regret=sum(regrets) / count,
        strict=sum(
            one.path == strictly_best(world, asked, device) for asked, one in zip(met[since:], mine, strict=True)
        )
        / count,
        handed_on=sum(len(one.path) > 1 for one in mine) / count,
        shares={name: sum(one.path[0] == level for one in mine) / count for level, name in enumerate(LEVELS)},
    )


def discordant(mine: Sequence[Answered], other: Sequence[Answered]) -> tuple[int, int]:
    """Questions that only the other got right, and that only this one got right."""
    pairs = list(zip(mine, other, strict=True))
    worse = sum(that.right and not this.right for this, that in pairs)
    return worse, sum(this.right and not that.right for this, that in pairs)


def regrets_of(world: World, met: Sequence[Met], life: Life, device: str = "") -> list[float]:
    """Question by question."""
    dearest = sum(cost(world, one.asked, len(LEVELS) - 1, device) for one in met) / len(met)
    found = []
    for one, answered in zip(met, life.answered, strict=True):
        best = max(
            said.right - answered.price * cost(world, one.asked, level, device) / dearest
            for level, said in enumerate(one.asked.said)
        )
        found.append(best - (answered.right - answered.price * answered.atp / dearest))
    return found


def strictly_best(world: World, met: Met, device: str = "") -> tuple[int, ...]:
    order = sorted(range(len(LEVELS)), key=lambda level: cost(world, met.asked, level, device))
    return (next((level for level in order if met.asked.said[level].right), order[0]),)


PRICES = tuple(2.0**step for step in range(-10, 6))
"""Of the frontier: of an answer of the dearest level, in right answers."""


def frontier(world: World, met: Sequence[Met], device: str = "") -> list[tuple[float, float]]:
    """(saved, right) of an oracle that knows every outcome, price by price: no choice of single levels is better."""
    asked = met[world.queries :]
    costs = [[cost(world, one.asked, level, device) for level in range(len(LEVELS))] for one in asked]
    largest = sum(each[-1] for each in costs)
    found = []
    for price in PRICES:
        relative = price / (largest / len(asked))
        picks = [
            max(range(len(LEVELS)), key=lambda level: one.asked.said[level].right - relative * each[level])
            for one, each in zip(asked, costs, strict=True)
        ]
        spent = sum(each[pick] for each, pick in zip(costs, picks, strict=True))
        right = sum(one.asked.said[pick].right for one, pick in zip(asked, picks, strict=True))
        found.append((1 - spent / largest, right / len(asked)))
    return found


def breakage(world: World, life: Life, base: Life, breaks: Breaks) -> Breakage:
    """`life.looks` says of every question whether the level was in alarm after it."""
    alarmed = [bool(look["alarm"]) for look in life.looks]
    noticed = next((at for at in range(breaks.since, breaks.until) if alarmed[at]), None)
    free = next((at for at in range(breaks.until, len(alarmed)) if not alarmed[at]), None)
    worse, better = discordant(life.answered[breaks.since : breaks.until], base.answered[breaks.since : breaks.until])
    return Breakage(
        outcomes=None if noticed is None else _outcomes(world, life, breaks, noticed),
        before=_part(life, breaks.level, breaks.since - 500, breaks.since),
        during=None if noticed is None else _part(life, breaks.level, noticed + 1, breaks.until),
        after=_part(life, breaks.level, len(life.answered) - 500, len(life.answered)),
        recovered=None if noticed is None or free is None else free - breaks.until,
        loss=(worse - better) / (breaks.until - breaks.since),
    )


def _outcomes(world: World, life: Life, breaks: Breaks, noticed: int) -> int:
    """Of the broken level until then, those of nights counted in."""
    asked = sum(breaks.level in one.path for one in life.answered[breaks.since : noticed + 1])
    nights = range(breaks.since // world.queries, noticed // world.queries)
    return asked + sum(life.replayed[night] for night in nights)


def _part(life: Life, level: int, since: int, until: int) -> float:
    asked = life.answered[max(0, since) : until]
    return sum(level in one.path for one in asked) / max(1, len(asked))
