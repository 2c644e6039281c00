"""Search of the whole state machine: what no example can show is shown of every case.

One representative of each region of the inputs (`nodes.metabolic_controller.regions`) stands for all that lie in it, so
the search is exact, not a sample.

By day and by night other thresholds hold, so each is searched for itself; a whole that lives may pass from one to the
other at any moment.

Two worlds are searched of each. In the *free* world every combination of inputs may follow any other: there it is asked
whether crises get through, whether a sleeper is roused, and whether constant inputs come to rest. In the *living* world
ATP moves only as the rates of the state and spending allow, quiet only grows until somebody stirs, and somebody who
stirs is not quiet: there it is asked what can be reached, and from where it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product

import msgspec

from nodes.metabolic_controller import energy
from nodes.metabolic_controller.config import LOUD, MetabolismConfig, misordered
from nodes.metabolic_controller.machine import ASLEEP, Inputs, step
from nodes.metabolic_controller.regions import grid, hours, others
from protocol.messages.metabolism import Metabolic

STATES = tuple(Metabolic)
LONGEST = 4
"""Transitions that constant inputs may cause at most: crisis, wake, rest, dream, and no return."""

PATIENCE_S = 48 * 3600.0
"""How long regaining all energy may take."""

TICK_S = 5.0

_AWAKE_AND_ASLEEP = frozenset(STATES) - {Metabolic.CRISIS}


class Violation(msgspec.Struct, frozen=True):
    rule: str
    """`unreachable`, `trap`, `deaf`, `restless`, `crisis-missed`, `crisis-endless` or `exhausted`."""
    message: str
    cases: int = 1
    """How many cases violate it; the message tells the first."""


class Exploration(msgspec.Struct, frozen=True, kw_only=True):
    inputs: int
    """Distinct inputs, one for each region."""
    steps: int
    """(state, elapsed, inputs) decided."""
    configurations: int
    """(state, elapsed, ATP, quiet) of the living world that were reached."""
    transitions: frozenset[tuple[Metabolic, Metabolic]]
    """(from, to), by day or by night."""
    longest: int
    """Most transitions that constant inputs cause."""
    violations: tuple[Violation, ...]


class Place(msgspec.Struct, frozen=True):
    """Where the machine stands: its state, and whether that has lasted its dwell time."""

    state: Metabolic
    settled: bool


class Spot(msgspec.Struct, frozen=True):
    """A configuration of the living world. `atp` and `quiet` are indices into the grid's values."""

    place: Place
    atp: int
    quiet: int


PLACES = tuple(Place(state, settled) for state in STATES for settled in (False, True))
Transition = tuple[Metabolic, Metabolic]
Decide = Callable[[Metabolic, Inputs, float, MetabolismConfig], Metabolic]


def explore(config: MetabolismConfig, decide: Decide | None = None) -> Exploration:
    """Search the machine that `config` makes. `decide` replaces the machine's step, to try a defective one."""
    decide = decide or _shipped
    searches = [_Search(config, decide, hour) for hour in hours(config)]
    violations: list[Violation | None] = []
    for search in searches:
        violations += [search.deaf(), search.crisis_missed(), search.crisis_endless(), search.restless()]
    reached = _reached(searches)
    for search, spots in zip(searches, reached, strict=True):
        violations += search.living(spots)
    violations.append(exhausted(config, decide))
    inputs = sum(len(search.inputs) for search in searches)
    return Exploration(
        inputs=inputs,
        steps=inputs * len(PLACES),
        configurations=sum(len(spots) for spots in reached),
        transitions=frozenset[Transition]().union(*(search.transitions for search in searches)),
        longest=max(search.longest for search in searches),
        violations=tuple(violation for violation in violations if violation is not None),
    )


def faults(config: MetabolismConfig) -> list[str]:
    """All that is wrong with a configuration, rule by rule; empty for one that may be run."""
    local = misordered(config)
    return local or [f"{violation.rule}: {violation.message}" for violation in explore(config).violations]


