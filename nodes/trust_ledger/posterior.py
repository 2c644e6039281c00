"""Belief in a rate of success, as a Beta distribution over discounted evidence. Pure: time is an argument.

Evidence fades in two ways: it halves with time, and is multiplied by gamma at every further outcome. Both shrink right
and wrong alike, so the rate they show stays while certainty about it goes, and the prior has its say again.
"""

from __future__ import annotations

import math

import msgspec

_TINY = 1e-300
_PRECISION = 1e-12
_ROUNDS = 10_000


class Beta(msgspec.Struct, frozen=True):
    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    def interval(self, mass: float = 0.9) -> tuple[float, float]:
        """The central credible interval that holds `mass` of the belief."""
        return quantile((1 - mass) / 2, self.alpha, self.beta), quantile((1 + mass) / 2, self.alpha, self.beta)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Weighted counts of outcomes as they stood at `at_s`."""

    right: float = 0.0
    wrong: float = 0.0
    at_s: float = 0.0

    @property
    def weight(self) -> float:
        return self.right + self.wrong


def observe(evidence: Evidence, score: float, weight: float, gamma: float) -> Evidence:
    """`evidence` and one more outcome: `score` of it right (0..1), at the time to which `evidence` is faded."""
    return msgspec.structs.replace(
        evidence,
        right=evidence.right * gamma + weight * score,
        wrong=evidence.wrong * gamma + weight * (1.0 - score),
    )


def fade(evidence: Evidence, now_s: float, half_life_s: float) -> Evidence:
    """`evidence` as it counts at `now_s`. A clock that went back changes nothing."""
    kept = fading(now_s - evidence.at_s, half_life_s)
    return Evidence(right=evidence.right * kept, wrong=evidence.wrong * kept, at_s=max(now_s, evidence.at_s))


def fading(age_s: float, half_life_s: float) -> float:
    """The share of evidence that is left after `age_s`."""
    return float(0.5 ** (max(0.0, age_s) / half_life_s))


def prior(mean: float, strength: float) -> Beta:
    """Belief before any evidence: `mean` (0..1, exclusive), worth `strength` outcomes."""
    return Beta(mean * strength, (1.0 - mean) * strength)


def posterior(before: Beta, own: Evidence, related: Evidence, pooling: float) -> Beta:
    """Belief after `own` evidence and `related`, which is worth at most `pooling` outcomes (a power prior)."""
    share = min(1.0, pooling / related.weight) if related.weight > 0 else 0.0
    return Beta(before.alpha + own.right + share * related.right, before.beta + own.wrong + share * related.wrong)


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
