"""What answers the questions of a drifting day: the reality cache, and what it is compared with.

Each is asked `answer(statement)`, hears `report(mover, place)`, and looks up the truth where it has to, which is what a
cache is there to save. Every look-up finds the truth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nodes.dialogue.reality.assumption import Assumption, Evidence, Level
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.drifting import Day
from nodes.dialogue.reality.outcomes import Became, Found


class Contender(Protocol):
    def answer(self, statement: str, now_s: float) -> tuple[str, bool]:
        """(what it says, whether without a look-up)."""

    def report(self, mover: str, place: str, now_s: float) -> None: ...


class NoCache:
    def __init__(self, day: Day) -> None:
        self._day = day

    def answer(self, statement: str, now_s: float) -> tuple[str, bool]:
        return self._day.truth(statement), False

    def report(self, mover: str, place: str, now_s: float) -> None:
        """It has nothing to correct."""


class Expiring:
    """A cache whose entries live so many seconds."""

    def __init__(self, day: Day, lives_s: float) -> None:
        self._day = day
        self._lives_s = lives_s
        self._kept: dict[str, tuple[str, float]] = {}

    def answer(self, statement: str, now_s: float) -> tuple[str, bool]:
        value, since = self._kept.get(statement, ("", -self._lives_s))
        if now_s - since < self._lives_s:
            return value, True
        value = self._day.truth(statement)
        self._kept[statement] = (value, now_s)
        return value, False

    def report(self, mover: str, place: str, now_s: float) -> None:
        """It knows of no reports: time alone tells it what to trust."""


class Invalidated:
    """A cache that forgets what a report contradicts, at once, and knows of no edges."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self._kept: dict[str, str] = {}

    def answer(self, statement: str, now_s: float) -> tuple[str, bool]:
        if statement in self._kept:
            return self._kept[statement], True
        self._kept[statement] = self._day.truth(statement)
        return self._kept[statement], False

    def report(self, mover: str, place: str, now_s: float) -> None:
        if self._kept.get(mover, place) != place:
            del self._kept[mover]


@dataclass
class Timings:
    """Seconds, by what was done."""

    check: list[float]
    confirm: list[float]
    rebuild: list[float]


class Assuming:
    """The reality cache itself, with a database on the disk."""

    def __init__(self, day: Day, reality: Reality, *, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._day = day
        self._reality = reality
        self._seconds = seconds
        self.timings = Timings([], [], [])
        self.lookups = 0

    def answer(self, statement: str, now_s: float) -> tuple[str, bool]:
        began = self._seconds()
        checked = self._reality.check(statement, _ns(now_s))
        self.timings.check.append(self._seconds() - began)
        if checked.found is Found.HOLDS and checked.assumption is not None:
            return str(checked.assumption.value), True
        self._look_up(statement, now_s)
        return self._day.truth(statement), False

    def report(self, mover: str, place: str, now_s: float) -> None:
        if self._reality.shelf.row(mover) is None:
            return
        reliability = 1.0 - self._day.world.wrong
        began = self._seconds()
        observed = self._reality.observe(
            mover, Evidence(value=place, reliability=reliability, by="a reader"), _ns(now_s)
        )
        took = self._seconds() - began
        (self.timings.rebuild if observed.followed else self.timings.confirm).append(took)

    def _look_up(self, statement: str, now_s: float) -> None:
        """Find out how it is, what it rests on first."""
        self.lookups += 1
        supports = self._day.rests_on(statement)
        for support in supports:
            if self._reality.check(support, _ns(now_s)).found is not Found.HOLDS:
                self._look_up(support, now_s)
        unreported = self._day.rates.get(statement, 0.0) * (1 - self._day.world.noticed)
        value = self._day.truth(statement)
        given = Assumption(
            key=statement,
            level=Level.ENVIRONMENT,
            statement=f"{statement}: {value}",
            value=value,
            confidence=1.0,
            rests_on=supports,
            drift=unreported,
        )
        began = self._seconds()
        held = self._reality.hold(given, _ns(now_s))
        if held.became is Became.REBUILT:
            self.timings.rebuild.append(self._seconds() - began)


def _ns(now_s: float) -> int:
    return round(now_s * 1e9)
