"""A virtual clock: what is to happen, in order."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

Action = Callable[[], None]


class Timeline:
    """Runs actions at their times; those of the same time in the order in which they were planned."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._planned: list[tuple[float, int, Action]] = []
        self._numbers = count()

    def after(self, seconds: float, action: Action) -> None:
        self.at(self.now_s + seconds, action)

    def at(self, at_s: float, action: Action) -> None:
        heapq.heappush(self._planned, (max(at_s, self.now_s), next(self._numbers), action))

    def run(self, until_s: float) -> None:
        while self._planned and self._planned[0][0] <= until_s:
            self.now_s, _, action = heapq.heappop(self._planned)
            action()
        self.now_s = until_s