class _Search:
    """The machine's whole table of decisions by day or by night, and the questions asked of it."""

    def __init__(self, config: MetabolismConfig, decide: Decide, hour: float) -> None:
        self.config = config
        self.decide = decide
        self.grid = grid(config, hour)
        self.others = tuple(others(self.grid))
        self.inputs = tuple(
            msgspec.structs.replace(other, atp=atp, quiet_s=quiet)
            for atp, quiet, other in product(self.grid.atp, self.grid.quiet, self.others)
        )
        self.table = {place: [self._decided(place, inputs) for inputs in self.inputs] for place in PLACES}
        self.transitions = frozenset(
            (place.state, after) for place, row in self.table.items() for after in set(row) if after is not place.state
        )
        self.longest = 0
        self.start = Spot(Place(Metabolic.WAKE, False), self._full(), 0)
        self.edges = self._edges(range(len(self.others)))

    def _decided(self, place: Place, inputs: Inputs) -> Metabolic:
        elapsed = self.config.dwell(place.state) if place.settled else 0.0
        return self.decide(place.state, inputs, elapsed, self.config)

    # The free world

    def cases(self) -> Iterator[tuple[Place, Inputs, Metabolic]]:
        for place, row in self.table.items():
            for inputs, after in zip(self.inputs, row, strict=True):
                yield place, inputs, after

    def deaf(self) -> Violation | None:
        return _first(
            "deaf",
            (
                f"{_told(place, inputs)} leads to {after}, though somebody is there"
                for place, inputs, after in self.cases()
                if after in ASLEEP and (inputs.stirring or (place.state in ASLEEP and inputs.salience >= LOUD))
            ),
        )

    def crisis_missed(self) -> Violation | None:
        return _first(
            "crisis-missed",
            (
                f"{_told(place, inputs)} leads to {after}"
                for place, inputs, after in self.cases()
                if after is not Metabolic.CRISIS
                and place.state is not Metabolic.CRISIS
                and (inputs.errors >= self.config.crisis.enter_errors or inputs.request is Metabolic.CRISIS)
            ),
        )

    def crisis_endless(self) -> Violation | None:
        return _first(
            "crisis-endless",
            (
                f"{_told(place, inputs)} stays, though its cause has ended"
                for place, inputs, after in self.cases()
                if place == Place(Metabolic.CRISIS, True)
                and after is Metabolic.CRISIS
                and inputs.errors < self.config.crisis.leave_errors
                and inputs.request is not Metabolic.CRISIS
            ),
        )

    def restless(self) -> Violation | None:
        """Constant inputs end in one state, after at most `LONGEST` transitions."""
        return _first("restless", self._restless_cases())

    def _restless_cases(self) -> Iterator[str]:
        for number, inputs in enumerate(self.inputs):
            for place in PLACES:
                path = self._path(place, number)
                self.longest = max(self.longest, len(path) - 1)
                if len(path) - 1 > LONGEST:
                    yield f"{_told(place, inputs)}, held constant, leads through {' → '.join(path)} …"

    def _path(self, place: Place, number: int) -> list[Metabolic]:
        """States that follow while inputs `number` stay, cut off once it is longer than allowed."""
        path = [place.state]
        while len(path) <= LONGEST + 1:
            after = self.table[place][number]
            if after is not place.state:
                path.append(after)
                place = Place(after, False)
            elif not place.settled:
                place = Place(after, True)
            else:
                break
        return path

    # The living world

    def living(self, spots: set[Spot]) -> Iterator[Violation]:
        """What is never reached, with an operator and failures, and without either; and what of `spots` is a trap."""
        natural = [i for i, other in enumerate(self.others) if other.request is None and other.errors == 0]
        by_nature = self._edges(natural)
        reached = {spot.place.state for spot in _closure([self.start], self.edges)}
        reached_by_nature = {spot.place.state for spot in _closure([self.start], by_nature)}
        for state in STATES:
            if state not in reached:
                yield Violation("unreachable", f"{state} is never reached from a full {Metabolic.WAKE}{self._when}")
            elif state in _AWAKE_AND_ASLEEP and state not in reached_by_nature:
                yield Violation("unreachable", f"{state} is never reached without an operator or a crisis{self._when}")
            elif state in _AWAKE_AND_ASLEEP:
                yield from self._trapped(state, spots, by_nature)

    def dusk(self, spot: Spot, other: _Search) -> Iterator[Spot]:
        """Where the whole may stand in another search's world when day and night change."""
        known = (*self.grid.quiet, float("inf"))
        low, high = known[spot.quiet], known[spot.quiet + 1]
        bounds = (*other.grid.quiet, float("inf"))
        for quiet in other._quiets():
            if bounds[quiet] < high and low < bounds[quiet + 1]:
                yield Spot(spot.place, spot.atp, quiet)

    def _trapped(self, target: Metabolic, spots: set[Spot], edges: dict[Spot, set[Spot]]) -> Iterator[Violation]:
        """Spots from which `target` cannot be reached again."""
        backwards: dict[Spot, set[Spot]] = {}
        for spot, followers in edges.items():
            for follower in followers:
                backwards.setdefault(follower, set()).add(spot)
        free = _closure([spot for spot in edges if spot.place.state is target], backwards)
        caught = (f"{target} cannot be reached from {self._at(spot)}" for spot in spots if spot not in free)
        if violation := _first("trap", caught):
            yield violation

    def _edges(self, others: Iterable[int]) -> dict[Spot, set[Spot]]:
        """Where each configuration may go when the world does any of `others`."""
        chosen = tuple(others)
        calm = tuple(other for other in chosen if not self.others[other].stirring)
        spots = [
            Spot(place, atp, quiet) for place in PLACES for atp in range(self._full() + 1) for quiet in self._quiets()
        ]
        return {spot: self._followers(spot, calm if spot.quiet else chosen) for spot in spots}

    def _followers(self, spot: Spot, others: tuple[int, ...]) -> set[Spot]:
        row = self.table[spot.place]
        first = (spot.atp * len(self.grid.quiet) + spot.quiet) * len(self.others)
        places = {
            Place(after, False) if after is not spot.place.state else Place(after, settled)
            for after in {row[first + other] for other in others}
            for settled in (spot.place.settled, True)
        }
        quiets = {0, spot.quiet, min(spot.quiet + 1, len(self.grid.quiet) - 1)}
        return {Spot(*after) for after in product(places, self._atp_after(spot), quiets)}

    def _atp_after(self, spot: Spot) -> set[int]:
        """Regions of ATP that may follow: as the rates of the state lead, and down where it also spends."""
        net = self.config.energy.rates[spot.place.state].net
        after = {spot.atp}
        if net > 0:
            after.add(min(spot.atp + 1, self._full()))
        if net < 0 or spot.place.state is not Metabolic.REST:
            after.add(max(spot.atp - 1, 0))
        return after

    def _full(self) -> int:
        """The region of ATP in which a full account lies."""
        return max(i for i, atp in enumerate(self.grid.atp) if atp <= self.config.energy.capacity)

    def _quiets(self) -> range:
        return range(len(self.grid.quiet))

    def _at(self, spot: Spot) -> str:
        settled = "settled" if spot.place.settled else "just begun"
        return (
            f"{spot.place.state} ({settled}) at {self.grid.atp[spot.atp]:g} ATP "
            f"after {self.grid.quiet[spot.quiet]:g} s of quiet{self._when}"
        )

    @property
    def _when(self) -> str:
        return " by night" if self.config.night.holds(self.grid.hour) else ""


