"""A world that drifts, for `sage bench reality`: things in boxes in rooms, moved at known rates, watched by sensors.

Pure: the parameters and a seed make the whole day beforehand (moves, reports, questions), the same for every contender.
Each part draws from a chance of its own, so that worlds that differ in one parameter are alike in all the rest.

    box b is in room r         a reader at every box says so
    thing t is in box b        a reader at every thing says so
    thing t is in room r       rests on where the thing and its box are
    things t and u together    whether they are in one room; rests on both

A move is reported at once with probability `noticed`; beside that every reader says where its thing is every `scan_s`.
A report comes `delay_s` late (mean of an exponential), is lost with probability `lost`, and names another place with
probability `wrong`. Questions come as a Poisson process; which statement is asked follows Zipf's law.
"""

from __future__ import annotations

import hashlib
import math
import random
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import msgspec

HOUR, DAY = 3600.0, 86400.0


class World(msgspec.Struct, frozen=True, kw_only=True):
    rooms: int = 8
    boxes: int = 40
    things: int = 200
    pairs: int = 200
    """Pairs of things of which it is asked whether they are together."""
    thing_moves_s: tuple[float, float] = (2 * HOUR, 14 * DAY)
    """Mean time between two moves of a thing: drawn once for each, log-uniform between these."""
    box_moves_s: tuple[float, float] = (12 * HOUR, 60 * DAY)
    drift: float = 1.0
    """Factor on all rates of moving."""
    noticed: float = 0.9
    scan_s: float = 600.0
    delay_s: float = 5.0
    lost: float = 0.01
    wrong: float = 0.02
    questions: int = 20_000
    zipf: float = 1.1
    seconds: float = DAY

    def digest(self) -> str:
        """SHA-256 over all parameters."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


@dataclass(frozen=True, slots=True)
class Event:
    at_s: float
    kind: str
    """`move`, `report` or `ask`."""
    about: str
    """A mover (`box 3`, `thing 7`), or the statement that is asked."""
    place: str = ""
    """Where it moved to, or is said to be."""


class Day:
    """One run of the world: its movers, what rests on what, and every event in order of time."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self._seed = seed
        rates, places, asked = (self._chance(part) for part in ("rates", "places", "statements"))
        self.rates = {
            **{f"box {n}": world.drift / _log_uniform(rates, world.box_moves_s) for n in range(world.boxes)},
            **{f"thing {n}": world.drift / _log_uniform(rates, world.thing_moves_s) for n in range(world.things)},
        }
        """Mover → moves per second."""
        self.places = {mover: self.somewhere(mover, places) for mover in self.rates}
        """Mover → where it is now; as the day begins, until the events are lived through."""
        self.statements = [*self.rates, *(f"room of thing {n}" for n in range(world.things)), *_pairs(world, asked)]
        asked.shuffle(self.statements)
        events = [*self._moves_and_reports(), *self._questions(self._chance("questions"))]
        self.events = sorted(events, key=lambda event: event.at_s)

    def _chance(self, part: str) -> random.Random:
        return random.Random(f"{self._seed}/{part}")

    def somewhere(self, mover: str, chance: random.Random, other_than: str = "") -> str:
        kind, count = ("room", self.world.rooms) if mover.startswith("box") else ("box", self.world.boxes)
        while (place := f"{kind} {chance.randrange(count)}") == other_than:
            pass
        return place

    def rests_on(self, statement: str) -> tuple[str, ...]:
        """What must be so for it, as the places are now."""
        match statement.split():
            case ["room", "of", "thing", n]:
                return (f"thing {n}", self.places[f"thing {n}"])
            case ["together", n, m]:
                return (f"room of thing {n}", f"room of thing {m}")
            case _:
                return ()

    def truth(self, statement: str) -> str:
        match statement.split():
            case ["room", "of", "thing", n]:
                return self.places[self.places[f"thing {n}"]]
            case ["together", n, m]:
                return "yes" if self.truth(f"room of thing {n}") == self.truth(f"room of thing {m}") else "no"
            case _:
                return self.places[statement]

    def _moves_and_reports(self) -> Iterator[Event]:
        world = self.world
        for mover, rate in self.rates.items():
            chance, reader = self._chance(f"{mover} moves"), self._chance(f"{mover} is read")
            place, at = self.places[mover], 0.0
            stays = [(0.0, place)]
            while (at := at + chance.expovariate(rate)) < world.seconds:
                place = self.somewhere(mover, chance, place)
                stays.append((at, place))
                yield Event(at, "move", mover, place)
                if reader.random() < world.noticed:
                    yield from self._report(mover, at, place, reader)
            scan = reader.uniform(0, world.scan_s)
            while scan < world.seconds:
                here = stays[bisect(stays, scan, key=lambda stay: stay[0]) - 1][1]
                yield from self._report(mover, scan, here, reader)
                scan += world.scan_s

    def _report(self, mover: str, at_s: float, place: str, chance: random.Random) -> Iterator[Event]:
        late, lost, wrong = chance.expovariate(1 / self.world.delay_s), chance.random(), chance.random()
        said = self.somewhere(mover, chance, place) if wrong < self.world.wrong else place
        if lost >= self.world.lost:
            yield Event(at_s + late, "report", mover, said)

    def _questions(self, chance: random.Random) -> Iterator[Event]:
        shares = list(accumulate(1 / rank**self.world.zipf for rank in range(1, len(self.statements) + 1)))
        for _ in range(self.world.questions):
            rank = bisect(shares, chance.uniform(0, shares[-1]))
            yield Event(chance.uniform(0, self.world.seconds), "ask", self.statements[min(rank, len(shares) - 1)])


def _pairs(world: World, chance: random.Random) -> list[str]:
    found: set[str] = set()
    while len(found) < world.pairs:
        one, other = sorted(chance.sample(range(world.things), 2))
        found.add(f"together {one} {other}")
    return sorted(found)


def _log_uniform(chance: random.Random, between: tuple[float, float]) -> float:
    return math.exp(chance.uniform(math.log(between[0]), math.log(between[1])))
