"""Statistics of answers to the same questions, before and after. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from statistics import NormalDist

_HALVINGS = 60
DRAWS = 1000
"""Bootstrap samples: the bounds of a 95% interval then move by about a tenth of its width from seed to seed."""


def mcnemar(gained: int, lost: int) -> float:
    """P(`gained` or more of the changed questions got better, if better and worse were equally likely); 1 for none.

    The exact one-sided test of McNemar (1947).
    """
    changed = gained + lost
    return sum(math.comb(changed, count) for count in range(gained, changed + 1)) / (1 << changed)


def most_lost(gained: int, lost: int, questions: int, sure: float) -> float:
    """Upper bound of the share of right answers that was lost, held with the one-sided confidence `sure`; -1..1.

    Tango's score interval for the difference of paired proportions (1998, section 2): unlike Wald's it is right where
    few questions change, and with none of n changed it is z² / (n + z²). 1 for no questions.
    """
    if not questions:
        return 1.0
    z = NormalDist().inv_cdf(sure)
    low, high = (lost - gained) / questions, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if tango(gained, lost, questions, middle) > -z:
            low = middle
        else:
            high = middle
    return high


def tango(gained: int, lost: int, questions: int, loss: float) -> float:
    """Tango's score statistic of `lost` − `gained` under a true loss of that share: standard normal under it."""
    a = 2 * questions
    b = (2 * questions - lost + gained) * loss - lost - gained
    c = -gained * loss * (1 - loss)
    better = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)  # likeliest share of gains, under that loss
    variance = questions * (2 * better + loss * (1 - loss))
    difference = lost - gained - questions * loss
    return difference / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, difference or -1.0)


def fewest(margin: float, sure: float) -> int:
    """Questions below which `most_lost` exceeds the margin even where no answer changed."""
    z2 = NormalDist().inv_cdf(sure) ** 2
    return math.ceil(z2 * (1 - margin) / margin)


def mean_bounds(values: Sequence[float], sure: float) -> tuple[float, float]:
    """One-sided bounds of the mean, each held with confidence `sure`, by the normal approximation."""
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return -math.inf, math.inf
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    reach = NormalDist().inv_cdf(sure) * deviation / math.sqrt(count)
    return mean - reach, mean + reach


def cluster_bounds(clusters: Sequence[tuple[int, int]], share: float = 0.95) -> tuple[float, float]:
    """Two-sided interval of gain per question, from (net gain, questions) of each cluster; clusters are drawn anew.

    The percentile interval of the cluster bootstrap (Davison and Hinkley 1997, section 3.8). It draws by a fixed seed:
    the same answers always give the same interval.
    """
    random = Random(0)
    found = []
    for _ in range(DRAWS):
        drawn = random.choices(clusters, k=len(clusters))
        found.append(sum(net for net, _ in drawn) / sum(questions for _, questions in drawn))
    found.sort()
    outside = (1 - share) / 2
    return found[math.floor(outside * (DRAWS - 1))], found[math.ceil((1 - outside) * (DRAWS - 1))]
