"""What was met lately, as numbers: how rare a value is among them, and what is usual. Bounded, and smooth at first.

A rank is the share of what was met that lies below a value, ties counting half (mid-rank). Before there is a history an
assumed one stands in, which fades as the true one grows.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

NOTHING = 0.005
"""Values up to here are none at all. They have rank 0, however many like them there are: nothing is below nothing."""

MOST = 128
"""Histories remembered; past it the one not asked for longest is forgotten. Bounds what names of levels may cost."""


HIGH = 0.9
"""Share of the values below what is called high."""


@dataclass(frozen=True)
class Usual:
    middle: float
    """The median, the lower one where there are two."""
    spread: float
    """How far above it the high ones begin."""


class History:
    """The last `limit` values of one thing."""

    def __init__(self, limit: int, values: Iterable[float] = ()) -> None:
        self._order = deque(values, maxlen=limit)
        self._sorted = sorted(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def values(self) -> list[float]:
        """Oldest first."""
        return list(self._order)

    def add(self, value: float) -> None:
        if len(self._order) == self._order.maxlen:
            self._take_out(self._order[0])
        self._order.append(value)
        insort(self._sorted, value)

    def remove(self, value: float) -> None:
        """Take out one such value, if it is still there."""
        if value in self._order:
            self._order.remove(value)
            self._take_out(value)

    def rank(self, value: float, prior: int) -> float:
        """Share of the values below `value` (0..1), as if `prior` more of them lay even over 0..1; 0 for nothing."""
        if value <= NOTHING:
            return 0.0
        below, upto = bisect_left(self._sorted, value), bisect_right(self._sorted, value)
        return ((below + upto) / 2 + prior * min(1.0, value)) / (len(self) + prior)

    def usual(self, assumed: float, prior: int) -> Usual:
        """Of the values and `prior` more that are as `assumed`."""
        middle = self._at(0.5, assumed, prior)
        return Usual(middle, self._at(HIGH, assumed, prior) - middle)

    def _at(self, share: float, assumed: float, prior: int) -> float:
        """The value below which `share` of them lie; the lower one where there are two."""
        place = math.ceil((len(self) + prior) * share) - 1
        first = bisect_left(self._sorted, assumed)
        if place < first:
            return self._sorted[place]
        return assumed if place < first + prior else self._sorted[place - prior]

    def _take_out(self, value: float) -> None:
        del self._sorted[bisect_left(self._sorted, value)]


class Histories:
    """Histories by name."""

    def __init__(self, limit: int, prior: int, saved: dict[str, list[float]] | None = None) -> None:
        self._limit = limit
        self._prior = prior
        self._by_name = OrderedDict((name, History(limit, values)) for name, values in (saved or {}).items())
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._by_name)

    def rank(self, name: str, value: float) -> float:
        return self._of(name).rank(value, self._prior)

    def add(self, name: str, value: float) -> None:
        self._of(name).add(value)

    def remove(self, name: str, value: float) -> None:
        self._of(name).remove(value)

    def met(self, name: str, value: float, assumed: float) -> Usual:
        """What was usual before this value, which from now on counts too."""
        history = self._of(name)
        usual = history.usual(assumed, self._prior)
        history.add(value)
        return usual

    def save(self) -> dict[str, list[float]]:
        return {name: history.values() for name, history in self._by_name.items() if len(history)}

    def _of(self, name: str) -> History:
        history = self._by_name.get(name)
        if history is None:
            history = self._by_name[name] = History(self._limit)
        self._by_name.move_to_end(name)
        while len(self._by_name) > MOST:
            self._by_name.popitem(last=False)
            self.forgotten += 1
        return history