def _reached(searches: list[_Search]) -> list[set[Spot]]:
    """Spots of each search that a life which begins in any of them may come to, through day and night."""
    reached: list[set[Spot]] = [set() for _ in searches]
    open_ = [(number, search.start) for number, search in enumerate(searches)]
    while open_:
        number, spot = open_.pop()
        if spot in reached[number]:
            continue
        reached[number].add(spot)
        open_ += [(number, after) for after in searches[number].edges[spot]]
        for other, search in enumerate(searches):
            if other != number:
                open_ += [(other, after) for after in searches[number].dusk(spot, search)]
    return reached


def exhausted(config: MetabolismConfig, decide: Decide) -> Violation | None:
    """Left alone at the deepest overdraft, every state must lead back to a full account."""
    empty = energy.holding(-config.energy.overdraft)
    return _first(
        "exhausted",
        (
            f"left alone in {state} with {-config.energy.overdraft:g} ATP, {hour:g} o'clock, the account is never full"
            for state in STATES
            for hour in hours(config)
            if not _recovers(state, empty, hour, config, decide)
        ),
    )


def _recovers(state: Metabolic, account: energy.Account, hour: float, config: MetabolismConfig, decide: Decide) -> bool:
    now_s, since_s = 0.0, 0.0
    while now_s < PATIENCE_S:
        now_s += TICK_S
        account = energy.elapse(account, state, now_s, config.energy)
        if account.atp >= config.energy.capacity:
            return True
        after = decide(state, Inputs(atp=account.atp, quiet_s=now_s, hour=hour), now_s - since_s, config)
        if after is not state:
            state, since_s = after, now_s
    return False


def _closure(starts: Iterable[Spot], edges: dict[Spot, set[Spot]]) -> set[Spot]:
    """All that can be reached from `starts`, themselves among it."""
    reached, open_ = set(starts), list(starts)
    while open_:
        fresh = edges.get(open_.pop(), set()) - reached
        reached |= fresh
        open_.extend(fresh)
    return reached


def _first(rule: str, cases: Iterable[str]) -> Violation | None:
    """The first of `cases` and how many there are; None where there is none."""
    message, count = "", 0
    for count, case in enumerate(cases, 1):  # noqa: B007 - the count is used after the loop
        message = message or case
    return Violation(rule, message, count) if count else None


def _shipped(state: Metabolic, inputs: Inputs, elapsed_s: float, config: MetabolismConfig) -> Metabolic:
    return step(state, inputs, elapsed_s, config).state


def _told(place: Place, inputs: Inputs) -> str:
    parts = [
        f"{place.state} ({'settled' if place.settled else 'just begun'}) at {inputs.atp:g} ATP",
        f"salience {inputs.salience:g}",
        f"quiet {inputs.quiet_s:g} s",
        f"{inputs.errors} errors",
        f"{inputs.lessons} lessons",
        f"{inputs.hour:g} o'clock",
    ]
    parts += [f"strain {inputs.strain.name.lower()}"] if inputs.strain else []
    parts += [f"{inputs.waiting} waiting"] if inputs.waiting else []
    parts += ["speech"] if inputs.speech else []
    parts += [f"asked for {inputs.request}"] if inputs.request else []
    return ", ".join(parts)
