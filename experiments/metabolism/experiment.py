"""`measure`: the same days lived by three rivals, what the figures hang on, and the forerunner's defects looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from experiments.metabolism import report, rivals, variations
from experiments.metabolism.course import Course
from experiments.metabolism.forerunner import Defect, defects
from experiments.metabolism.life import live
from experiments.metabolism.measures import Measured, could_at, measured, together
from experiments.metabolism.rivals import AWAKE, CHANCE, THIS
from experiments.metabolism.world import Stream, World, digest, load, stream
from nodes.metabolic_controller.config import MetabolismConfig, misordered
from protocol.errors import ConfigError
from runtime import config, paths
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Progress, Session
from runtime.bench.statistics import median, spread

DAYS, QUICK_DAYS = 20, 4
"""Of all courses of a rival together."""
VARIED, QUICK_VARIED = 5, 1
"""Courses of a day for each variation."""
DAY = "day"
QUIETS = (0.0, 180.0, 300.0, 600.0, 1200.0)
"""Where idle might have been said to begin, instead of at `idle.quiet`."""

Found = Mapping[str, Sequence[Measured]]
"""Rival → what was measured of it, seed by seed."""


def machine(path: Path | None) -> tuple[Path, MetabolismConfig]:
    """Its file and what stands there; the shipped one without a path. Raises ConfigError."""
    file = path or paths.shipped("configs/metabolism.yaml")
    settings = config.load(file, MetabolismConfig)
    if wrong := misordered(settings):
        raise ConfigError("; ".join(wrong), place=str(file))
    return file, settings


def measure(session: Session, course: str, path: Path | None) -> Outcome:
    world = load()
    file, settings = machine(path)
    if course not in world.days:
        raise ConfigError(f"{course!r} is not one of {', '.join(world.days)}", place="--course")
    days = QUICK_DAYS if session.quick else DAYS
    seeds = range(session.seed, session.seed + max(1, days // len(world.days[course])))
    digests = {
        "world": digest(world),
        "courses": digest(*(stream(world, course, seed) for seed in seeds)),
        "machine": digest(settings),
    }
    click.echo("\n".join(f"{name:8} sha256 {value}" for name, value in digests.items()), err=True)
    session.raw(course=course, seeds=list(seeds), sha256=digests)
    varied = range(session.seed, session.seed + (QUICK_VARIED if session.quick else VARIED))
    changed = [*variations.worlds()]
    mended = [*variations.machines()]
    progress = session.progress(3 * len(seeds) + len(varied) * (2 * len(changed) + len(mended)) + 1)

    found, shown, could = _rivals(session, progress, world, settings, course, seeds)
    table = {name: _pair(session, progress, name, change(world), settings, varied) for name, change in changed}
    others = {one.name: _mended(session, progress, one, world, settings, varied) for one in mended}
    busy = stream(variations.ten_times(world), DAY, session.seed)
    looked = list(defects(world, settings, busy, session.seed))
    progress.advance(1, "the forerunner's defects")

    figures = _figures(found, table, others, looked, digests)
    figures["dreams_by_quiet"] = {f"{quiet:g}s": share for quiet, (_, share) in could.items()}
    picture = _picture(session, world, shown)
    text = report.text(found, could, table, others, looked, digests, str(file), picture)
    return Outcome(
        figures=figures,
        goals=_goals(found),
        text=text,
        environment={f"{name}_sha256": value for name, value in digests.items()},
    )


def _rivals(
    session: Session, progress: Progress, world: World, settings: MetabolismConfig, course: str, seeds: range
) -> tuple[Found, dict[str, tuple[Stream, Course]], dict[float, tuple[float, float | None]]]:
    """What all rivals made of the same courses, and the first course of each to be drawn.

    Third, for each of `QUIETS`: hours that dreams of this machine could get, and the share they got.
    """
    found: dict[str, list[Measured]] = {AWAKE: [], CHANCE: [], THIS: []}
    shown: dict[str, tuple[Stream, Course]] = {}
    sums = {quiet: [0.0, 0.0] for quiet in QUIETS}
    for seed in seeds:
        drawn = stream(world, course, seed)
        lived = {THIS: live(world, drawn, rivals.this_machine(settings, world))}
        often = len(lived[THIS].entered) / drawn.seconds * 3600
        lived[CHANCE] = live(world, drawn, rivals.by_chance(settings, world, transitions=often, seed=seed))
        lived[AWAKE] = live(world, drawn, rivals.always_awake(settings, world))
        for name, measurements in found.items():
            one = lived[name]
            measurements.append(measured(one, world, settings))
            session.raw(seed=seed, rival=name, **report.row(measurements[-1]))
            shown.setdefault(name, (drawn, one))
            progress.advance(1, f"seed {seed}: {name}")
        for quiet, total in sums.items():
            total[:] = map(sum, zip(total, could_at(lived[THIS], world, quiet), strict=True))
    could = {quiet: (all_s / 3600, got_s / all_s if all_s else None) for quiet, (all_s, got_s) in sums.items()}
    return found, shown, could


def _pair(
    session: Session,
    progress: Progress,
    name: str,
    world: World,
    settings: MetabolismConfig,
    seeds: range,
) -> Found:
    """The machine and the one that never sleeps in days of another world."""
    found: dict[str, list[Measured]] = {AWAKE: [], THIS: []}
    for seed in seeds:
        drawn = stream(world, DAY, seed)
        for rival, make in ((AWAKE, rivals.always_awake), (THIS, rivals.this_machine)):
            found[rival].append(measured(live(world, drawn, make(settings, world)), world, settings))
            session.raw(world=name, seed=seed, rival=rival, **report.row(found[rival][-1]))
            progress.advance(1, name)
    return found


def _mended(
    session: Session,
    progress: Progress,
    machine: variations.Mended,
    world: World,
    settings: MetabolismConfig,
    seeds: range,
) -> list[Measured]:
    """Another machine in days of the same world."""
    other = machine.change(settings)
    found = []
    for seed in seeds:
        whole = rivals.this_machine(other, world)
        lived = live(world, stream(world, DAY, seed), whole)
        found.append(measured(lived, world, other))
        session.raw(machine=machine.name, seed=seed, **report.row(found[-1]))
        progress.advance(1, machine.name)
    return found


def saved(found: Found, field: str = "atp") -> list[float]:
    """Seed by seed, the share of the ATP of the one that never sleeps which the machine did not spend."""
    pairs = zip(found[THIS], found[AWAKE], strict=True)
    return [1 - getattr(mine, field) / getattr(other, field) for mine, other in pairs]


def _goals(found: Found) -> list[Goal]:
    this = together(found[THIS])
    return [
        at_least("served", "share of questions served", target=1.0, measured=this.served),
        at_least(
            "saved",
            "ATP saved against always-awake, all that dreams cost counted in; median of the seeds",
            target=0.3,
            measured=round(median(saved(found)), 4),
        ),
        at_least(
            "saved-work",
            "ATP saved for the same service, without what dreams cost (who never sleeps never dreams); median",
            target=0.3,
            measured=round(median(saved(found, "work")), 4),
        ),
        at_least(
            "dreams",
            "share of the idle time that dreams could get, as an outsider defines it, in which one was worked at",
            target=0.9,
            measured=this.dream_share,
        ),
        at_least(
            "dreams-own",
            "the same by the machine's own thresholds",
            target=0.9,
            measured=this.own_dream_share,
        ),
        at_most(
            "flaps", "returns into a state just left, without a cause, in all courses", target=0, measured=this.flaps
        ),
        at_most(
            "roused",
            "first part for whoever finds it asleep, beyond loading the model, at worst (s)",
            target=1.0,
            measured=max(this.roused_s, default=None),
        ),
    ]


def _figures(
    found: Found,
    table: Mapping[str, Found],
    others: Mapping[str, Sequence[Measured]],
    looked: Sequence[Defect],
    digests: Mapping[str, str],
) -> dict[str, Any]:
    return {
        "sha256": dict(digests),
        "seeds": len(found[THIS]),
        "saved": spread(saved(found)),
        "saved_work": spread(saved(found, "work")),
        "rivals": {name: report.summary(together(each)) for name, each in found.items()},
        "sensitivity": {
            name: {"saved": round(median(saved(pair)), 4), "saved_work": round(median(saved(pair, "work")), 4)}
            | report.summary(together(pair[THIS]))
            for name, pair in table.items()
        },
        "machines": {name: report.summary(together(each)) for name, each in others.items()},
        "forerunner": {defect.forerunner: {"here": defect.here, "gone": defect.gone} for defect in looked},
    }


def _picture(session: Session, world: World, shown: Mapping[str, tuple[Stream, Course]]) -> str:
    """Draw the first day of every rival; the name of the file, or why there is none."""
    if session.out is None:
        return ""
    from experiments.metabolism import picture

    try:
        drawn = picture.day(world, shown)
    except ModuleNotFoundError as error:
        return f"Not drawn: {error.name} is missing (pip install 'sage-runtime[plots]')."
    session.file(picture.FILE, drawn)
    return f"![the first course of every rival]({picture.FILE})"
