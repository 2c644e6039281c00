"""Stable, moving, unstable or novel: three questions asked one after the other, each answered with a probability.

    Is it at odds with what was said?              yes → unstable
    Is it near anything known?                     no  → novel
    Does the conversation go on as it was going?   yes → stable,  no → moving

So the four probabilities sum to one by construction:

    unstable = u                  novel  = (1 - u)(1 - k)
    stable   = (1 - u) k s        moving = (1 - u) k (1 - s)

Each answer is a logistic function of a few things seen; their weights stand in `configs/context.yaml`, fitted by
`sage context fit --encoder tokens` to dialogues of the tuning half.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from protocol.messages.context import Context

HALF_PRACTISED = 2.0
"""Inputs at which a group counts as half practised."""


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
    """How surely it denies, replaces or takes back something said in this conversation."""
    against: str = ""
    """In which way, in words."""
    last: float | None = None
    """Similarity to the input before; None at the beginning."""
    repeats: int = 0
    """How often it was said in these very words, of late and in this conversation."""
    repetition: float = 0.0
    """How surely it asks the same once more as the input before it."""
    run: int = 0
    """Inputs just before it, without a break, that are of its kind."""
    parallel: float = 0.0
    """How much it is built like one of the two inputs before it."""
    kinship: float = 0.0
    """Share of what it speaks of that the last inputs spoke of, or of something of the same sort."""
    meant: float = 0.0
    """Likeness in what would be answered to one of the two inputs before it, if that asks or tells as it does."""
    about: float = 0.0
    """Likeness in what would be answered to one of the last inputs, whether they ask or tell."""
    agrees: bool = False
    """Whether it says the same as one of the recent inputs."""
    kept: float = 1.0
    """Share of what the two inputs before it have in common that it has as well."""
    drift: float = 0.0
    """Rate of change: how unlike each recent input is to the one before, on average."""


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Weights of what a question looks at, by the names in `looks`."""

    bias: float


class Conflict(_Answer, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether it is at odds with what was said."""

    contradiction: float
    swinging: float


class Known(_Answer, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether it is near anything known."""

    recognised: float
    related: float
    about: float
    kinship: float


class Settled(_Answer, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the conversation goes on as it was going."""

    begins: float
    begins_known: float
    habit: float
    agrees: float
    matches: float
    parallel: float
    meant: float
    turned: float


class Questions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How each of the three questions weighs what is seen."""

    conflict: Conflict = Conflict(bias=-4.06, contradiction=8.39, swinging=8.38)
    known: Known = Known(bias=-3.31, recognised=6.84, related=2.07, about=3.36, kinship=2.79)
    settled: Settled = Settled(
        bias=-3.34,
        begins=3.54,
        begins_known=2.2,
        habit=1.31,
        agrees=2.93,
        matches=3.62,
        parallel=0.94,
        meant=2.86,
        turned=-1.19,
    )


@dataclass(frozen=True)
class Judgement:
    context: Context
    confidence: float
    """Probability of `context`."""
    probabilities: dict[Context, float]
    why: str


def classify(seen: Observation, questions: Questions) -> Judgement:
    """The context of an input, with the probability of each kind and the reason in words."""
    look = looks(seen)
    odds, known, settled = (answer(look, one) for one in (questions.conflict, questions.known, questions.settled))
    probabilities = {
        Context.UNSTABLE: odds,
        Context.NOVEL: (1 - odds) * (1 - known),
        Context.STABLE: (1 - odds) * known * settled,
        Context.MOVING: (1 - odds) * known * (1 - settled),
    }
    context = max(probabilities, key=lambda kind: probabilities[kind])
    return Judgement(context, probabilities[context], probabilities, _why(context, seen))


def weighed(look: Mapping[str, float], weights: _Answer) -> dict[str, float]:
    """What each thing looked at adds to the log odds of yes."""
    return {name: getattr(weights, name) * look[name] for name in weights.__struct_fields__}


def answer(look: Mapping[str, float], weights: _Answer) -> float:
    """The probability of yes."""
    total = sum(weighed(look, weights).values())
    return 1 / (1 + math.exp(-min(30.0, max(-30.0, total))))


def looks(seen: Observation) -> dict[str, float]:
    """What the questions may look at, each 0..1 and each the more, the more there is of it."""
    begins = float(seen.last is None)
    nearest = max(seen.similarity, seen.echo)
    return {
        "bias": 1.0,
        "contradiction": seen.contradiction,
        "swinging": seen.swinging,
        "recognised": _ramp(seen.similarity, 0.3, 0.65),
        "related": _ramp(seen.echo, 0.15, 0.5),
        "about": seen.about,
        "kinship": _ramp(seen.kinship, 0.0, 0.5),
        "meant": seen.meant,
        "begins": begins,
        "begins_known": begins * seen.similarity,
        "habit": seen.members / (seen.members + HALF_PRACTISED) if seen.joins else 0.0,
        "agrees": float(seen.agrees),
        "matches": max(_ramp(seen.parallel, 0.7, 1.0) * seen.kept, _ramp(seen.meant, 0.85, 1.0)),
        "kept": 0.0 if seen.last is None else seen.kept,
        "parallel": seen.parallel * seen.kept,
        "turned": 0.0 if seen.last is None else max(0.0, nearest - seen.last),
    }


def _ramp(value: float, low: float, high: float) -> float:
    """0 at and below `low`, 1 at and above `high`, straight in between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _why(context: Context, seen: Observation) -> str:
    if context is Context.UNSTABLE:
        if seen.contradiction > seen.swinging:
            return seen.against or "it is at odds with what was said"
        return f"the conversation swings back and forth ({seen.swinging:.2f} of its recent turns)"
    if context is Context.NOVEL:
        if not seen.members:
            return "nothing is known yet"
        return f"far from everything known (nearest {max(seen.similarity, seen.echo):.2f})"
    if context is Context.STABLE:
        if seen.repeats:
            return f"said {seen.repeats} times before in these words"
        if seen.run:
            return f"goes on as the {seen.run} before it (alike {seen.echo:.2f})"
        return f"its kind was met {seen.members} times (alike {seen.similarity:.2f})"
    if seen.joins and seen.continuity is not None:
        return f"its kind is known (alike {seen.similarity:.2f}), but the conversation was elsewhere"
    return f"related to what is known (alike {max(seen.similarity, seen.echo):.2f})"
