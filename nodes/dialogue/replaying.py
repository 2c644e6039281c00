"""What replayed questions teach: outcomes of every level, calibrations, and what the price is tuned on. Pure.

A question goes through all levels; a verifier judges the answers where one knows it, else the most capable level does
(`agreement`). Everything that the price is tuned on is found by cross-fitting: what is believed of a
question, and how its answers' confidence is calibrated, rests on the other four fifths of the questions alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from nodes.dialogue import calibration
from nodes.dialogue.calibration import Calibration, Judged, Signs, signs_of
from nodes.dialogue.choice import ChoiceSettings
from nodes.dialogue.patterns import normalised
from nodes.dialogue.tuning import Replayed, Tuning, tune
from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.features import Query
from nodes.trust_ledger.table import Arm, Arms, expected, fold, published
from protocol.messages.model import Generated
from protocol.messages.trust import Outcome, TrustTable

FOLDS = 5
_SURE = 1e-3
"""No answer is taken for more certain than this, nor for less."""
JUDGE = "judge"
"""Source of an outcome that the most capable level judged, by saying the same or otherwise."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One level's answer to a replayed question."""

    level: str
    model: str
    version: str
    score: float
    """0..1: how right it was."""
    signs: Signs | None
    atp: float
    """What it cost; where that was not measured of every level, its configured cost against the others."""
    measured: bool = True


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A replayed question, tried from the least to the most capable level."""

    exchange: str
    query: Query
    tried: tuple[Tried, ...]
    source: str
    """Who judged: a verifier's name, or `judge`."""
    at_ns: int = 0
    alarmed: tuple[str, ...] = ()
    """Levels that were in alarm then."""


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What the replayed questions came to."""

    tuning: Tuning | None = None
    """None: nothing has been replayed yet."""
    calibrations: dict[str, Calibration] = {}
    """Version of a level → what its confidence is worth."""

    def calibrated(self, generated: Generated) -> float | None:
        """Chance that an answer is right; None where its version's confidence is not calibrated."""
        calibration, signs = self.calibrations.get(generated.version), signs_of(generated)
        return calibration.confidence(signs) if calibration is not None and signs is not None else None


NOTHING_LEARNED = Lesson()


def agreement(texts: Sequence[str], confidences: Sequence[float]) -> list[float]:
    """How probable it is that each answer is right, by the last of them, the most capable level's.

    Confidences are taken for what they say, and errors of different levels as independent. Of two answers that agree
    both are right, or both wrong; of two that do not, one at most is right (Bayes). A family whose small levels are
    surer of themselves than they should be is judged too kindly: look at the calibration error before relying on it.
    """
    last, sure = normalised(texts[-1]), _probable(confidences[-1])
    others = zip(texts[:-1], map(_probable, confidences[:-1]), strict=True)
    return [*(_beside(normalised(text) == last, confidence, sure) for text, confidence in others), sure]


def _beside(same: bool, confidence: float, sure: float) -> float:
    both, neither = confidence * sure, (1 - confidence) * (1 - sure)
    only, other = confidence * (1 - sure), (1 - confidence) * sure
    return both / (both + neither) if same else only / (only + other + neither)


def _probable(confidence: float) -> float:
    return min(1 - _SURE, max(_SURE, confidence))


def outcomes(sample: Sample) -> list[Outcome]:
    """What the ledger is told of a replayed question. What the judge says of itself is nothing to learn from."""
    told = sample.tried[:-1] if sample.source == JUDGE else sample.tried
    return [_outcome(sample, tried) for tried in told]


def learn(samples: Sequence[Sample], trust: TrustConfig, settings: ChoiceSettings, at_ns: int) -> Lesson:
    """Calibrations for every version that was tried often enough, and the price.

    Only questions count that were answered by the versions which answered the last one, and while none was in alarm:
    what a broken level said is no part of what holds when it is whole, nor would it be asked while it is not.
    """
    versions = _versions(samples[-1]) if samples else ()
    current = [sample for sample in samples if _versions(sample) == versions and not sample.alarmed]
    replayed = list(_crossfitted(current, trust))
    tuned = tune(replayed, settings.tuning, settings.handing, at_ns)
    found = {
        version: fitted
        for place, version in enumerate(versions)
        if (fitted := calibration.fit(_judged(current, place))) is not None
    }
    return Lesson(tuning=tuned, calibrations=found)


def _crossfitted(samples: Sequence[Sample], trust: TrustConfig) -> Iterator[Replayed]:
    for number in range(min(FOLDS, len(samples))):
        rest = [sample for at, sample in enumerate(samples) if at % FOLDS != number]
        known = _believed(rest, trust)
        fits = [calibration.fitted(_judged(rest, place)) for place in range(len(samples[-1].tried))]
        for sample in samples[number::FOLDS]:
            yield Replayed(
                chances=tuple(_chance(known, tried, sample.query, trust) for tried in sample.tried),
                confidences=tuple(_confidence(fit, tried) for fit, tried in zip(fits, sample.tried, strict=True)),
                right=tuple(tried.score for tried in sample.tried),
                costs=tuple(tried.atp for tried in sample.tried),
            )


def _believed(samples: Sequence[Sample], trust: TrustConfig) -> TrustTable:
    arms: Arms = {}
    for sample in samples:
        for tried in sample.tried:
            arms = fold(arms, _outcome(sample, tried), 0.0, trust)
    return TrustTable(entries=0, rows=[], models=published(arms, 0.0, trust))


def _chance(known: TrustTable, tried: Tried, query: Query, trust: TrustConfig) -> float:
    return expected(known, Arm(tried.level, tried.version, query.context), query, trust).mean


def _confidence(fit: Calibration | None, tried: Tried) -> float | None:
    return fit.confidence(tried.signs) if fit is not None and tried.signs is not None else None


def _judged(samples: Sequence[Sample], place: int) -> list[Judged]:
    tried = [sample.tried[place] for sample in samples]
    return [Judged(signs=one.signs, score=one.score) for one in tried if one.signs is not None]


def _versions(sample: Sample) -> tuple[str, ...]:
    return tuple(tried.version for tried in sample.tried)


def _outcome(sample: Sample, tried: Tried) -> Outcome:
    query = sample.query
    return Outcome(
        exchange=sample.exchange,
        session=query.session,
        level=tried.level,
        model=tried.model,
        version=tried.version,
        context=query.context,
        score=tried.score,
        source=sample.source,
        atp=tried.atp if tried.measured else 0.0,
        cluster=query.cluster,
        words=query.words,
        depth=query.depth,
    )
