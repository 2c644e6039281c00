"""Belief in a rate of success, as a Beta distribution: the form in which trust is shown. Pure."""

from __future__ import annotations

import math

import msgspec

_TINY = 1e-300
_PRECISION = 1e-12
_ROUNDS = 10_000
FLATTEST = 0.5
"""Outcomes that a belief is worth at least."""
STRONGEST = 1e6
"""And at most: nothing here is surer, and the fraction below still converges."""


class Beta(msgspec.Struct, frozen=True):
    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    def interval(self, mass: float = 0.9) -> tuple[float, float]:
        """The central credible interval that holds `mass` of the belief."""
        return quantile((1 - mass) / 2, self.alpha, self.beta), quantile((1 + mass) / 2, self.alpha, self.beta)


def matched(mean: float, variance: float) -> Beta:
    """The Beta of this mean (0..1, exclusive) and variance; of a variance that none has, the flattest allowed here."""
    strength = min(STRONGEST, max(FLATTEST, mean * (1.0 - mean) / max(variance, _TINY) - 1.0))
    return Beta(mean * strength, (1.0 - mean) * strength)


def quantile(share: float, alpha: float, beta: float) -> float:
    """The x of which `share` of Beta(alpha, beta) lies below: Newton's method, kept inside a shrinking bracket."""
    low, high = 0.0, 1.0
    x = alpha / (alpha + beta)
    log_norm = _log_norm(alpha, beta)
    for _ in range(200):
        excess = cumulative(x, alpha, beta) - share
        low, high = (x, high) if excess < 0 else (low, x)
        if abs(excess) < _PRECISION or high - low < _PRECISION:
            break
        density = math.exp((alpha - 1) * math.log(x) + (beta - 1) * math.log1p(-x) - log_norm)
        x = x - excess / density if density > _TINY else low
        if not low < x < high:
            x = (low + high) / 2
    return x


def cumulative(x: float, alpha: float, beta: float) -> float:
    """The share of Beta(alpha, beta) below `x`: the regularised incomplete beta function (DLMF 8.17)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(alpha * math.log(x) + beta * math.log1p(-x) - _log_norm(alpha, beta))
    if x < (alpha + 1) / (alpha + beta + 2):
        return front * _fraction(x, alpha, beta) / alpha
    return 1.0 - front * _fraction(1.0 - x, beta, alpha) / beta


def _log_norm(alpha: float, beta: float) -> float:
    return math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of DLMF 8.17.22, evaluated by Lentz's method as Thompson and Barnett modified it."""
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _ROUNDS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
