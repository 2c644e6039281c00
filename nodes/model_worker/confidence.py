"""How sure a model was of an answer. Pure."""

import math
from collections.abc import Iterable


def confidence(logprobs: Iterable[float]) -> float:
    """How sure the model was of an answer, 0..1, from the log-probabilities of its tokens; 0 for no tokens.

    The geometric mean of two figures: the per-token (length-normalised) probability of the whole, exp(mean log p)
    (Malinin and Gales 2021, section 3), which does not punish length, and the probability of the least sure token,
    exp(min log p) (Manakul et al. 2023, section 4.3), which one wrong word cannot hide from.
    """
    values = list(logprobs)
    if not values:
        return 0.0
    return confidence_of(sum(values) / len(values), min(values))


def confidence_of(mean: float, least: float) -> float:
    """The same, from the mean and the least of the log-probabilities."""
    return math.exp((mean + least) / 2)
