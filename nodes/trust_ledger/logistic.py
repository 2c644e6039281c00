"""Belief in success as a Bayesian logistic regression, learned one outcome at a time. Pure: time is an argument.

The log-odds of success are a sum of weights, one for each feature a question has; each weight is believed to be
N(mean, 1 / precision), independent of the others. An outcome moves the sum to the mode of its posterior (Laplace) and
the weights of it in proportion to their variances, as if the sum alone had been seen (assumed density filtering; the
sparse, factorised form is that of Graepel et al. 2010, with the logistic instead of the probit).

Evidence is precision beyond the prior's. It halves with time, and is multiplied by gamma at every further outcome with
the same feature: the mean stays, and uncertainty about it grows until it is that of the prior.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import msgspec

from nodes.trust_ledger.features import family

STEADY = 1e-9
_POINTS = (0.0, 0.928868997381, 1.87603502015, 2.86512316064, 3.93616660713, 5.18800122437)
_MASSES = (0.369408369408, 0.242240299874, 0.0661387460711, 0.00672028523554, 0.000195671930271, 8.12184979021e-07)
_QUADRATURE = [(_POINTS[0], _MASSES[0])] + [
    (sign * point, mass) for point, mass in zip(_POINTS[1:], _MASSES[1:], strict=True) for sign in (1.0, -1.0)
]
"""Gauss-Hermite points and masses of N(0, 1), eleven of them (Golub and Welsch 1969)."""


class Weight(msgspec.Struct, frozen=True, array_like=True):
    """Of one feature, as it stood at `at_s`."""

    mean: float
    evidence: float = 0.0
    """Precision beyond the prior's."""
    at_s: float = 0.0


Weights = Mapping[str, Weight]
Spreads = Mapping[str, float]
"""Family of features → standard deviation of the prior of their weights, in log-odds."""


class Guess(msgspec.Struct, frozen=True):
    """Belief in the log-odds of one success: N(mean, variance)."""

    mean: float
    variance: float

    def chance(self) -> float:
        """Probability of success, the uncertainty of it taken in."""
        return moments(self)[0]

    def between(self, z: float) -> tuple[float, float]:
        """The probabilities `z` standard deviations below and above."""
        spread = z * math.sqrt(self.variance)
        return sigmoid(self.mean - spread), sigmoid(self.mean + spread)


def guess(weights: Weights, named: Iterable[str], level: float, spreads: Spreads, kept: Kept) -> Guess:
    """Log-odds of success of a question with the features `named`. `level`: prior mean of the common feature."""
    mean = variance = 0.0
    for name in named:
        weight = weights.get(name)
        mean += weight.mean if weight else prior_mean(name, level)
        variance += 1.0 / precision(name, weight, spreads, kept)
    return Guess(mean, variance)


def learned(
    weights: Weights,
    named: tuple[str, ...],
    score: float,
    worth: float,
    *,
    level: float,
    spreads: Spreads,
    kept: Kept,
    gamma: float,
    at_s: float,
) -> dict[str, Weight]:
    """`weights` after an outcome: `score` of it right (0..1), counted `worth` times, gamma applied before."""
    precisions = {name: 1 / spreads[family(name)] ** 2 + gamma * evidence(weights.get(name), kept) for name in named}
    means = {name: weight.mean if (weight := weights.get(name)) else prior_mean(name, level) for name in named}
    before = Guess(sum(means.values()), sum(1 / each for each in precisions.values()))
    after = posterior(before, score, worth)
    moved = (after.mean - before.mean) / before.variance
    shrunk = (before.variance - after.variance) / before.variance**2
    found = dict(weights)
    for name in named:
        variance = 1 / precisions[name]
        narrower = variance - variance**2 * shrunk
        found[name] = Weight(
            mean=means[name] + variance * moved,
            evidence=max(0.0, 1 / narrower - 1 / spreads[family(name)] ** 2),
            at_s=at_s,
        )
    return found


def posterior(before: Guess, score: float, worth: float) -> Guess:
    """Laplace approximation of N(before) × likelihood ** worth: Newton's method on the log-odds, inside a bracket.

    The slope (before.mean − s) / variance + worth (score − sigmoid(s)) falls in s, so there is one root.
    """
    low = before.mean - worth * before.variance
    high = before.mean + worth * before.variance
    s = before.mean
    for _ in range(50):
        chance = sigmoid(s)
        slope = (before.mean - s) / before.variance + worth * (score - chance)
        low, high = (s, high) if slope > 0 else (low, s)
        step = slope / (1 / before.variance + worth * chance * (1 - chance))
        nearer = s + step
        s = nearer if low <= nearer <= high else (low + high) / 2
        if abs(step) < STEADY:
            break
    chance = sigmoid(s)
    return Guess(s, 1 / (1 / before.variance + worth * chance * (1 - chance)))


def moments(belief: Guess) -> tuple[float, float]:
    """Mean and variance of the probability whose log-odds are believed to be N(mean, variance)."""
    spread = math.sqrt(belief.variance)
    mean = square = 0.0
    for point, mass in _QUADRATURE:
        chance = sigmoid(belief.mean + spread * point)
        mean += mass * chance
        square += mass * chance * chance
    return mean, max(0.0, square - mean * mean)


Kept = Callable[[float], float]
"""Time at which evidence was taken → the share of it that is left now."""


def fading(now_s: float, half_life_s: float) -> Kept:
    """Evidence halves with time. A clock that went back changes nothing."""
    return lambda at_s: 0.5 ** (max(0.0, now_s - at_s) / half_life_s)


def evidence(weight: Weight | None, kept: Kept) -> float:
    return weight.evidence * kept(weight.at_s) if weight else 0.0


def precision(name: str, weight: Weight | None, spreads: Spreads, kept: Kept) -> float:
    return 1 / spreads[family(name)] ** 2 + evidence(weight, kept)


@lru_cache(maxsize=64)
def level_mean(chance: float, variance: float) -> float:
    """The mean of log-odds N(mean, variance) at which the probability of success is `chance`: by bisection."""
    low, high = -100.0, 100.0
    while high - low > STEADY:
        middle = (low + high) / 2
        low, high = (middle, high) if moments(Guess(middle, variance))[0] < chance else (low, middle)
    return (low + high) / 2


def prior_mean(name: str, level: float) -> float:
    return level if name == "level" else 0.0


def sigmoid(x: float) -> float:
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    grown = math.exp(x)
    return grown / (1 + grown)
