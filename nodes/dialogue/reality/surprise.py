"""How far an observation shakes an assumption, and what follows. Pure.

    surprise = distance × confidence × centrality          each 0..1

*distance* is between what is assumed and what was observed, by level (`distance`), times the chance that an observer
who is sometimes wrong is right this time (`right_now`). *confidence* is what is left of it at that moment (`aged`).
*centrality* says how much rests on it: from `leaf`, where nothing does, up to 1.

Every level has a threshold (GLOSSARY): at that surprise an assumption of the level is doubted. So that it can also be
rebuilt, the bands of the whole (under .3 go on, under .6 verify, above rebuild) are laid from the threshold upwards: a
surprise is *weighed* by stretching 0..threshold over 0..verify and threshold..1 over verify..1. At the sensory level,
whose threshold is .3, both are the same; at the abstract one verifying begins at .7 and rebuilding at .83. `settings`
refuses numbers with which some assumption that is relied on could not be broken.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from nodes.dialogue.reality.assumption import Assumption, Evidence, Level, Value
from nodes.dialogue.reality.settings import RealityConfig

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


AGREES = 0.05
"""Distance up to which an observation says the same."""


class Response(StrEnum):
    GO_ON = "go on"
    VERIFY = "verify"
    REBUILD = "rebuild"


@dataclass(frozen=True)
class Judgement:
    """What an observation makes of an assumption."""

    distance: float
    confidence: float
    """Of the assumption, as it stood."""
    centrality: float
    surprise: float
    weighed: float
    """The surprise against the level's threshold: comparable between levels."""
    response: Response
    after: float
    """The confidence that is left, where it is not rebuilt."""


def judge(assumption: Assumption, evidence: Evidence, bears: int, now_ns: int, config: RealityConfig) -> Judgement:
    """`bears`: how many assumptions rest directly on it."""
    apart = evidence.distance
    if apart is None:
        assert evidence.value is not None
        apart = distance(assumption.level, assumption.value, evidence.value)
    confidence = aged(assumption, now_ns)
    after = min(config.confidence.limit, updated(confidence, apart, evidence.reliability))
    apart *= right_now(confidence, evidence.reliability)
    central = centrality(bears, config)
    surprise = apart * confidence * central
    share = weighed(surprise, assumption.level, config)
    return Judgement(
        distance=apart,
        confidence=confidence,
        centrality=central,
        surprise=surprise,
        weighed=share,
        response=_response(share, config),
        after=after,
    )


def centrality(bears: int, config: RealityConfig) -> float:
    """`leaf` where nothing rests on it, half the way to 1 where `half` assumptions do, 1 in the limit."""
    leaf, half = config.centrality.leaf, config.centrality.half
    return leaf + (1 - leaf) * bears / (bears + half)


def aged(assumption: Assumption, now_ns: int) -> float:
    """The confidence that is left: changes come at `drift` per second, so none came with probability e^(-drift age)."""
    age_s = max(0, now_ns - assumption.verified_ns) / 1e9
    return assumption.confidence * math.exp(-assumption.drift * age_s)


def weighed(surprise: float, level: Level, config: RealityConfig) -> float:
    threshold, verify = config.levels[level].threshold, config.bands.verify
    if surprise < threshold:
        return surprise / threshold * verify
    return verify + (surprise - threshold) / (1 - threshold) * (1 - verify)


def _response(share: float, config: RealityConfig) -> Response:
    if share >= config.bands.rebuild:
        return Response.REBUILD
    return Response.VERIFY if share >= config.bands.verify else Response.GO_ON


def right_now(confidence: float, reliability: float) -> float:
    """How likely an observer is right who says that it is otherwise: Bayes, with `confidence` that it is not.

    1 for one who is never wrong. Somebody right 98 times in 100 who contradicts what is 99% sure is right 1 time in 3.
    """
    right, wrong = (1 - confidence) * reliability, confidence * (1 - reliability)
    return right / (right + wrong) if right + wrong else 1.0


def updated(confidence: float, apart: float, reliability: float) -> float:
    """The chance that it is still so after an observation that says with `apart` that it is not: Bayes."""
    so = confidence * (reliability * (1 - apart) + (1 - reliability) * apart)
    otherwise = (1 - confidence) * (reliability * apart + (1 - reliability) * (1 - apart))
    return so / (so + otherwise) if so + otherwise else 0.0


# How far two values lie apart, 0..1


def distance(level: Level, assumed: Value, observed: Value) -> float:
    """By what kind of thing the level speaks of. Values of different kinds are wholly apart.

    sensory       readings: the difference against the assumed one; vectors: 1 - cosine, at most 1
    environment   one state or another: 0 or 1; of several named facts, the share that differ
    context       what was said: the share of words that only one of the two has (1 - Jaccard)
    abstract      a statement is the same or it is not: 0 or 1
    """
    match assumed, observed:
        case float() | int(), float() | int():
            return _readings(float(assumed), float(observed))
        case list(), list():
            return _vectors(assumed, observed)
        case dict(), dict():
            names = {*assumed, *observed}
            return sum(assumed.get(name) != observed.get(name) for name in names) / len(names) if names else 0.0
        case str(), str() if level is Level.CONTEXT:
            return _words_apart(assumed, observed)
        case str(), str():
            return float(same_words(assumed) != same_words(observed))
        case _:
            return 1.0


def same_words(text: str) -> str:
    """What two texts have in common that say the same in other spacing or case."""
    return " ".join(text.split()).casefold()


def _readings(assumed: float, observed: float) -> float:
    if assumed == observed:
        return 0.0
    return min(1.0, abs(assumed - observed) / (abs(assumed) or abs(observed)))


def _vectors(assumed: list[float], observed: list[float]) -> float:
    norms = math.hypot(*assumed) * math.hypot(*observed)
    if len(assumed) != len(observed) or norms == 0:
        return float(assumed != observed)
    cosine = sum(one * other for one, other in zip(assumed, observed, strict=True)) / norms
    return min(1.0, max(0.0, 1.0 - cosine))


def _words_apart(assumed: str, observed: str) -> float:
    """Where neither has a word, whether they are the same."""
    one, other = (set(_WORD.findall(text.casefold())) for text in (assumed, observed))
    if not one | other:
        return float(assumed.strip() != observed.strip())
    return 1.0 - len(one & other) / len(one | other)
