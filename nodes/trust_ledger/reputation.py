"""What an outcome makes of the reputation of whoever acted: R7 of a judged one, nothing of a routine one. Pure."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from nodes.trust_ledger.config import Weights
from nodes.trust_ledger.tensors import (
    BREACH,
    EXPECTED,
    GRADED,
    NOVEL,
    SUCCESS,
    UNEXPECTED,
    Deed,
    ReputationRules,
    Standing,
    faded,
    moved,
)
from protocol.messages.action import Reputation
from protocol.messages.context import Context
from protocol.messages.trust import Outcome

SURE = 0.5
"""Confidence from which on a failure was not to be expected."""


class Place(NamedTuple):
    """Where something is held of somebody. A tensor belongs to one, never to a subject as such."""

    subject: str
    role: str
    context: str


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What of the configuration bears on reputation."""

    reputation: ReputationRules = ReputationRules()
    weights: Weights = Weights()


def routine(outcome: Outcome, rules: Rules) -> bool:
    """Whether it is written down as R6: nobody judged the answer, the level itself was more or less sure of it.

    Whatever was judged, by a verifier, a user, the next level or the next turn, is consequential: R7. So is a breach.
    """
    return outcome.source in rules.reputation.routine and not outcome.breach


def gained(
    outcome: Outcome, place: Place, before: Standing, entry: int, wall_ns: int, rules: Rules, witnesses: list[str]
) -> tuple[Reputation, Standing]:
    """The reputation that came of `outcome`, written down as `entry` at `wall_ns`, and the standing after it."""
    done = deed(outcome, rules)
    was = faded(before, wall_ns, rules.reputation)
    after, discount = moved(before, done, entry, wall_ns, rules.reputation)
    reputation = Reputation(
        subject=place.subject,
        role=place.role,
        context=place.context,
        outcome=done.kind,
        t3_from=was.t3,
        t3_to=after.t3,
        v3_from=was.v3,
        v3_to=after.v3,
        reason=_reason(outcome, done),
        factors={"judge": done.weight, "repetition": discount},
        witnesses=witnesses,
    )
    return reputation, after


def deed(outcome: Outcome, rules: Rules) -> Deed:
    return Deed(
        kind=_kind(outcome),
        score=outcome.score,
        confidence=min(1.0, outcome.confidence),
        delivered=outcome.delivered,
        worth=min(1.0, outcome.stake / outcome.atp) if outcome.stake > 0 and outcome.atp > 0 else 1.0,
        weight=min(1.0, rules.weights.of(outcome.source)),
        same=_same(outcome),
    )


def _kind(outcome: Outcome) -> str:
    if outcome.breach:
        return BREACH
    if 0.0 < outcome.score < 1.0:
        return GRADED
    if outcome.score:
        return NOVEL if outcome.context == Context.NOVEL else SUCCESS
    return UNEXPECTED if outcome.confidence >= SURE else EXPECTED


def _same(outcome: Outcome) -> str:
    """Questions of one cluster; where nobody clustered them, those of one conversation, by a digest of its name."""
    if outcome.cluster >= 0:
        return f"cluster {outcome.cluster}"
    return f"session {hashlib.sha256(outcome.session.encode()).hexdigest()[:16]}"


def _reason(outcome: Outcome, done: Deed) -> str:
    judged = f"{outcome.source} gave {outcome.score:.2f}"
    if done.kind == BREACH:
        return f"{judged}; it broke a rule: {outcome.breach}"
    if done.kind in (EXPECTED, UNEXPECTED):
        return f"{judged}; it was {'sure' if done.kind == UNEXPECTED else 'not sure'} ({outcome.confidence:.2f})"
    return judged
