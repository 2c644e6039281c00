"""SNARC: surprise, novelty, arousal, reward and conflict as ranks, and how much all of it together matters.

Each part of a `Snarc` is a percentile rank: the share of the last experiences of the same kind (inputs, exchanges,
conversations) that had less of it. A rank alone says how unusual something is, not how much of it there is: in a calm
week the least stir is above nine tenths of all, and after an hour of shouting another shout is above half. So the whole
does not rest on ranks alone. It rests on the absolute scale of each part, of which the rank takes a share away:

    worth = scale × (steady + (1 − steady) × rank)              salience = (Σ w · worth^p / Σ w)^(1/p)

- A small stir stays small however rare it is: salience never exceeds the greatest scale among its parts.
- A great one stays at `steady` of its worth at least, however common it has become.
- The exponent p lets one part that is extreme count for more than many that are middling, and what is not known
  (the outcome of an input) weighs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from nodes.context_classifier.feature import Feature
from protocol.messages.context import Snarc

DIMENSIONS = ("surprise", "novelty", "arousal", "reward", "conflict")

TELLING = 0.1
"""Scales below it go without saying."""

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What each part weighs in the whole; only their proportions matter."""

    surprise: float = 0.25
    novelty: float = 0.2
    arousal: float = 0.2
    reward: float = 0.1
    conflict: float = 0.25

    def __post_init__(self) -> None:
        if not all(math.isfinite(weight) and weight >= 0 for weight in self.parts) or sum(self.parts) <= 0:
            raise ValueError(f"a weight must be finite and not negative, and one positive; they are {self.parts}")

    @property
    def parts(self) -> tuple[float, ...]:
        return (self.surprise, self.novelty, self.arousal, self.reward, self.conflict)


class Salience(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How ranks are taken, and parts put together."""

    history: Positive = 512
    """Experiences of a kind that a rank is taken among."""
    prior: Positive = 8
    """Experiences that the assumed history counts for; it lies even over the scale."""
    steady: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3
    """Share of a part's worth that does not hang on its rank."""
    emphasis: Annotated[float, msgspec.Meta(ge=1)] = 3.0
    """Exponent of the mean: 1 adds the parts up, more lets the greatest prevail."""
    fade: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.8
    """What is left of an exchange in the salience of its conversation, with each exchange after it."""
    conversations: Positive = 256
    """Conversations whose salience is remembered."""


@dataclass(frozen=True)
class Part:
    """One dimension of one experience: what there is of it, and how rare that is."""

    feature: Feature
    rank: float


def combined(parts: Mapping[str, Part], weights: Weights, settings: Salience) -> Snarc:
    """The parts that are known, and the whole of them. A dimension that is missing is not known: 0, without weight."""
    return Snarc(
        **{name: part.rank for name, part in parts.items()},
        salience=_whole(parts, weights, settings),
        why="; ".join(_told(name, parts[name]) for name in DIMENSIONS if _telling(parts.get(name)))
        or "nothing out of the ordinary",
    )


def _whole(parts: Mapping[str, Part], weights: Weights, settings: Salience) -> float:
    known = [(getattr(weights, name), _worth(part, settings.steady)) for name, part in parts.items()]
    total: float = sum(weight for weight, _ in known)
    if total <= 0:
        return 0.0
    mean = sum(weight * worth**settings.emphasis for weight, worth in known) / total
    return min(1.0, float(mean ** (1 / settings.emphasis)))


def _worth(part: Part, steady: float) -> float:
    return part.feature.scale * (steady + (1 - steady) * part.rank)


def _telling(part: Part | None) -> bool:
    return part is not None and part.feature.scale >= TELLING


def _told(name: str, part: Part) -> str:
    return f"{name} above {part.rank:.0%} ({part.feature.why}: {part.feature.scale:.2f} of 1)"
