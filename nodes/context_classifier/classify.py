"""Stable, moving, unstable or novel: three questions asked one after the other, each answered with a probability.

    Is it at odds with what was just said?      yes → unstable
    Is it near anything known?                  no  → novel
    Is that well practised, and goes it on?     yes → stable,  no → moving

So the four probabilities sum to one by construction:

    unstable = u                  novel  = (1 - u)(1 - k)
    stable   = (1 - u) k p        moving = (1 - u) k (1 - p)
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from protocol.messages.context import Context


@dataclass(frozen=True)
class Observation:
    """What was seen of an input before anything was learned from it. All shares and similarities are 0..1."""

    similarity: float
    """To the nearest group of everything known; 0 where nothing is."""
    members: int
    """Inputs that group had met before."""
    joins: bool
    """Whether the input is of that group, rather than only related to it."""
    expected: float
    """Probability that an input of its group comes now, after the one before."""
    continuity: float | None
    """Similarity to where the conversation is; None at its beginning."""
    echo: float
    """Similarity to the conversation's most alike recent input."""
    swinging: float
    """Share of the recent inputs that went back to where the last but one was, over something unlike it."""
    contradiction: float
    """Similarity to a recent input whose statement is denied here, or the other way round."""
    repeats: int = 0
    """How often it was said in these very words, of late and in this conversation."""


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    unlike: float = 0.3
    """Similarity at and below which an input is far from what is known."""
    alike: float = 0.6
    """Similarity at and above which it is known."""
    practice: float = 0.8
    """Members at which a group counts as half practised."""
    turn: float = 0.2
    """Continuity at and below which the conversation has turned to something else."""

    def __post_init__(self) -> None:
        if not 0 <= self.unlike < self.alike <= 1:
            raise ValueError(f"needs 0 <= unlike < alike <= 1, has unlike {self.unlike} and alike {self.alike}")
        if self.practice <= 0:
            raise ValueError(f"practice must be positive, is {self.practice}")


@dataclass(frozen=True)
class Judgement:
    context: Context
    confidence: float
    """Probability of `context`."""
    probabilities: dict[Context, float]
    why: str


def classify(seen: Observation, thresholds: Thresholds) -> Judgement:
    """The context of an input, with the probability of each kind and the reason in words."""
    odds = conflict(seen)
    known = familiarity(seen, thresholds)
    practised = _practised(seen, thresholds)
    probabilities = {
        Context.UNSTABLE: odds,
        Context.NOVEL: (1 - odds) * (1 - known),
        Context.STABLE: (1 - odds) * known * practised,
        Context.MOVING: (1 - odds) * known * (1 - practised),
    }
    context = max(probabilities, key=lambda kind: probabilities[kind])
    return Judgement(context, probabilities[context], probabilities, _why(context, seen))


def conflict(seen: Observation) -> float:
    """How much the input is at odds with the recent ones: it denies one, or swings between two."""
    return max(_ramp(seen.contradiction, 0.5, 0.9), seen.swinging)


def familiarity(seen: Observation, thresholds: Thresholds) -> float:
    """How near the input is to anything known, 0..1."""
    return _ramp(seen.similarity, thresholds.unlike, thresholds.alike) if seen.members else 0.0


def _practised(seen: Observation, thresholds: Thresholds) -> float:
    """How well known the input's own group is, less where the conversation has just turned to it."""
    if not seen.joins:
        return 0.0
    habit = seen.members / (seen.members + thresholds.practice)
    if seen.continuity is None:
        return habit
    held = max(_ramp(seen.continuity, thresholds.turn, thresholds.alike), seen.expected)
    return habit * (0.5 + 0.5 * held)


def _ramp(value: float, low: float, high: float) -> float:
    """0 at and below `low`, 1 at and above `high`, straight in between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _why(context: Context, seen: Observation) -> str:
    if context is Context.UNSTABLE:
        if seen.contradiction > seen.swinging:
            return f"it contradicts something just said (alike {seen.contradiction:.2f})"
        return f"the conversation swings back and forth ({seen.swinging:.2f} of its recent turns)"
    if context is Context.NOVEL:
        if not seen.members:
            return "nothing is known yet"
        return f"far from everything known (nearest {seen.similarity:.2f})"
    if not seen.joins:
        return f"related to what is known (alike {seen.similarity:.2f})"
    met = f"its kind was met {seen.members} times (alike {seen.similarity:.2f})"
    if context is Context.STABLE:
        return met
    if seen.continuity is not None and seen.continuity < seen.similarity:
        return f"{met}, but the conversation was elsewhere (alike {seen.continuity:.2f})"
    return f"{met}, too seldom to be settled"
