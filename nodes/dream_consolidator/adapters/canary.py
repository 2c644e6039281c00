"""Whether a challenger does as well in use as it did in its validation. Pure.

Conversations fall to the challenger or to the champion by lot, so that under equal skill the judged answers of both are
alike, whoever judges them and however few. Each block, some answers of one against some of the other, gives
X = mean score of the challenger's − mean score of the champion's, in [-1, 1]. Two bets run beside each other, each
against one hypothesis (testing by betting: Shafer 2021; of bounded means: Waudby-Smith and Ramdas 2024, §4):

    harm    against "it is no worse",                 E[X | past] ≥ 0:        the stake grows by 1 − λX
    good    against "it is worse by the margin",      E[X | past] ≤ −margin:  the stake grows by 1 + λ(X + margin)

Under its hypothesis a stake is a nonnegative supermartingale, so it ever reaches 1/α with probability α at most (Ville
1939): one may look after every answer, and answers of one conversation may resemble each other. The stake is spread
evenly over several λ, which adapts to the size of the difference as the best of them would, but for a constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from nodes.dream_consolidator.settings import Canary
from protocol.messages.dream import Standing
from protocol.messages.trust import TrustRecorded

BETS = tuple(number / 10 for number in range(1, 10))
"""The λ, all below 1: no stake is ever lost wholly."""
REMEMBERED = 512
"""Exchanges that are known to have been counted; each counts once, by its first judgement."""
UNJUDGED = frozenset({"confidence", "cascade", "validation"})
"""Sources that judge nothing (`confidence`), only those answers of which the level itself was not sure (`cascade`),
which a version that is surer of itself has fewer and worse of, or other questions (`validation`)."""

Step = Literal["go on", "promote", "withdraw"]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A challenger's trial as far as it got."""

    level: str
    digest: str
    champion: str = ""
    """Digest of what it is measured against; empty: the base model."""
    since_ns: int
    harm: tuple[float, ...] = (0.0,) * len(BETS)
    """Natural logarithm of the stake at each λ."""
    good: tuple[float, ...] = (0.0,) * len(BETS)
    waiting: tuple[float, ...] = ()
    """Scores of the challenger that await some of the champion."""
    champion_waiting: tuple[float, ...] = ()
    judged: int = 0
    right: float = 0.0
    champion_judged: int = 0
    champion_right: float = 0.0
    exchanges: tuple[str, ...] = ()


def heard(trial: Trial, recorded: TrustRecorded, settings: Canary) -> Trial:
    """The trial after one outcome; the same where it says nothing of either version."""
    if recorded.level != trial.level or recorded.repeated or not recorded.version or recorded.source in UNJUDGED:
        return trial
    if recorded.adapter not in (trial.digest, trial.champion) or recorded.exchange in trial.exchanges:
        return trial
    exchanges = (*trial.exchanges, recorded.exchange)[-REMEMBERED:]
    score = recorded.score
    if recorded.adapter == trial.digest:
        changes = {"judged": trial.judged + 1, "right": trial.right + score, "waiting": (*trial.waiting, score)}
    else:
        changes = {
            "champion_judged": trial.champion_judged + 1,
            "champion_right": trial.champion_right + score,
            "champion_waiting": (*trial.champion_waiting, score),
        }
    return _closed(msgspec.structs.replace(trial, exchanges=exchanges, **changes), settings.margin)


def decided(trial: Trial, now_ns: int, settings: Canary) -> tuple[Step, str]:
    """What is to become of the challenger, and why."""
    bar = 1 / settings.alpha
    harm, good = stake(trial.harm), stake(trial.good)
    if harm >= bar:
        return "withdraw", f"it answers worse than what it would replace: {_figures(trial)}, evidence {harm:.0f}:1"
    if good >= bar:
        within = f"it does not answer worse by {settings.margin:.0%}"
        return "promote", f"{within}: {_figures(trial)}, evidence {good:.0f}:1"
    long = (now_ns - trial.since_ns) / 1e9 >= settings.longest
    if not long and trial.judged < settings.judged:
        return "go on", _figures(trial)
    why = f"{'its time' if long else 'the number of answers'} is up and nothing is shown: {_figures(trial)}"
    return settings.undecided, f"{why}; `canary.undecided` says {settings.undecided}"


def stake(logs: Sequence[float]) -> float:
    """What the spread stake has become: the mean over λ."""
    largest = max(logs)
    return math.exp(largest) * math.fsum(math.exp(each - largest) for each in logs) / len(logs)


def standing(trial: Trial) -> Standing:
    return Standing(
        judged=trial.judged,
        right=round(trial.right),
        champion_judged=trial.champion_judged,
        champion_right=round(trial.champion_right),
        harm=stake(trial.harm),
        good=stake(trial.good),
        since_ns=trial.since_ns,
    )


def _closed(trial: Trial, margin: float) -> Trial:
    """Once both have answered something since the last block, that is one, and both stakes are settled."""
    if not trial.waiting or not trial.champion_waiting:
        return trial
    difference = _mean(trial.waiting) - _mean(trial.champion_waiting)
    return msgspec.structs.replace(
        trial,
        harm=tuple(log + math.log1p(-bet * difference) for log, bet in zip(trial.harm, BETS, strict=True)),
        good=tuple(log + math.log1p(bet * (difference + margin)) for log, bet in zip(trial.good, BETS, strict=True)),
        waiting=(),
        champion_waiting=(),
    )


def _mean(scores: Sequence[float]) -> float:
    return math.fsum(scores) / len(scores)


def _figures(trial: Trial) -> str:
    own = f"{trial.right:.0f} of {trial.judged} right"
    return f"{own} against {trial.champion_right:.0f} of {trial.champion_judged}"
