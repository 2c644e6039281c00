"""Which models are in memory. What a state asks of them is the worker's own rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from experiments.metabolism.world import LevelCost
from nodes.model_worker.residency import Residency, residency
from protocol.messages.metabolism import MetabolicState


class Models:
    """`book` is told of every load: the level's name, and its ATP."""

    def __init__(self, levels: Sequence[LevelCost], book: Callable[[str, float], None]) -> None:
        self._levels = {level.name: level for level in levels}
        self._book = book
        self._ready_s: dict[str, float] = {}
        """Level → from when on its model is in memory."""
        self.loads = 0

    def take_up(self, state: MetabolicState, now_s: float) -> None:
        match residency(state, "unload"):
            case Residency.UNLOADED:
                self._ready_s.clear()
            case Residency.HELD:
                for level in self._levels:
                    self.ready_in(level, now_s)
            case Residency.ON_DEMAND:
                pass

    def ready_in(self, level: str, now_s: float) -> float:
        """Seconds until the level's model is in memory. It is loaded now, if nobody had it loaded."""
        if level not in self._ready_s:
            cost = self._levels[level]
            self._ready_s[level] = now_s + cost.load
            self.loads += 1
            self._book(level, cost.load_atp)
        return max(0.0, self._ready_s[level] - now_s)
