"""An utterance among those before it in its conversation: everything that is seen of it there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nodes.context_classifier import claims, course
from nodes.context_classifier.course import Step
from nodes.context_classifier.encoder import Encoder
from nodes.context_classifier.vectors import similarity

LAST = 2
"""Inputs that the next one may go on with."""
RELATED = 3
"""Inputs that the next one may be related to by what it speaks of."""


@dataclass(frozen=True)
class Among:
    """The part of an `Observation` that rests on the conversation; see there."""

    echo: float
    last: float | None
    meant: float
    about: float
    kinship: float
    parallel: float
    kept: float
    agrees: bool
    repeats: int
    repetition: float
    run: int
    drift: float
    swinging: float
    contradiction: float
    against: str


def seen_among(step: Step, turns: Sequence[Step], encoder: Encoder) -> Among:
    """What is seen of `step` beside the recent inputs before it, oldest first."""
    sort, steps = encoder.sort, [*turns, step]
    heard = [turn.heard for turn in turns]
    likeness = [similarity(step.vector, turn.vector) for turn in turns]
    odds = claims.conflict(step.heard, list(zip(heard, likeness, strict=True)), sort)
    return Among(
        echo=max(likeness, default=0.0),
        last=likeness[-1] if likeness else None,
        meant=_meaning(step, [turn for turn in turns[-LAST:] if turn.heard.tells == step.heard.tells], encoder),
        about=_meaning(step, turns[-RELATED:], encoder),
        kinship=claims.kinship(step.heard, heard[-RELATED:], sort, encoder.weight),
        parallel=max((claims.parallel(step.heard, one, sort) for one in heard[-LAST:]), default=0.0),
        kept=claims.kept(step.heard, heard),
        agrees=any(claims.agrees(step.heard, one, sort) for one in heard),
        repeats=course.repeats(steps),
        repetition=claims.repetition(step.heard, heard[-1], _meaning(step, turns[-1:], encoder)) if heard else 0.0,
        run=course.run(steps, sort),
        drift=course.drift(steps),
        swinging=course.swinging(steps, sort),
        contradiction=odds.strength,
        against=odds.why,
    )


def _meaning(step: Step, turns: Sequence[Step], encoder: Encoder) -> float:
    """Likeness to the nearest of them in what would be answered."""
    part = encoder.meaning
    return max((similarity(step.vector[part], turn.vector[part]) for turn in turns), default=0.0)
