"""How sure a measured share is, and how well confidence says it."""

import math
from collections.abc import Sequence

Z95 = 1.959963984540054


def wilson(right: int, count: int, z: float = Z95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927); (0, 1) where nothing was counted."""
    if count == 0:
        return 0.0, 1.0
    share = right / count
    scale = 1 + z * z / count
    middle = (share + z * z / (2 * count)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def discrimination(confidences: Sequence[float], right: Sequence[bool]) -> float | None:
    """The chance that a right answer is more confident than a wrong one (area under the curve).

    None where there are only right ones, or only wrong ones.
    """
    good = [c for c, r in zip(confidences, right, strict=True) if r]
    bad = [c for c, r in zip(confidences, right, strict=True) if not r]
    if not good or not bad:
        return None
    order = sorted({*good, *bad})
    rank = {value: position for position, value in enumerate(order)}
    below = [0] * (len(order) + 1)
    for value in bad:
        below[rank[value] + 1] += 1
    for position in range(len(order)):
        below[position + 1] += below[position]
    ties = {value: below[rank[value] + 1] - below[rank[value]] for value in order}
    return sum(below[rank[value]] + ties[value] / 2 for value in good) / (len(good) * len(bad))
