"""How probable it is that an answer is right, from the signs of doubt in its tokens. Pure; fitted on judged answers.

A logistic regression makes one score of the signs (the weights are fitted by Newton's method with a small ridge), and
an isotonic regression of what came of the scores makes a probability of it (Zadrozny and Elkan 2002): it may only rise
with the score, and is otherwise free. Fitted for each version of a level; where there is no fit, nothing is claimed.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from operator import mul

import msgspec

from protocol.messages.model import Generated

FEWEST = 50
"""Judged answers below which no calibration is fitted."""
RIDGE = 1.0
"""Precision of the prior of each weight, at mean 0: signs are standardised, so a weight of 1 is a strong one."""
ROUNDS = 25
LONGEST_STEP, STEADY = 2.0, 1e-8
"""Newton's method does not leap further than the one at once, and ends with a step below the other."""
BINS = 10


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What the tokens of an answer say of it."""

    mean: float
    """Mean natural log of their probabilities."""
    least: float
    """Log of the probability of the least sure one."""
    margin: float
    """Least difference of the two largest logits; 0 where it is not known."""
    tokens: int

    def values(self) -> tuple[float, float, float, float]:
        """On scales on which they are roughly linear in the log-odds of being right."""
        return (
            math.log(1e-4 - min(0.0, self.mean)),
            math.log(1e-4 - min(0.0, self.least)),
            math.log1p(max(0.0, self.margin)),
            math.log1p(self.tokens),
        )


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of which it is known how right it was (0..1)."""

    signs: Signs
    score: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """From signs to a probability."""

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    """The last one is the constant."""
    edges: tuple[float, ...]
    """Scores at which the probability was fitted, rising."""
    levels: tuple[float, ...]
    """The probability at each of them; between two of them it is a straight line."""
    answers: int
    """It rests on."""
    error: float
    """Expected calibration error on answers it was not fitted on (five folds)."""

    def confidence(self, signs: Signs) -> float:
        """Probability, 0..1, that an answer with these signs is right."""
        return _between(self.edges, self.levels, self._score(signs))

    def _score(self, signs: Signs) -> float:
        return _score(self.centre, self.scale, self.weights, signs)


def signs_of(generated: Generated) -> Signs | None:
    """What an answer shows; None where it has no tokens, or came without probabilities."""
    if generated.reply_nll is None or generated.reply_peak is None:
        return None
    return Signs(
        mean=-generated.reply_nll,
        least=-generated.reply_peak,
        margin=generated.least_margin or 0.0,
        tokens=generated.tokens_generated,
    )


def fit(judged: Sequence[Judged], folds: int = 5) -> Calibration | None:
    """A calibration of what is `judged`, its error known; None where that is too little, or all alike."""
    if not _enough(judged):
        return None
    told: list[float] = []
    came: list[float] = []
    for fold in range(folds):
        rest = [one for number, one in enumerate(judged) if number % folds != fold]
        held = judged[fold::folds]
        found = _fitted(rest, math.nan)
        told += [found.confidence(one.signs) for one in held]
        came += [one.score for one in held]
    return _fitted(judged, calibration_error(told, came))


def fitted(judged: Sequence[Judged]) -> Calibration | None:
    """As `fit`, without finding out the error."""
    return _fitted(judged, math.nan) if _enough(judged) else None


def calibration_error(told: Sequence[float], came: Sequence[float], bins: int = BINS) -> float:
    """Expected calibration error over equal bins (Naeini, Cooper and Hauskrecht 2015); 0.0 of nothing."""
    if not told:
        return 0.0
    sums = [[0.0, 0.0] for _ in range(bins)]
    for probability, score in zip(told, came, strict=True):
        cell = sums[min(bins - 1, int(probability * bins))]
        cell[0] += probability
        cell[1] += score
    return sum(abs(said - was) for said, was in sums) / len(told)


def isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The rising sequence nearest to `values` in weighted squares: pool adjacent violators (Barlow et al. 1972)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, mass, count = value, weight, 1
        while blocks and blocks[-1][0] >= mean:
            before, heavy, many = blocks.pop()
            mean = (before * heavy + mean * mass) / (heavy + mass)
            mass, count = mass + heavy, count + many
        blocks.append((mean, mass, count))
    return [mean for mean, _, count in blocks for _ in range(count)]


def _enough(judged: Sequence[Judged]) -> bool:
    return len(judged) >= FEWEST and 0 < sum(one.score for one in judged) < len(judged)


def _fitted(judged: Sequence[Judged], error: float) -> Calibration:
    rows = [one.signs.values() for one in judged]
    centre = tuple(sum(column) / len(column) for column in zip(*rows, strict=True))
    scale = tuple(
        math.sqrt(sum((value - middle) ** 2 for value in column) / len(column)) or 1.0
        for column, middle in zip(zip(*rows, strict=True), centre, strict=True)
    )
    standard = [[*((v - c) / s for v, c, s in zip(row, centre, scale, strict=True)), 1.0] for row in rows]
    scores = [one.score for one in judged]
    weights = _newton(standard, scores)
    edges, levels = _steps([_dot(weights, row) for row in standard], scores)
    return Calibration(
        centre=centre,
        scale=scale,
        weights=tuple(weights),
        edges=tuple(edges),
        levels=tuple(levels),
        answers=len(judged),
        error=error,
    )


def _steps(predicted: Sequence[float], scores: Sequence[float]) -> tuple[list[float], list[float]]:
    """Score → probability as few points: the middle of each block that isotonic regression pools.

    A block also holds one imagined answer that is as right as all of them together, so that none says 0 or 1.
    """
    usual = sum(scores) / len(scores)
    alike: dict[float, list[float]] = {}
    for score, came in zip(predicted, scores, strict=True):
        alike.setdefault(score, []).append(came)
    rising = sorted(alike)
    counts = [len(alike[score]) for score in rising]
    smooth = isotonic([sum(alike[score]) / len(alike[score]) for score in rising], counts)
    edges: list[float] = []
    levels: list[float] = []
    start = 0
    for end in range(1, len(rising) + 1):
        if end < len(rising) and smooth[end] == smooth[start]:
            continue
        many = sum(counts[start:end])
        edges.append(sum(map(mul, rising[start:end], counts[start:end])) / many)
        levels.append((smooth[start] * many + usual) / (many + 1))
        start = end
    return edges, isotonic(levels, [1.0] * len(levels))


def _between(edges: Sequence[float], levels: Sequence[float], score: float) -> float:
    at = bisect_right(edges, score)
    if at == 0 or at == len(edges):
        return levels[0 if at == 0 else -1]
    left, right = edges[at - 1], edges[at]
    share = (score - left) / (right - left) if right > left else 1.0
    return levels[at - 1] + share * (levels[at] - levels[at - 1])


def _score(centre: Sequence[float], scale: Sequence[float], weights: Sequence[float], signs: Signs) -> float:
    standard = ((value - c) / s for value, c, s in zip(signs.values(), centre, scale, strict=True))
    return _dot(weights, [*standard, 1.0])


def _newton(rows: Sequence[Sequence[float]], scores: Sequence[float]) -> list[float]:
    """Weights [k] of the ridge logistic regression of `scores` [n] on `rows` [n, k]."""
    import numpy as np

    given, came = np.asarray(rows), np.asarray(scores)
    weights = np.zeros(given.shape[1])
    for _ in range(ROUNDS):
        chances = 1 / (1 + np.exp(-np.clip(given @ weights, -35, 35)))
        gradient = given.T @ (came - chances) - RIDGE * weights
        curve = (given.T * (chances * (1 - chances))) @ given + RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curve, gradient)
        largest = float(np.abs(step).max())
        weights = weights + step * min(1.0, LONGEST_STEP / max(largest, STEADY))
        if largest < STEADY:
            break
    return [float(weight) for weight in weights]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
