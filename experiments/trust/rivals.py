"""Those who choose, and what they learn from. All of them see the question, none the row that it was drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from experiments.trust.world import Met
from nodes.dialogue.replaying import Sample
from nodes.dialogue.tuning import upper_bound
from nodes.trust_ledger import logistic
from nodes.trust_ledger.config import SPREADS
from nodes.trust_ledger.features import features
from nodes.trust_ledger.logistic import Weight

LEVELS = ("sensory", "tactical", "specialized")
LARGEST = len(LEVELS) - 1


class Rival(Protocol):
    """A policy under trial."""

    def path(self, met: Met, number: int) -> list[int]:
        """Levels that answer question `number`, in turn; the last one's answer stands."""

    def told(self, met: Met, path: Sequence[int], scored: Sequence[tuple[float, str] | None], number: int) -> None:
        """How right each answer on the path was, 0..1, and who says so; None: nobody."""

    def night(self, samples: Sequence[Sample]) -> None:
        """Questions of the day that went through all levels."""


@dataclass
class Always:
    level: int

    def path(self, met: Met, number: int) -> list[int]:
        return [self.level]

    def told(self, met: Met, path: Sequence[int], scored: Sequence[tuple[float, str] | None], number: int) -> None: ...

    def night(self, samples: Sequence[Sample]) -> None: ...


@dataclass
class Forerunner:
    """One score a level: right +0.1 (1 - t), wrong -0.1 t; the highest answers, the cheapest of equals (GLOSSARY)."""

    scores: list[float] = field(default_factory=lambda: [0.5] * len(LEVELS))

    def path(self, met: Met, number: int) -> list[int]:
        return [max(range(len(LEVELS)), key=lambda level: (self.scores[level], -level))]

    def told(self, met: Met, path: Sequence[int], scored: Sequence[tuple[float, str] | None], number: int) -> None:
        for level, score in zip(path, scored, strict=True):
            if score is not None:
                t = self.scores[level]
                self.scores[level] += 0.1 * (1 - t) if score[0] >= 0.5 else -0.1 * t

    def night(self, samples: Sequence[Sample]) -> None: ...


@dataclass
class Threshold:
    """After RouteLLM (Ong et al. 2024): a weak or a strong model, by a threshold on the weak one's chance to do well.

    It learns from the first night only, by the features and the regression that this system uses; the threshold is the
    one of the largest saving whose loss is shown to lie inside the margin, as for this system's price. None: strong.
    """

    weak: int
    margin: float
    sure: float
    weights: dict[str, Weight] = field(default_factory=dict)
    threshold: float | None = None
    _trained: bool = False

    def path(self, met: Met, number: int) -> list[int]:
        asks = self.threshold is not None and self._chance(self.weights, features(met.query)) >= self.threshold
        return [self.weak if asks else LARGEST]

    def told(self, met: Met, path: Sequence[int], scored: Sequence[tuple[float, str] | None], number: int) -> None: ...

    def night(self, samples: Sequence[Sample]) -> None:
        if self._trained or not samples:
            return
        self._trained = True
        self.weights = self._learned(samples)
        held = []
        for fold in range(5):
            weights = self._learned([one for at, one in enumerate(samples) if at % 5 != fold])
            held += [(self._chance(weights, features(one.query)), self._lost(one)) for one in samples[fold::5]]
        self.threshold = self._fitting(sorted(held, reverse=True))

    def _fitting(self, held: Sequence[tuple[float, float]]) -> float | None:
        """The lowest threshold, going down, before the loss is no longer shown to lie inside the margin."""
        found, worse, better = None, 0.0, 0.0
        for count, (chance, lost) in enumerate(held, start=1):
            worse, better = worse + max(0.0, lost), better + max(0.0, -lost)
            if count % 20 == 0:
                if upper_bound(worse, better, len(held), self.sure) > self.margin:
                    break
                found = chance
        return found

    def _lost(self, sample: Sample) -> float:
        return sample.tried[LARGEST].score - sample.tried[self.weak].score

    def _learned(self, samples: Sequence[Sample]) -> dict[str, Weight]:
        weights: dict[str, Weight] = {}
        for one in samples:
            weights = logistic.learned(
                weights,
                features(one.query),
                float(self._lost(one) <= 0),
                1.0,
                level=0.0,
                spreads=SPREADS,
                kept=_all,
                gamma=1.0,
                at_s=0.0,
            )
        return weights

    def _chance(self, weights: dict[str, Weight], named: tuple[str, ...]) -> float:
        return logistic.guess(weights, named, 0.0, SPREADS, _all).chance()


def _all(_at_s: float) -> float:
    return 1.0


@dataclass
class Chance:
    """By lot, in shares that cost what another one cost: the two levels between which the best such mix lies."""

    shares: Sequence[float]
    random: Random

    def path(self, met: Met, number: int) -> list[int]:
        return [self.random.choices(range(len(LEVELS)), self.shares)[0]]

    def told(self, met: Met, path: Sequence[int], scored: Sequence[tuple[float, str] | None], number: int) -> None: ...

    def night(self, samples: Sequence[Sample]) -> None: ...


def shares_at(cost: float, costs: Sequence[float], rights: Sequence[float]) -> list[float]:
    """Shares of the levels that together cost `cost` at the best mean of `rights`."""
    best: tuple[float, list[float]] = (-1.0, [0.0] * len(costs))
    for low in range(len(costs)):
        for high in range(len(costs)):
            if not costs[low] <= cost <= costs[high]:
                continue
            share = (cost - costs[low]) / (costs[high] - costs[low]) if costs[high] > costs[low] else 0.0
            shares = [0.0] * len(costs)
            shares[low] += 1 - share
            shares[high] += share
            right = sum(one * how for one, how in zip(shares, rights, strict=True))
            best = max(best, (right, shares))
    return best[1]


Make = Callable[[], Rival]
