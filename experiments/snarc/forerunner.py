"""The forerunner's salience: sigmoids of raw error and spread, which never fall under a half.

Its one line (no code of it is here) leaves open which figure goes into which part. This is the kindest reading: each
gets the raw figure that its name asks for, on the same measurements as ours. A sigmoid keeps the order of what goes in,
so what it ranks well it still ranks well; what it loses is where nothing ends and something begins.
"""

from __future__ import annotations

import math

from experiments.snarc.stream import Measured


def sigmoids(found: Measured) -> dict[str, float]:
    """Each part and the mean of all, as `salience`."""
    request = found.request
    error = 1 - request.confidence if request.score is None else abs(request.score - request.confidence)
    parts = {
        "surprise": _sigmoid(error),
        "novelty": _sigmoid(found.features["novelty"].scale),
        "arousal": _sigmoid(found.spread),
        "reward": _sigmoid(found.scored.outcome or 0.0),
        "conflict": _sigmoid(request.disagreement),
    }
    return {**parts, "salience": sum(parts.values()) / len(parts)}


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))
