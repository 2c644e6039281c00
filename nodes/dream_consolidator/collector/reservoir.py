"""Which examples a full store gives up. Pure.

Every example has a lot, uniform in [0, 1) and fixed by what it says. The fullest stratum gives up its lowest lot, and
from then on takes in nothing at or below it: what it holds is always all that ever came with a lot above its floor.
Lots being independent of everything, that is a uniform sample of the different things that came (bottom-k sampling;
Cohen and Kaplan 2007), however strata grew beside each other, and however often something came.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Place(NamedTuple):
    stratum: str
    lot: float
    ident: int


class Reservoir:
    """Places for at most `capacity` examples."""

    def __init__(self, capacity: int, held: Iterable[Place] = (), floors: Mapping[str, float] | None = None) -> None:
        self._capacity = capacity
        self._strata: dict[str, list[tuple[float, int]]] = {}
        self._floors = dict(floors or {})
        self._held = 0
        for place in held:
            self._push(place)

    @property
    def held(self) -> int:
        return self._held

    def admits(self, stratum: str, lot: float) -> bool:
        """Whether the stratum has not given up a higher lot already."""
        return lot > self._floors.get(stratum, -1.0)

    def add(self, place: Place) -> list[Place]:
        """Take an admitted example in; what is to go for it, perhaps itself."""
        self._push(place)
        return self.overflow()

    def overflow(self) -> list[Place]:
        """What is over capacity, given up."""
        given_up = []
        while self._held > self._capacity:
            stratum = max(self._strata, key=lambda name: (len(self._strata[name]), name))
            lot, ident = heapq.heappop(self._strata[stratum])
            self._floors[stratum] = lot
            self._held -= 1
            given_up.append(Place(stratum, lot, ident))
        return given_up

    def _push(self, place: Place) -> None:
        heapq.heappush(self._strata.setdefault(place.stratum, []), (place.lot, place.ident))
        self._held += 1
