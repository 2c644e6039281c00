"""Whether a level has become worse than it is believed to be, and whether it is itself again. Pure.

Page's cumulative sum (1954) of log-likelihood ratios: each outcome asks whether it is likelier under log-odds of
success lower by `drop` than under those believed. Where the sum passes `alarm` the level is in alarm: what was believed
is set aside, and little of its evidence counts. While it lasts the same sum is taken the other way round, against what
was set aside; past `recovered` that is believed again. By Lorden (1971) a sum of h raises a false alarm at most about
once in exp(h) outcomes, as long as the belief is right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import msgspec

from nodes.trust_ledger.logistic import Guess, Weight, moments

_NEVER = 1e-6
"""No outcome is held less probable than this."""


class DriftConfig(msgspec.Struct, frozen=True, kw_only=True):
    drop: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    """Fall of the log-odds that is looked for."""
    alarm: Annotated[float, msgspec.Meta(gt=0)] = 9.0
    recovered: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    surest: Annotated[float, msgspec.Meta(gt=0)] = 2.5
    """Variance of the log-odds above which an outcome cannot surprise."""
    forget: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    """Share of the evidence that still counts once there is an alarm."""
    regained: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """Share of what was set aside that counts once it is over."""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """Of one version of a level."""

    total: float = 0.0
    """The cumulative sum: towards an alarm, or out of it."""
    before: Mapping[str, Weight] = {}
    """What was believed before the alarm; empty where there is none."""
    outcomes: int = 0
    """Since the alarm; 0 where there is none."""
    alarms: int = 0
    """So far."""

    @property
    def alarmed(self) -> bool:
        return bool(self.before)


def watched(drift: Drift, belief: Guess, score: float, worth: float, config: DriftConfig) -> Drift:
    """`drift` after an outcome, `belief` being what was expected of it: now, or before the alarm where there is one."""
    if belief.variance > config.surest:
        return drift
    worse = log_ratio(belief, score, config.drop) * min(1.0, worth)
    step = -worse if drift.alarmed else worse
    return msgspec.structs.replace(
        drift, total=max(0.0, drift.total + step), outcomes=drift.outcomes + (1 if drift.alarmed else 0)
    )


def alarming(drift: Drift, config: DriftConfig) -> bool:
    return not drift.alarmed and drift.total >= config.alarm


def recovered(drift: Drift, config: DriftConfig) -> bool:
    return drift.alarmed and drift.total >= config.recovered


def log_ratio(belief: Guess, score: float, drop: float) -> float:
    """By the natural log, how much likelier `score` is with the log-odds lower by `drop`."""
    usual, lower = moments(belief)[0], moments(Guess(belief.mean - drop, belief.variance))[0]
    right = math.log(max(lower, _NEVER) / max(usual, _NEVER))
    wrong = math.log(max(1 - lower, _NEVER) / max(1 - usual, _NEVER))
    return score * right + (1 - score) * wrong


def faded(weights: Mapping[str, Weight], share: float) -> dict[str, Weight]:
    """`weights` with `share` of their evidence."""
    return {name: msgspec.structs.replace(weight, evidence=weight.evidence * share) for name, weight in weights.items()}
