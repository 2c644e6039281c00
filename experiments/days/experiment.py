"""`measure`: every arm through the same days, from what is kept or anew."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from experiments.days import report, world
from experiments.days.arms import ARMS, Arm
from experiments.days.course import Course, Lasted
from experiments.days.measures import at_the_end, lowest
from experiments.days.world import World
from experiments.reference import integrity
from experiments.reference.family import WEIGHTS
from experiments.trust import world as trust
from experiments.trust.rivals import LEVELS
from protocol.errors import ConfigError
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Session

BOTH, FAST = "both", "fast"
LOST, SPENT, TAKEN_OVER = -0.02, 0.9, 0.05
"""The last two: without them nothing would have to change for ATP to have fallen and the small level to answer more."""


def measure(session: Session, wanted: Sequence[str], days: int | None) -> Outcome:
    """Live the arms named, or all, through so many days. Raises ConfigError for an arm that is not there."""
    fixed, costs = world.load(), trust.load()
    if session.quick:
        fixed = quick(fixed)
    if days is not None:
        fixed = msgspec.structs.replace(fixed, days=days)
    arms = chosen(wanted)
    named = world.digest(fixed, costs)
    click.echo(f"world sha256 {named}", err=True)
    progress = session.progress(len(arms) * fixed.days)
    every = list(world.days(fixed, session.seed))
    found: dict[str, list[Lasted]] = {arm.name: [] for arm in arms}
    for arm in arms:
        course = Course(arm, fixed, costs, session.seed, lambda what: progress.advance(0, what))
        for at, one in enumerate(course.days(every), start=1):
            found[arm.name].append(one)
            day = one.counted
            progress.advance(1, f"{arm.name}, day {at}: {day.right:.1%} right for {day.atp:.2f} ATP")
            session.raw(arm=arm.name, day=at, **msgspec.to_builtins(day), night=msgspec.to_builtins(one.night))
    return Outcome(
        figures={"sha256": named, "arms": {name: report.summary(lasted) for name, lasted in found.items()}},
        goals=goals(found),
        text=report.text(found, arms, fixed, named) + "\n\n" + _pictures(session, found),
        packages=("torch", "transformers"),
        environment={"weights": integrity.version(WEIGHTS), "world_sha256": named},
    )


def quick(fixed: World) -> World:
    """Two short days with one small dream between them."""
    dream = msgspec.structs.replace(fixed.dream, lessons=80, self_asked=60)
    return msgspec.structs.replace(fixed, days=2, visits=50.0, dream=dream)


def chosen(wanted: Sequence[str]) -> list[Arm]:
    by_name = {arm.name: arm for arm in ARMS}
    for name in wanted:
        if name not in by_name:
            raise ConfigError(f"there is no arm {name!r}", remedy=f"one of: {', '.join(by_name)}")
    return [by_name[name] for name in wanted] or list(ARMS)


def goals(found: dict[str, list[Lasted]]) -> list[Goal]:
    """What both loops together are measured by; not met where they were not run."""
    both = [one.counted for one in found.get(BOTH, ())]
    fast = [one.counted for one in found.get(FAST, ())]
    small = LEVELS[0]
    ended = at_the_end(both, lambda day: day.atp) if both else None
    rose = at_the_end(both, lambda day: day.answered_by[small]) - both[0].answered_by[small] if both else None
    return [
        at_least(
            "kept",
            "accuracy of the worst later day less the first day's, both loops",
            target=LOST,
            measured=_rounded(lowest(both) if both else None),
        ),
        at_most(
            "falls",
            "ATP of an answer in the last quarter of the days, as a share of the first day's",
            target=SPENT,
            measured=_rounded(ended / both[0].atp if ended is not None else None),
        ),
        at_most(
            "dreams",
            "the same as a share of what it is on the same days without dreams",
            target=SPENT,
            measured=_rounded(
                ended / at_the_end(fast, lambda day: day.atp) if ended is not None and len(fast) == len(both) else None
            ),
        ),
        at_least(
            "takes-over",
            f"share of questions that {small} answers in the last quarter, less the first day's",
            target=TAKEN_OVER,
            measured=_rounded(rose),
        ),
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _pictures(session: Session, found: dict[str, list[Lasted]]) -> str:
    """Draw them; their names, or why there are none."""
    if session.out is None:
        return ""
    from experiments.days import picture

    try:
        drawn = {
            "accuracy.svg": picture.accuracy(found),
            "atp.svg": picture.atp(found),
            "levels.svg": picture.levels(found),
        }
    except ModuleNotFoundError as error:
        return f"Not drawn: {error.name} is missing (pip install 'sage-runtime[plots]')."
    for name, data in drawn.items():
        session.file(name, data)
    return "\n\n".join(f"![{name.removesuffix('.svg')}]({name})" for name in drawn)
