"""`sage bench reality`: one drifting day, answered by the reality cache and by what it is compared with.

*Hit*: a question answered without a look-up, also counting the first time each statement is asked. *Stale*: a hit that
says what is no longer so, in parts of all questions. *Rebuild*: from a report or a look-up that breaks an assumption
until that, and the breaking of all that rests on it, is on the disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nodes.dialogue.reality.assumption import Assumption, Evidence, Level
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.contenders import Assuming, Contender, Expiring, Invalidated, NoCache
from nodes.dialogue.reality.drifting import Day, World
from nodes.dialogue.reality.names import Names
from nodes.dialogue.reality.settings import RealityConfig, load
from nodes.dialogue.reality.shelf import TABLES
from nodes.dialogue.store import Store
from runtime.bench.plot import Axis, lines
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Progress, Session
from runtime.sealing import Sealer

LIVES_S = (60.0, 300.0, 900.0, 3600.0, 14400.0)
"""What an expiring cache is tried with."""
DRIFTS = (0.25, 4.0, 16.0)
"""Factors on all rates of moving, beside 1."""
SEEDS = 2
"""Further ones."""
OTHERWISE: dict[str, dict[str, float]] = {
    "readers wrong 10 % of the time": {"wrong": 0.10},
    "half of the moves noticed": {"noticed": 0.5},
    "reports a minute late": {"delay_s": 60.0},
    "flat questions (Zipf 0.8)": {"zipf": 0.8},
}
WIDE, DEEP = 4000, 500


@dataclass(frozen=True)
class Served:
    """How a contender served a day; rates in parts of all questions."""

    hit_rate: float
    stale_rate: float


def measure(session: Session) -> Outcome:
    world = World()
    others = _others(world, session)
    progress = session.progress(2 * (len(others) + 1) + len(LIVES_S) + 4)
    session.raw(world=msgspec.to_builtins(world), digest=world.digest(), seed=session.seed)
    served, main = _contest(world, session, progress)
    rows = {}
    for name, (other, seed) in others.items():
        progress.advance(2, name)
        rows[name] = _alone(other, seed)
    progress.advance(1, "wide and deep cascades")
    widest, deepest = _widest(), _deepest()
    figures: dict[str, Any] = {
        "world": world.digest(),
        "contenders": {name: vars(one) for name, one in served.items()},
        "expiring_as_fresh": _best(served, lambda one: one.stale_rate < 0.01, lambda one: one.hit_rate),
        "expiring_as_hitting": _best(served, lambda one: one.hit_rate > 0.9, lambda one: -one.stale_rate),
        "look_ups_per_question": main.lookups / world.questions,
        "check_us": _spread(main.timings.check, 1e6),
        "confirm_ms": _spread(main.timings.confirm, 1e3),
        "rebuild_ms": _spread(main.timings.rebuild, 1e3),
        "rebuilds": len(main.timings.rebuild),
        "cascade_of_4000_ms": 1e3 * widest,
        "chain_of_500_ms": 1e3 * deepest,
        "sensitivity": {name: vars(one) for name, one in rows.items()},
    }
    session.file("reality.svg", _plot(served, rows))
    return Outcome(figures=figures, goals=_goals(served["reality cache"], main), text=_text(world, served, rows))


def serve(day: Day, contender: Contender, session: Session | None = None, name: str = "") -> Served:
    """Let one contender live through the day."""
    hits = stale = asked = 0
    for event in day.events:
        match event.kind:
            case "move":
                day.places[event.about] = event.place
            case "report":
                contender.report(event.about, event.place, event.at_s)
            case _:
                said, hit = contender.answer(event.about, event.at_s)
                wrong = said != day.truth(event.about)
                asked, hits, stale = asked + 1, hits + hit, stale + wrong
                if session is not None:
                    session.raw(contender=name, at_s=event.at_s, asked=event.about, hit=hit, stale=wrong)
    return Served(hits / asked, stale / asked)


def _contest(world: World, session: Session, progress: Progress) -> tuple[dict[str, Served], Assuming]:
    served = {}
    progress.advance(0, "no cache")
    day = Day(world, session.seed)
    served["no cache"] = serve(day, NoCache(day))
    for lives_s in LIVES_S:
        progress.advance(1, f"expiring after {lives_s:.0f} s")
        day = Day(world, session.seed)
        served[f"expiring, {lives_s:.0f} s"] = serve(day, Expiring(day, lives_s))
    progress.advance(1, "reports without edges")
    day = Day(world, session.seed)
    served["reports, no edges"] = serve(day, Invalidated(day))
    progress.advance(1, "reality cache")
    with _on_disk() as reality:
        day = Day(world, session.seed)
        main = Assuming(day, reality)
        served["reality cache"] = serve(day, main, session, "reality cache")
    return served, main


def _others(world: World, session: Session) -> dict[str, tuple[World, int]]:
    """Name → another world or another seed, in which the reality cache is tried alone."""
    changes = {f"drift x{factor:g}": {"drift": factor} for factor in DRIFTS} | OTHERWISE
    if session.quick:
        changes = {"drift x4": changes["drift x4"]}
    found = {name: (msgspec.structs.replace(world, **change), session.seed) for name, change in changes.items()}
    further = () if session.quick else range(session.seed + 1, session.seed + 1 + SEEDS)
    return found | {f"seed {seed}": (world, seed) for seed in further}


def _alone(world: World, seed: int) -> Served:
    with _on_disk() as reality:
        day = Day(world, seed)
        return serve(day, Assuming(day, reality))


def _widest() -> float:
    """Seconds for breaking one assumption on which nearly all that may be kept rests."""
    with _on_disk() as reality:
        with reality.transaction():
            reality.hold(_plain("root"), 0)
            for number in range(WIDE):
                reality.hold(_plain(f"leaf {number}", "root"), 0)
        return _broken_in(reality, "root", WIDE)


def _deepest() -> float:
    """The same for a chain in which each rests on the one before."""
    with _on_disk() as reality:
        with reality.transaction():
            reality.hold(_plain("link 0"), 0)
            for number in range(1, DEEP + 1):
                reality.hold(_plain(f"link {number}", f"link {number - 1}"), 0)
        return _broken_in(reality, "link 0", DEEP)


def _broken_in(reality: Reality, key: str, expected: int) -> float:
    import time

    began = time.perf_counter()
    observed = reality.observe(key, Evidence(distance=1.0), 0)
    took = time.perf_counter() - began
    assert len(observed.followed) == expected
    return took


def _plain(key: str, *rests_on: str) -> Assumption:
    return Assumption(key=key, level=Level.ENVIRONMENT, statement=key, value="so", confidence=1.0, rests_on=rests_on)


@contextmanager
def _on_disk(config: RealityConfig | None = None) -> Iterator[Reality]:
    """A cache as dialogue has one, sealed, in a directory of its own."""
    secret = bytes(32)
    with tempfile.TemporaryDirectory(prefix="sage-reality-") as folder:
        store = Store.open(Path(folder) / "reality.sqlite", Sealer(secret, "reality"), TABLES)
        try:
            yield Reality(store, config or load(), Names(secret))
        finally:
            store.close()


def _goals(cache: Served, main: Assuming) -> list[Goal]:
    rebuild = _spread(main.timings.rebuild, 1e3)
    return [
        at_least("hits", "questions answered without a look-up", target=0.90, measured=round(cache.hit_rate, 4)),
        at_most(
            "stale", "questions answered with what is no longer so", target=0.01, measured=round(cache.stale_rate, 4)
        ),
        at_most("rebuild", "rebuild, p99, in ms, SQLite on the disk", target=100, measured=rebuild.get("p99")),
    ]


def _best(served: dict[str, Served], fits: Any, by: Any) -> dict[str, Any]:
    """The best of the expiring caches that fit."""
    fitting = {name: one for name, one in served.items() if name.startswith("expiring") and fits(one)}
    if not fitting:
        return {"name": "none"}
    name = max(fitting, key=lambda each: by(fitting[each]))
    return {"name": name, **vars(fitting[name])}


def _spread(values: Sequence[float], factor: float) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    at = {"p50": 0.5, "p99": 0.99, "most": 1.0}
    return {name: factor * ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in at.items()}


def _text(world: World, served: dict[str, Served], rows: dict[str, Served]) -> str:
    head = (
        f"World {world.digest()[:16]}: {world.things} things in {world.boxes} boxes in {world.rooms} rooms, "
        f"{world.questions} questions in {world.seconds / 3600:.0f} hours. Fixed before the run."
    )
    table = ["| | hits | stale |", "|---|---|---|"]
    contest = [f"| {name} | {one.hit_rate:.1%} | {one.stale_rate:.2%} |" for name, one in served.items()]
    changed = [f"| reality cache, {name} | {one.hit_rate:.1%} | {one.stale_rate:.2%} |" for name, one in rows.items()]
    return "\n".join([head, "", *table, *contest, *changed])


def _plot(served: dict[str, Served], rows: dict[str, Served]) -> bytes:
    """Hits against stale answers: the expiring caches as a curve, the reality cache by drift."""
    expiring = [(100 * one.stale_rate, 100 * one.hit_rate) for name, one in served.items() if name.startswith("expi")]
    drifting = [(100 * one.stale_rate, 100 * one.hit_rate) for name, one in rows.items() if name.startswith("drift")]
    here = served["reality cache"]
    drifting.append((100 * here.stale_rate, 100 * here.hit_rate))
    return lines(
        "Hits against stale answers",
        {"expiring": sorted(expiring), "reality cache, drift x1/4 to x16": sorted(drifting)},
        Axis("stale, % of questions"),
        Axis("hits, %"),
    )
