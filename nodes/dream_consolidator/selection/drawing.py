"""Which of many are taken, so that the chance of each is known exactly. Pure: randomness comes in as numbers.

Strata share the places evenly. Inside one, templates take turns before any of them is taken from twice: diversity
first. Within that P ∝ size. The draw itself is systematic (Madow 1949): one pass along the members, template by
template, with exactly the wanted chances, and from no template more or less than its chances come to, but for one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence


def shares(sizes: Mapping[str, int], places: int) -> dict[str, int]:
    """How many of `places` each stratum of these sizes gets: equal parts, what one cannot fill going to the others."""
    given: dict[str, int] = {}
    left = places
    for position, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: (item[1], item[0]))):
        given[name] = min(size, left // (len(sizes) - position))
        left -= given[name]
    return given


def diverse(templates: Sequence[str], sizes: Sequence[float], places: int) -> list[float]:
    """The chance of each member, in their order: `places` in all, dealt to templates in rounds.

    In every round each template that has members left gets one place; where too few are left for that, chances in
    proportion to the mean size of its members. Inside a template P ∝ size. With one template, or as many as members,
    this is P ∝ size over all.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(templates):
        members[name].append(index)
    names = sorted(members)
    means = {name: math.fsum(sizes[index] for index in members[name]) / len(members[name]) for name in names}
    given = dict.fromkeys(names, 0.0)
    left = min(places, len(sizes))
    while left:
        open_ = [name for name in names if given[name] < len(members[name])]
        dealt = min(left, len(open_))
        # Exactly one each in a full round: what rounding left open would be dealt to once more.
        dealing = [1.0] * dealt if dealt == len(open_) else inclusion([means[name] for name in open_], dealt)
        for name, chance in zip(open_, dealing, strict=True):
            given[name] += chance
        left -= dealt
    chances = [0.0] * len(sizes)
    for name in names:
        inside = inclusion([sizes[index] for index in members[name]], given[name])
        for index, chance in zip(members[name], inside, strict=True):
            chances[index] = chance
    return chances


def inclusion(sizes: Sequence[float], places: float) -> list[float]:
    """min(1, c·size) with the c for which they add up to `places`: the chance of each to be among them."""
    certain: set[int] = set()
    while True:
        open_ = [index for index in range(len(sizes)) if index not in certain]
        total = math.fsum(sizes[index] for index in open_)
        scale = max(0.0, places - len(certain)) / total if total else 0.0
        over = {index for index in open_ if sizes[index] * scale >= 1.0}
        if not over:
            return [1.0 if index in certain else size * scale for index, size in enumerate(sizes)]
        certain |= over


def systematic(chances: Sequence[float], start: float) -> list[int]:
    """Indices drawn so that each is among them with exactly its chance. `start` is uniform in [0, 1)."""
    drawn = []
    reached, next_mark = 0.0, start
    for index, chance in enumerate(chances):
        reached += chance
        # A chance of one always passes a mark; rounding of the sum must not make it miss its own.
        if reached > next_mark + 1e-9 or chance >= 1.0:
            drawn.append(index)
            next_mark += 1.0
    return drawn
