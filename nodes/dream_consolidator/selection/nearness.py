"""Questions that are nearly the same: most pairs of neighbouring words of the shorter one stand in the longer. Pure.

Shingles as by Broder (1997), containment rather than resemblance: a question with a courtesy before it is still the
same. Only questions that share one of the rarest pairs are compared (prefix filtering, Bayardo, Ma and Srikant 2007):
to share most of its pairs two must share one of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from nodes.dream_consolidator.collector.examples import normalised

Shingles = frozenset[tuple[str, ...]]


class Nearness:
    """`question in nearness`: whether it is nearly the same as one of those given. `share` of the pairs, 0..1."""

    def __init__(self, questions: Iterable[str], share: float) -> None:
        self._share = share
        self._sets = list({shingles(question) for question in questions} - {frozenset()})
        self._holding: dict[tuple[str, ...], list[Shingles]] = defaultdict(list)
        """Pair → those that hold it."""
        for each in self._sets:
            for pair in each:
                self._holding[pair].append(each)
        self._marked: dict[tuple[str, ...], list[Shingles]] = defaultdict(list)
        """Pair → those of whose rarest it is one."""
        for each in self._sets:
            for pair in self._rarest(each):
                self._marked[pair].append(each)

    def __contains__(self, question: str) -> bool:
        mine = shingles(question)
        shorter = (other for pair in mine for other in self._marked.get(pair, ()))
        longer = (other for pair in self._rarest(mine) for other in self._holding.get(pair, ()))
        return any(self._near(mine, other) for others in (shorter, longer) for other in others)

    def _near(self, one: Shingles, other: Shingles) -> bool:
        return len(one & other) >= self._share * min(len(one), len(other)) - 1e-9

    def _rarest(self, each: Shingles) -> list[tuple[str, ...]]:
        """Of which at least one is in whatever shares enough with it."""
        enough = math.ceil(self._share * len(each) - 1e-9)
        return sorted(each, key=lambda pair: (len(self._holding.get(pair, ())), pair))[: len(each) - enough + 1]


def shingles(question: str) -> Shingles:
    """Pairs of neighbouring words; of a single word, itself."""
    words = normalised(question).split()
    return frozenset(pairwise(words)) if len(words) > 1 else frozenset((word,) for word in words)
