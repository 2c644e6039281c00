"""`measure`: every arm on every day, from the cache or anew."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from experiments.distillation import report
from experiments.distillation.arms import ARMS, SHIPPED, Arm
from experiments.distillation.exam import Marks, counts, examine
from experiments.distillation.lived import lived, righted
from experiments.distillation.measures import Change, change, interval
from experiments.distillation.trial import Found, Trial
from experiments.distillation.world import World, digest, had, interests, lived_day, load, targets, teachable
from experiments.reference import integrity
from experiments.reference.catalogue import released_figures
from experiments.reference.days import even
from experiments.reference.family import SIZES, WEIGHTS
from protocol.errors import ConfigError
from protocol.messages.dream import Keep
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Progress, Session

SEEDS = 5
EVEN_DAY = 1000
"""Seed of the day that is interested in everything alike."""
GAIN, SURELY_GAINED, LOST, WALL_S = 0.15, 0.10, 0.02, 600.0


def measure(session: Session, wanted: Sequence[str], seeds: int | None) -> Outcome:
    """Run the arms named, or all, on so many days. Raises ConfigError for an arm that is not there."""
    world = load()
    if session.quick:
        world = msgspec.structs.replace(world, visits=80.0, taught=100, target_each=40, old_each=10, control_each=10)
    arms = [arm.quick() if session.quick else arm for arm in chosen(wanted)]
    days = range(session.seed, session.seed + (seeds or (1 if session.quick else SEEDS)))
    named = digest(world)
    click.echo(f"world sha256 {named}", err=True)
    bench = Bench(session.progress(len(days) * len(arms)), world)
    found: dict[str, dict[int, tuple[Change, Found]]] = {arm.name: {} for arm in arms}
    # Day by day, so that an experiment that was stopped has whole days to compare.
    for seed in days:
        for arm in arms:
            found[arm.name][seed] = bench.run(arm, seed)
            bench.progress.advance(1, f"{arm.name}, day {seed}")
            shift, trial = found[arm.name][seed]
            session.raw(arm=arm.name, day=seed, skills=shift.skills, **msgspec.to_builtins(_without_marks(trial)))
    if SHIPPED.name in found:
        session.file("skills.svg", report.picture([shift for shift, _ in found[SHIPPED.name].values()]))
    return Outcome(
        figures={"sha256": named, "arms": {name: report.summary(each) for name, each in found.items()}},
        goals=goals(found.get(SHIPPED.name, {})),
        text=report.text(found, {arm.name: arm.what for arm in arms}, world, named),
        packages=("torch", "transformers"),
        environment={"weights": integrity.version(WEIGHTS), "world_sha256": named},
    )


def chosen(wanted: Sequence[str]) -> list[Arm]:
    by_name = {arm.name: arm for arm in ARMS}
    for name in wanted:
        if name not in by_name:
            raise ConfigError(f"there is no arm {name!r}", remedy=f"one of: {', '.join(by_name)}")
    return [by_name[name] for name in wanted] or list(ARMS)


class Bench:
    """Days and exams that arms share."""

    def __init__(self, progress: Progress, world: World) -> None:
        self.progress = progress
        self._world = world
        released = released_figures()["figures"]
        self.among, self.had = teachable(world, released), had(world, released)
        self._kept: dict[int, list[Keep]] = {}

    def run(self, arm: Arm, seed: int) -> tuple[Change, Found]:
        world = self._world
        aims = targets(world, self.among, seed)
        each = world.old_each if arm.name == SHIPPED.name else world.control_each
        trial = Trial(
            world=world,
            arm=arm,
            seed=seed,
            kept=self.offered(arm, seed),
            counts=counts(aims, target=world.target_each, old=each),
        )
        found = trial.run(self._say)
        return change(self.before(aims), found.marks, aims, self.had), found

    def before(self, aims: frozenset[str]) -> Marks:
        asked = counts(aims, target=self._world.target_each, old=self._world.old_each)
        return examine(SIZES[self._world.student].folder, asked, self._world.seed, self._say)

    def offered(self, arm: Arm, seed: int) -> list[Keep]:
        kept = self._lived(EVEN_DAY if arm.day == "even" else seed)
        return kept if arm.answers == "teacher" else [righted(keep, self._world.teacher) for keep in kept]

    def _lived(self, seed: int) -> list[Keep]:
        if seed not in self._kept:
            shares = even() if seed == EVEN_DAY else interests(self._world, self.among, seed)
            self._kept[seed] = lived(self._world, lived_day(self._world, shares, seed), self._say)
        return self._kept[seed]

    def _say(self, what: str) -> None:
        self.progress.advance(0, what)


def goals(shipped: dict[int, tuple[Change, Found]]) -> list[Goal]:
    """What the shipped way is measured by; not met where it was not run."""
    shifts = [shift for shift, _ in shipped.values()]
    mean, low, _ = interval([shift.gain for shift in shifts]) if shifts else (None, None, None)
    lost = max((-shift.worst[1] for shift in shifts), default=None)
    names = ", ".join(sorted({shift.worst[0] for shift in shifts}))
    slowest = max((found.wall_s for _, found in shipped.values()), default=None)
    return [
        at_least("gain", "gain on the day's skills, held-out questions, mean of the days", target=GAIN, measured=mean),
        at_least("surely", "lower end of its 95% interval over the days", target=SURELY_GAINED, measured=low),
        at_most("lost", f"most that any old skill lost on any day ({names})", target=LOST, measured=lost),
        at_most("seconds", "the longest dream, seconds of the wall clock", target=WALL_S, measured=slowest),
    ]


def _without_marks(found: Found) -> Found:
    return msgspec.structs.replace(found, marks={})
