"""The dreamer: works while the state is DREAM, is put aside when it ends, and goes on where it was.

What a dream costs is charged while it lasts, and the dreamer says how much there is to learn whenever that changes: so
it is in the node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from experiments.metabolism.course import Leg
from experiments.metabolism.timeline import Timeline
from experiments.metabolism.world import World
from nodes.dream_consolidator.pace import CHARGE_S


class Source(Protocol):
    """What there is to learn from, and how long that takes."""

    def answered(self, ident: str, now_s: float) -> None:
        """A model answered this question."""

    def backlog(self, now_s: float) -> int:
        """Answers that a dream would learn from, 0 where none would begin."""

    def begin(self, now_s: float) -> float:
        """A dream begins; the seconds that it takes if nobody interrupts it."""

    def finished(self) -> None:
        """It has ended."""


class Assumed:
    """As the world says: every answer counts, and so many are enough."""

    def __init__(self, world: World, lessons: int = 0) -> None:
        """`lessons`: answers that wait already."""
        self._cost = world.dream
        self._worth = world.idle.lessons
        self._lessons = lessons
        self._taken = 0

    def answered(self, ident: str, now_s: float) -> None:
        self._lessons += 1

    def backlog(self, now_s: float) -> int:
        return self._lessons if self._lessons >= self._worth else 0

    def begin(self, now_s: float) -> float:
        self._taken = self._lessons
        return self._cost.fixed + self._cost.lesson * self._taken

    def finished(self) -> None:
        self._lessons -= self._taken


class Dreams:
    """`book` is told what was spent, `tell` how many answers there are to learn from, 0 where no dream would begin."""

    def __init__(
        self,
        world: World,
        timeline: Timeline,
        source: Source,
        book: Callable[[float], None],
        tell: Callable[[int], None],
    ) -> None:
        self._cost = world.dream
        self._timeline = timeline
        self._source = source
        self._book = book
        self._tell = tell
        self._booked_s = 0.0
        """Of the stretch that lasts."""
        self._left_s: float | None = None
        """Work that is left of an unfinished dream."""
        self._began_s: float | None = None
        self.legs: list[Leg] = []

    @property
    def dreaming(self) -> bool:
        return self._began_s is not None

    @property
    def to_learn(self) -> bool:
        return self._backlog() > 0

    def learn(self, ident: str) -> None:
        """The answer to this question may be learned from."""
        self._source.answered(ident, self._timeline.now_s)
        self.say()

    def say(self) -> None:
        """Tell how much there is to learn."""
        self._tell(self._backlog())

    def begin(self) -> None:
        now_s = self._timeline.now_s
        if not self.to_learn:
            self.legs.append(Leg(began_s=now_s, ended_s=now_s, finished=True, vain=True))
            return
        if self._left_s is None:
            self._left_s = self._source.begin(now_s)
        else:
            self._left_s += self._cost.resume
        self._began_s, self._booked_s = now_s, 0.0
        leg = len(self.legs)
        self._timeline.after(self._left_s, lambda: self._finish(leg))
        self._timeline.after(CHARGE_S, lambda: self._charge(leg))

    def interrupt(self) -> None:
        """Put it aside, if there is one."""
        if self._began_s is not None and self._left_s is not None:
            self._left_s -= self._timeline.now_s - self._began_s
            self._end(finished=False)

    def _finish(self, leg: int) -> None:
        if self._began_s is None or leg != len(self.legs):
            return  # It was interrupted before.
        self._source.finished()
        self._left_s = None
        self._end(finished=True)
        self.say()

    def _end(self, *, finished: bool) -> None:
        assert self._began_s is not None
        leg = Leg(began_s=self._began_s, ended_s=self._timeline.now_s, finished=finished)
        self._began_s = None
        self._book_until(leg.seconds)
        self.legs.append(leg)

    def _charge(self, leg: int) -> None:
        if self._began_s is not None and leg == len(self.legs):
            self._timeline.after(CHARGE_S, lambda: self._charge(leg))
            self._book_until(self._timeline.now_s - self._began_s)

    def _book_until(self, seconds: float) -> None:
        """Have the stretch paid for up to so many seconds of it."""
        spent_s, self._booked_s = seconds - self._booked_s, seconds
        self._book(self._cost.atp * spent_s / 60)

    def _backlog(self) -> int:
        waiting = self._source.backlog(self._timeline.now_s)
        return waiting if self._left_s is None else max(1, waiting)
