"""The dreamer: works while the state is DREAM, is put aside when it ends, and goes on where it was.

What a stretch of a dream cost is settled when the stretch ends, and the machine hears of a dream when it is over: so it
is in the node.
"""

from __future__ import annotations

from collections.abc import Callable

from experiments.metabolism.course import Leg
from experiments.metabolism.timeline import Timeline
from experiments.metabolism.world import World


class Dreams:
    """`book` is told what each stretch cost, `over` that a dream ended of itself."""

    def __init__(
        self, world: World, timeline: Timeline, book: Callable[[float], None], over: Callable[[], None]
    ) -> None:
        self._cost = world.dream
        self._worth = world.idle.lessons
        self._timeline = timeline
        self._book = book
        self._over = over
        self._left_s: float | None = None
        """Work that is left of an unfinished dream."""
        self._taken = 0
        """Lessons it teaches."""
        self._began_s: float | None = None
        self.lessons = 0
        """Answers by models that no finished dream has taught."""
        self.legs: list[Leg] = []

    @property
    def dreaming(self) -> bool:
        return self._began_s is not None

    @property
    def to_learn(self) -> bool:
        return self._left_s is not None or self.lessons >= self._worth

    def begin(self) -> None:
        now_s = self._timeline.now_s
        if not self.to_learn:
            self.legs.append(Leg(began_s=now_s, ended_s=now_s, finished=True, vain=True))
            self._timeline.after(0.0, self._over)
            return
        if self._left_s is None:
            self._taken = self.lessons
            self._left_s = self._cost.fixed + self._cost.lesson * self._taken
        else:
            self._left_s += self._cost.resume
        self._began_s = now_s
        leg = len(self.legs)
        self._timeline.after(self._left_s, lambda: self._finish(leg))

    def interrupt(self) -> None:
        """Put it aside, if there is one."""
        if self._began_s is not None and self._left_s is not None:
            self._left_s -= self._timeline.now_s - self._began_s
            self._end(finished=False)

    def _finish(self, leg: int) -> None:
        if self._began_s is None or leg != len(self.legs):
            return  # It was interrupted before.
        self.lessons -= self._taken
        self._left_s = None
        self._end(finished=True)
        self._over()

    def _end(self, *, finished: bool) -> None:
        assert self._began_s is not None
        leg = Leg(began_s=self._began_s, ended_s=self._timeline.now_s, finished=finished)
        self._began_s = None
        self.legs.append(leg)
        self._book(self._cost.atp * leg.seconds / 60)
