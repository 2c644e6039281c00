"""The one price of energy, tuned on replayed questions: full information, no risk to anybody. Pure.

A replayed question went through all levels, so every policy can be tried on it. Prices are tried from the one that
saves least, and the last is taken at which the policy is still shown not to be worse than the most capable level by
more than the margin. Stopping at the first that is not keeps the chance of a wrong proof at 5% although many are tried
(testing in a fixed sequence: Bauer 1991; Angelopoulos et al. 2021, section 3). If none qualifies, the most capable
level answers everything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Annotated

import msgspec

from nodes.dialogue.utility import Handing, contents, utilities

PRICES = (0.0, *(round(0.005 * 1.25**step, 5) for step in range(28)))
"""Up to about two: what saves an answer of the dearest level is then worth any answer."""


class TuningSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    margin: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.01
    """Share of right answers that may be lost against the most capable level."""
    sure: Annotated[float, msgspec.Meta(gt=0.5, lt=1)] = 0.95
    """With which it is shown that no more is lost."""
    fewest: Annotated[int, msgspec.Meta(ge=1)] = 100
    """Replayed questions below which nothing is tuned."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A question that all levels answered, from least to most capable."""

    chances: tuple[float, ...]
    """Of a right answer, as believed without this question's outcome."""
    confidences: tuple[float | None, ...]
    """Calibrated ones of the answers; None where there is no calibration: the answer then stands."""
    right: tuple[float, ...]
    """0..1"""
    costs: tuple[float, ...]
    """ATP."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a price makes of the replayed questions, against the most capable level."""

    price: float
    saving: float
    """Share of the ATP."""
    loss: float
    """Of right answers, as a share of all; below 0 where there are more."""
    bound: float
    """One-sided upper bound of `loss`."""


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, with what it rests on."""

    price: float | None
    """None: no price qualifies, the most capable level answers."""
    questions: int
    why: str
    trials: list[Trial] = []
    at_ns: int = 0


def tune(replayed: Sequence[Replayed], settings: TuningSettings, handing: Handing, at_ns: int = 0) -> Tuning:
    """The price of the largest saving whose loss is shown to lie inside the margin."""
    if len(replayed) < settings.fewest:
        why = f"{len(replayed)} replayed questions, of {settings.fewest} that it takes"
        return Tuning(price=None, questions=len(replayed), why=why, at_ns=at_ns)
    trials = sorted((trial(replayed, price, settings.sure, handing) for price in PRICES), key=lambda one: one.saving)
    saving = [one for one in trials if one.saving > 0]
    passed = list(_passing(saving, settings.margin))
    why = _told(passed[-1], settings) if passed else _untold(saving, settings)
    price = passed[-1].price if passed else None
    return Tuning(price=price, questions=len(replayed), why=why, trials=trials, at_ns=at_ns)


def trial(replayed: Sequence[Replayed], price: float, sure: float, handing: Handing) -> Trial:
    costs = relative(replayed)
    spent = largest = worse = better = 0.0
    for one in replayed:
        path = taken(one, costs, price, handing)
        spent += sum(one.costs[level] for level in path)
        largest += one.costs[-1]
        lost = one.right[-1] - one.right[path[-1]]
        worse, better = worse + max(0.0, lost), better + max(0.0, -lost)
    count = len(replayed)
    return Trial(
        price=price,
        saving=1 - spent / largest if largest else 0.0,
        loss=(worse - better) / count,
        bound=upper_bound(worse, better, count, sure),
    )


def taken(one: Replayed, costs: Sequence[float], price: float, handing: Handing) -> list[int]:
    """The levels that answer a question at this price: the one begun with, and those its doubt is handed on to."""
    worth = utilities(one.chances, costs, price, handing)
    stands_at = contents(worth)
    path = [max(range(len(worth)), key=lambda at: worth[at])]
    while path[-1] + 1 < len(worth):
        confidence = one.confidences[path[-1]]
        if confidence is None or confidence >= stands_at[path[-1]]:
            break
        path.append(path[-1] + 1)
    return path


def relative(replayed: Sequence[Replayed]) -> list[float]:
    """Mean cost of each level as a share of the dearest's."""
    means = [sum(column) / len(column) for column in zip(*(one.costs for one in replayed), strict=True)]
    return [mean / max(means) if max(means) else 1.0 for mean in means]


def upper_bound(worse: float, better: float, count: int, sure: float) -> float:
    """One-sided upper bound of the difference of two paired shares, `worse` and `better` being the discordant pairs.

    The score bound of Tango (1998): it holds where there are few discordant pairs, or none. Judgements between right
    and wrong count as parts of a pair, which makes it approximate.
    """
    z = NormalDist().inv_cdf(sure)
    low, high = (worse - better) / count, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(worse, better, count, middle) > -z else (low, middle)
    return high


def _score(worse: float, better: float, count: int, difference: float) -> float:
    b = -worse - better + (2 * count - worse + better) * difference
    c = -better * difference * (1 - difference)
    share = (math.sqrt(max(0.0, b * b - 8 * count * c)) - b) / (4 * count)
    variance = count * (2 * share + difference * (1 - difference))
    return (worse - better - count * difference) / math.sqrt(variance) if variance > 0 else 0.0


def _passing(trials: Sequence[Trial], margin: float) -> Iterator[Trial]:
    for one in trials:
        if one.bound > margin:
            return
        yield one


def _told(found: Trial, settings: TuningSettings) -> str:
    return (
        f"saves {found.saving:.1%} of the ATP; of right answers at most {found.bound:.2%} are lost "
        f"({settings.sure:.0%} sure; measured {found.loss:.2%})"
    )


def _untold(saving: Sequence[Trial], settings: TuningSettings) -> str:
    if not saving:
        return "no price saves anything"
    least = saving[0]
    return (
        f"no price qualifies: even where least is saved up to {least.bound:.2%} of right answers may be lost, "
        f"{settings.margin:.0%} are allowed"
    )
