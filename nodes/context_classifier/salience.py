"""SNARC: how much an experience matters, as surprise, novelty, arousal, reward and conflict, each 0..1 with its reason.

Nothing has a floor: an input that goes on as expected, said calmly, scores near zero on every part.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from nodes.context_classifier.classify import Observation, Thresholds, conflict, familiarity
from protocol.messages.context import ScoreExchange, Snarc

TELLING = 0.1
"""Parts below it go without saying."""


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What each part weighs in the whole; only their proportions matter."""

    surprise: float = 0.3
    novelty: float = 0.2
    arousal: float = 0.1
    reward: float = 0.15
    conflict: float = 0.25

    def __post_init__(self) -> None:
        if min(self.parts) < 0 or sum(self.parts) <= 0:
            raise ValueError(f"no weight may be negative, and one must be positive; they are {self.parts}")

    @property
    def parts(self) -> tuple[float, ...]:
        return (self.surprise, self.novelty, self.arousal, self.reward, self.conflict)


@dataclass(frozen=True)
class Part:
    value: float
    why: str


def of_input(seen: Observation, text: str, thresholds: Thresholds, weights: Weights) -> Snarc:
    """Salience of what came in. Its reward is 0: nothing has come of it yet."""
    return _together(
        surprise=Part(1 - max(seen.expected, seen.echo**2), f"expected with {seen.expected:.2f}"),
        novelty=Part(1 - familiarity(seen, thresholds), f"nearest known {seen.similarity:.2f}"),
        arousal=_arousal(text, seen.echo),
        reward=Part(0.0, ""),
        conflict=Part(conflict(seen), "at odds with what was just said"),
        weights=weights,
    )


def of_exchange(request: ScoreExchange, heard: Snarc | None, weights: Weights) -> Snarc:
    """Salience of a finished exchange: what came in (`heard`, where it is still known), and what came of it.

    A confident answer that was wrong surprises most; so does a right one that nobody was sure of, by as much.
    """
    heard = heard or Snarc()
    unsure = 1 - request.confidence
    if request.score is None:
        missed = Part(unsure, f"answered with confidence {request.confidence:.2f}")
        reward = Part(0.0, "")
        disagreed = 0.0
    else:
        missed = Part(
            abs(request.score - request.confidence),
            f"scored {request.score:.2f} at confidence {request.confidence:.2f}",
        )
        reward = Part(request.score, f"the answer scored {request.score:.2f}")
        disagreed = max(0.0, request.confidence - request.score)
    cascaded = 1 - 1 / max(1, request.levels_tried)
    return _together(
        surprise=max(missed, Part(heard.surprise, "the question was unexpected"), key=lambda part: part.value),
        novelty=Part(heard.novelty, "the question was new"),
        arousal=Part(heard.arousal, "how it was said"),
        reward=reward,
        conflict=max(
            Part(heard.conflict, "at odds with what was just said"),
            Part(cascaded, f"{request.levels_tried} levels tried"),
            Part(disagreed, "confident and wrong"),
            key=lambda part: part.value,
        ),
        weights=weights,
    )


def _arousal(text: str, echo: float) -> Part:
    """Intensity: exclamation, shouting, insisting. Each alone can reach a half or more; together they approach 1."""
    letters = [letter for letter in text if letter.isalpha()]
    capitals = sum(letter.isupper() for letter in letters) / len(letters) if len(letters) > 3 else 0.0
    marks = text.count("!")
    parts = (
        Part(1 - 0.5**marks, f"{marks} exclamation marks"),
        Part(max(0.0, (capitals - 0.5) * 2), "said in capitals"),
        Part(max(0.0, (echo - 0.9) * 5), "insisted on"),
    )
    calm = 1.0
    for part in parts:
        calm *= 1 - part.value
    return Part(1 - calm, max(parts, key=lambda part: part.value).why)


def _together(*, surprise: Part, novelty: Part, arousal: Part, reward: Part, conflict: Part, weights: Weights) -> Snarc:
    parts = (surprise, novelty, arousal, reward, conflict)
    names = ("surprise", "novelty", "arousal", "reward", "conflict")
    values = [min(1.0, max(0.0, part.value)) for part in parts]
    total = sum(value * weight for value, weight in zip(values, weights.parts, strict=True)) / sum(weights.parts)
    told = [
        f"{name} {value:.2f} ({part.why})"
        for name, value, part in zip(names, values, parts, strict=True)
        if value >= 0.1
    ]
    return Snarc(
        surprise=values[0],
        novelty=values[1],
        arousal=values[2],
        reward=values[3],
        conflict=values[4],
        salience=total,
        why="; ".join(told) or "nothing out of the ordinary",
    )
