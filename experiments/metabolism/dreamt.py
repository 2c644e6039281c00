"""`--dreams`: a day of real questions, and what the small level can do the next morning because the machine slept.

The questions are those of a day of `experiments.distillation`, at their hours: what each level answers to them, what
the dialogue makes of it and what it offers to the dreamer was computed with the models. The machine lives through them
as through any other day. Where it finds DREAM, the dreamer itself dreams of what was answered by then
(`experiments.days.nights`), and takes as long in the world as its training process took of a processor. In the morning
the weights in force answer held-out questions, and so do those of the evening before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from experiments.days.nights import Night, Nights
from experiments.distillation import world as teaching
from experiments.distillation.exam import counts, examine
from experiments.distillation.lived import lived
from experiments.distillation.measures import Change, change
from experiments.metabolism import report, rivals
from experiments.metabolism.course import Course
from experiments.metabolism.life import live
from experiments.metabolism.measures import Measured, measured
from experiments.metabolism.rivals import AWAKE, THIS
from experiments.metabolism.world import DAY_S, HOUR_S, Question, Stream, World, load, stream
from experiments.reference.catalogue import released_figures
from experiments.reference.days import Day
from experiments.reference.family import SIZES
from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.settings import Settings
from nodes.metabolic_controller.config import MetabolismConfig
from protocol.messages.dream import Keep
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Session
from runtime.markdown import table

GAIN = 0.15
QUICK_VISITS = 120.0
LOOK_S = 600.0
"""Of the world, between two looks at how much there is to learn."""

Say = Callable[[str], None]


def measure(session: Session, settings: MetabolismConfig) -> Outcome:
    """Live the day of the seed, asleep and always awake, and examine the small level on either side of the night."""
    fixed, world = teaching.load(), without_incident(load())
    if session.quick:
        fixed = msgspec.structs.replace(fixed, visits=QUICK_VISITS, target_each=40, old_each=10)
    progress = session.progress(4)

    def say(what: str) -> None:
        progress.advance(0, what)

    released = released_figures()["figures"]
    among = teaching.teachable(fixed, released)
    aims = teaching.targets(fixed, among, session.seed)
    day = teaching.lived_day(fixed, teaching.interests(fixed, among, session.seed), session.seed)
    kept = lived(fixed, day, say)
    progress.advance(1, "the day's answers")

    drawn = asked(day, kept, world, session.seed)
    offers = {question.ident: keep for question, keep in zip(drawn.questions, kept, strict=True)}
    with TemporaryDirectory(prefix="sage-") as home, closing(Nights(Path(home), dreaming(fixed.student))) as nights:
        sleeper = Sleeper(nights, offers, say)
        mine = live(world, drawn, rivals.this_machine(settings, world), sleeper)
        progress.advance(1, "the day and its night")
        rows = counts(aims, target=fixed.target_each, old=fixed.old_each)
        evening = SIZES[fixed.student].folder
        morning = _morning(sleeper.nights, evening)
        before, after = (examine(folder, rows, fixed.seed, say) for folder in (evening, morning))
    progress.advance(1, "the exam")
    other = live(world, drawn, rivals.always_awake(settings, world))
    progress.advance(1, "the same day, always awake")
    shift = change(before, after, aims, teaching.had(fixed, released))
    courses = {THIS: measured(mine, world, settings), AWAKE: measured(other, world, settings)}
    return Outcome(
        figures={
            "day": day.digest,
            "gain": round(shift.gain, 4),
            "skills": {name: shift.skills[name] for name in sorted(aims)},
            "worst": shift.worst,
            "dreams": [_figures(leg, night) for leg, night in zip(_begun(mine), sleeper.nights, strict=False)],
            "rivals": {name: report.summary(one) for name, one in courses.items()},
        },
        goals=_goals(shift, mine, courses),
        text=_text(shift, mine, sleeper.nights, courses, world, day),
        packages=("torch", "transformers"),
    )


class Sleeper:
    """What the real dreamer would learn from, and how long it takes: a `Source` of dreams."""

    def __init__(self, nights: Nights, kept: Mapping[str, Keep], report: Say) -> None:
        """`kept`: question → what the dialogue offers of it once it is answered."""
        self.nights: list[Night] = []
        self._dreamer = nights
        self._kept = kept
        self._report = report
        self._looked_s = -LOOK_S
        self._backlog = 0

    def answered(self, ident: str, now_s: float) -> None:
        self._dreamer.offer([self._kept[ident]], now_s)

    def backlog(self, now_s: float) -> int:
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s, self._backlog = now_s, self._dreamer.backlog(now_s)
        return self._backlog

    def begin(self, now_s: float) -> float:
        self.nights.append(self._dreamer.dream(f"dream-{len(self.nights)}", now_s, self._report))
        return self.nights[-1].completed.cpu_s

    def finished(self) -> None:
        self._looked_s = -LOOK_S


def asked(day: Day, kept: Sequence[Keep], world: World, seed: int) -> Stream:
    """The day's questions from the hour on at which the course begins; each needs the level that stood by its answer.

    What sounds like speech and asks nothing is the world's own.
    """
    questions = tuple(
        Question(
            ident=f"{moment.session}@{moment.second:.3f}",
            at_s=moment.second - world.begins * HOUR_S,
            conversation=moment.session,
            needs=keep.level,
            salience=keep.snarc.salience,
            luck=0.0,
        )
        for moment, keep in zip(day.moments, kept, strict=True)
    )
    return Stream(seconds=DAY_S, questions=questions, noises=stream(world, "day", seed).noises)


def without_incident(world: World) -> World:
    return msgspec.structs.replace(
        world, incident=msgspec.structs.replace(world.incident, questions=0.0, fails=0.0, fails_alone=0.0)
    )


def dreaming(student: str) -> Settings:
    """The shipped settings; one level learns, from a teacher in its own process, and what passes answers at once."""
    shipped, replace = configuration.load(), msgspec.structs.replace
    return replace(
        shipped,
        students=(student,),
        teach=replace(shipped.teach, by="here"),
        canary=replace(shipped.canary, share=0.0),
    )


def _morning(nights: Sequence[Night], evening: Path) -> Path:
    """What the small level answers with after the nights."""
    adapter = nights[-1].in_force[0] if nights else None
    return Path(adapter.path) if adapter is not None and adapter.digest else evening


def _begun(course: Course) -> list[float]:
    """When each dream was begun that was not in vain; going on with one is not a beginning."""
    begun, unfinished = [], False
    for leg in course.legs:
        if not leg.vain and not unfinished:
            begun.append(leg.began_s)
        unfinished = not leg.vain and not leg.finished
    return begun


def _figures(began_s: float, night: Night) -> dict[str, object]:
    done = night.completed
    return {
        "began_s": round(began_s),
        "cpu_s": round(done.cpu_s, 1),
        "promoted": done.promoted,
        "why": done.why,
        "examples": night.examples,
    }


def _goals(shift: Change, mine: Course, courses: Mapping[str, Measured]) -> list[Goal]:
    finished = sum(leg.finished and not leg.vain for leg in mine.legs)
    return [
        at_least("found", "dreams that the machine found the time for and finished", target=1, measured=finished),
        at_least(
            "gain", "gain on the day's skills the next morning, held-out questions", target=GAIN, measured=shift.gain
        ),
        at_least("served", "share of the day's questions served", target=1.0, measured=courses[THIS].served),
        at_most(
            "atp",
            "ATP, all that dreams cost counted in, as a share of the system without metabolism, which never dreams",
            target=1.0,
            measured=round(courses[THIS].atp / courses[AWAKE].atp, 4),
        ),
    ]


def _text(
    shift: Change,
    mine: Course,
    nights: Sequence[Night],
    courses: Mapping[str, Measured],
    world: World,
    day: Day,
) -> str:
    this, awake = courses[THIS], courses[AWAKE]
    skill, lost = shift.worst
    dreams = [
        f"- begun at {_clock(world, began_s)}, {night.completed.cpu_s:.0f} processor seconds, of "
        f"{night.examples} examples: {'kept' if night.completed.promoted else 'not kept'} ({night.completed.why})"
        for began_s, night in zip(_begun(mine), nights, strict=False)
    ]
    return "\n".join(
        [
            f"A day of {len(day.moments)} questions (sha256 `{day.digest}`), lived from {world.begins:g} o'clock on.",
            "",
            "## What it dreamt",
            "",
            *(dreams or ["Nothing: it found no time, or nothing to learn."]),
            "",
            "## The next morning",
            "",
            *table(
                ("skill of the day", "before", "after"),
                [(name, *(f"{share:.1%}" for share in shift.skills[name])) for name in sorted(shift.targets)],
            ),
            "",
            f"Mean gain {shift.gain:+.1%}. Of old skills {skill} lost most, {lost:+.1%}; their mean {shift.old:+.1%}.",
            "",
            "## What the day cost, in ATP",
            "",
            *table(
                ("", "all", "without dreams", "served", "answered in the median (s)"),
                [
                    (name, f"{one.atp:.0f}", f"{one.work:.0f}", f"{one.served:.1%}", f"{one.first(0.5) or 0:.2f}")
                    for name, one in ((THIS, this), (AWAKE, awake))
                ],
            ),
        ]
    )


def _clock(world: World, at_s: float) -> str:
    hour = world.hour(at_s)
    return f"{int(hour):02}:{int(hour % 1 * 60):02}"
