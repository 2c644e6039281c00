"""What there is to notice of an input and of an exchange, on absolute scales: one feature for each dimension.

- Surprise is prediction error, in nats beyond the usual: −ln p of this kind of input coming now; of the question under
  the smallest model that was asked, less what that model expected itself; of the least likely token of its reply; of
  the outcome under the answer's confidence. What lies x times the usual spread (a nat at least) above the usual is
  1 − e^−x of the scale: a model that knows little, and a life in which anything may come, do not surprise all the time.
- Novelty is the distance to the nearest thing known.
- Arousal is intensity: `arousal`, and what went wrong while it was answered.
- Reward is the outcome, where it is known: `rewards`.
- Conflict is disagreement: with what was said before, between levels, between confidence and outcome.
"""

from __future__ import annotations

import math

from nodes.context_classifier.arousal import USUAL_LOUDNESS, USUAL_RATE, Voice, arousal
from nodes.context_classifier.classify import Observation
from nodes.context_classifier.feature import NONE, Feature, strongest, together
from nodes.context_classifier.ranks import Histories, Usual
from nodes.context_classifier.rewards import judges
from protocol.messages.context import Classify, ScoreExchange

Features = dict[str, Feature]
"""Dimension → feature; one that is missing is not known."""

LONGEST_SHOT = 3.0
"""Nats: what comes with a probability of less than one in twenty is no more surprising than that. Kinds of input are
coarse, and whoever predicts them knows no better."""
LEAST_SPREAD = 1.0
"""Nats: however little a figure varies as a rule, less than this beyond it is no great surprise."""

SURE = 1e-3
"""No confidence is nearer to 0 or 1 than this, so that no outcome is infinitely surprising."""

_ASSUMED = {"kind": LONGEST_SHOT, "question": 1.0, "reply": 0.5, "outcome": math.log(2)}
"""Usual nats until they are known. Nothing is expected at first, so nothing is unexpected either."""


def of_input(seen: Observation, request: Classify, met: Histories) -> Features:
    """Features of what came in. There is no reward: nothing has come of it yet. `met` learns what is usual."""
    return {
        "surprise": _surprise("kind", "this kind of input now", _unexpected(seen), met),
        "novelty": Feature(1 - seen.similarity, f"alike {seen.similarity:.2f} to the nearest known"),
        "arousal": arousal(request.text, seen.repeats, _voice(request, met)),
        "conflict": strongest(
            Feature(seen.contradiction, "contradicts what was said"),
            Feature(seen.swinging, f"goes to and fro, {seen.swinging:.2f} of the last turns"),
        ),
    }


def of_exchange(request: ScoreExchange, heard: Features, met: Histories) -> Features:
    """Features of a finished exchange, but for its outcome: what came in, and what came of it."""
    surprises = [heard.get("surprise", NONE)]
    if request.input_excess is not None:
        key = f"question/{request.nll_level}"
        surprises.append(
            _surprise(key, "a token of the question, beyond what was expected,", request.input_excess, met)
        )
    if request.reply_peak is not None:
        key = f"reply/{request.nll_level}"
        surprises.append(_surprise(key, "the least likely word of the reply", request.reply_peak, met))
    else:
        doubt = -math.log(_probable(request.confidence))
        surprises.append(_surprise("reply", f"a reply of confidence {request.confidence:.2f}", doubt, met))
    return {
        "surprise": strongest(*surprises),
        "novelty": heard.get("novelty", NONE),
        "arousal": together(
            heard.get("arousal", NONE),
            Feature(1 - 0.5**request.failures, f"levels that gave no answer: {request.failures}"),
            Feature(0.0 if request.complete else 0.5, "the answer was cut"),
        ),
        "conflict": strongest(
            heard.get("conflict", NONE),
            Feature(request.disagreement, f"a level said otherwise, with confidence {request.disagreement:.2f}"),
        ),
    }


def with_outcome(features: Features, confidence: float, value: float, source: str, usual: Usual) -> Features:
    """The same once it is known how the exchange turned out. `usual`: nats that an outcome costs as a rule.

    A confident answer that was wrong surprises most; so does a right one that nobody was sure of. Where merely nobody
    complained, that is a reward, and nothing was proved right or wrong.
    """
    reward = Feature(value, f"{source} {value:.2f}")
    if not judges(source):
        return {**features, "reward": reward}
    missed = outcome_nats(confidence, value)
    surprise = _beyond(f"an outcome of {value:.2f} at confidence {confidence:.2f}", missed, usual)
    wrong = Feature(max(0.0, confidence - value), f"sure by {confidence:.2f}, right by {value:.2f} ({source})")
    return {
        **features,
        "reward": reward,
        "surprise": strongest(features["surprise"], surprise),
        "conflict": strongest(features["conflict"], wrong),
    }


def outcome_nats(confidence: float, value: float) -> float:
    """−ln of the probability that the answer's confidence gave to this outcome."""
    return -math.log(_probable(1 - abs(value - confidence)))


def usual_outcome(nats: float, met: Histories) -> Usual:
    """What an outcome cost as a rule, before this one."""
    return met.met("nats/outcome", nats, _ASSUMED["outcome"])


def _unexpected(seen: Observation) -> float:
    """−ln of the probability that such an input comes now; one like a recent one was to be expected."""
    return min(LONGEST_SHOT, -math.log(max(seen.expected, seen.echo**2, math.exp(-LONGEST_SHOT))))


def _surprise(key: str, what: str, nats: float, met: Histories) -> Feature:
    return _beyond(what, nats, met.met(f"nats/{key}", nats, _ASSUMED[key.partition("/")[0]]))


def _beyond(what: str, nats: float, usual: Usual) -> Feature:
    excess = max(0.0, nats - usual.middle) / max(LEAST_SPREAD, usual.spread)
    return Feature(1 - math.exp(-excess), f"{what} cost {nats:.2f} nats, usually {usual.middle:.2f}")


def _voice(request: Classify, met: Histories) -> Voice:
    return Voice(
        loudness=request.loudness,
        usual_loudness=USUAL_LOUDNESS
        if request.loudness is None
        else met.met("loudness", request.loudness, USUAL_LOUDNESS).middle,
        rate=request.rate,
        usual_rate=USUAL_RATE if request.rate is None else met.met("rate", request.rate, USUAL_RATE).middle,
    )


def _probable(share: float) -> float:
    return min(1 - SURE, max(SURE, share))
