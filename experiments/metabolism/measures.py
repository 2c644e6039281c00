"""What a course amounts to: every figure is defined here.

None is defined by the thresholds of the machine that is judged, but for the one that says so.

    served      share of questions whose turn came and ended within the asker's patience (90 s). An answer that the
                incident made fail had its turn: it is counted apart, as `failed`, since it befalls whoever is awake.
    ATP         all that was spent: base metabolism, loads, answers, dreams. `work` is all of it but the dreams: who
                never sleeps never dreams, so this compares the same service.
    below       answers by a smaller level than the one trusted with the question: the account refused to hold more.
    first part  from the question to the first part of its answer, for all that were answered: rousing, waiting for the
                device and for the model to be loaded included.
    dreams      of the time that dreams could get, the share in which a dream was worked at. They could where nobody had
                stirred for `idle.quiet`, there was something to learn (`idle.lessons` new answers, or an unfinished
                dream), and the account could pay `idle.minutes` of it. Counted at ticks; the machine's own bookkeeping
                of lessons is not asked.
    dreams_own  the same where the machine's own thresholds say that they could: its quiet, its lessons, its ATP.
    flaps       a state left and entered again within `idle.return`, where nobody stirred from `idle.explains` before
                the first of the two transitions until the second. A dream that ended in between is a cause, and is
                counted apart, as `dreamt_and_back`; a dream begun in vain is none.
    incident    of the questions asked while it lasted, the share whose answer failed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from experiments.metabolism.course import Course, Fate, Look
from experiments.metabolism.world import HOUR_S, PATTERN, Idle, World
from nodes.metabolic_controller.config import MetabolismConfig
from protocol.messages.metabolism import Metabolic
from runtime.bench.statistics import percentile


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Of one course, or of several put together."""

    questions: int
    fates: dict[str, int]
    atp: float
    spent: dict[str, float]
    """Purpose → ATP."""
    first_s: tuple[float, ...]
    """Of every answer, ascending."""
    beyond_load_s: tuple[float, ...]
    """The same without what they waited for a model to be loaded."""
    roused_s: tuple[float, ...]
    """And of those that found the whole asleep."""
    below: int
    in_incident: int
    failed_in_incident: int
    states: dict[str, float]
    """State → hours."""
    could_s: float
    """Time that dreams could get."""
    dreamt_of_it_s: float
    could_own_s: float
    dreamt_of_own_s: float
    dreams: dict[str, int]
    """Stretches: finished, interrupted, vain."""
    dreamt_s: float
    hours: float
    transitions: int
    idle_hours: float
    """Of them, without anybody having stirred for `idle.quiet`."""
    idle_transitions: int
    flaps: int
    dreamt_and_back: int
    crises: int
    lowest_atp: float
    loads: int

    @property
    def served(self) -> float:
        lost = self.fates.get(Fate.ASLEEP, 0) + self.fates.get(Fate.LATE, 0)
        return 1 - lost / self.questions if self.questions else 1.0

    @property
    def failed(self) -> float | None:
        """Share of the incident's questions."""
        return self.failed_in_incident / self.in_incident if self.in_incident else None

    @property
    def work(self) -> float:
        """ATP of everything but dreams."""
        return self.atp - self.spent.get("dream", 0.0)

    def first(self, share: float) -> float | None:
        return percentile(self.first_s, share) if self.first_s else None

    @property
    def dream_share(self) -> float | None:
        return self.dreamt_of_it_s / self.could_s if self.could_s else None

    @property
    def own_dream_share(self) -> float | None:
        return self.dreamt_of_own_s / self.could_own_s if self.could_own_s else None


def measured(course: Course, world: World, settings: MetabolismConfig) -> Measured:
    fates = Counter(str(told.fate) for told in course.told)
    answered = [told for told in course.told if told.first_s is not None]
    trouble = [told for told in course.told if world.incident.holds(told.question.at_s)]
    ranks = {PATTERN: 0} | {level.name: rank for rank, level in enumerate(world.levels)}
    flaps, dreamt = returns(course, world.idle)
    idle = [look for look in course.looks if look.quiet_s >= world.idle.quiet]
    could = [look for look in course.looks if _could(look, world, world.idle.quiet)]
    own = [look for look in course.looks if _could_by_itself(look, world, settings)]
    return Measured(
        questions=len(course.told),
        fates=dict(fates),
        atp=sum(course.spent.values()),
        spent=course.spent,
        first_s=tuple(sorted(told.first_s for told in answered if told.first_s is not None)),
        beyond_load_s=tuple(sorted(told.first_s - told.load_s for told in answered if told.first_s is not None)),
        roused_s=tuple(
            sorted(told.first_s - told.load_s for told in answered if told.first_s is not None and told.roused)
        ),
        below=sum(ranks[told.level] < ranks[told.question.needs] for told in answered),
        in_incident=len(trouble),
        failed_in_incident=sum(told.fate is Fate.FAILED for told in trouble),
        states=_hours(course),
        could_s=len(could) * course.tick_s,
        dreamt_of_it_s=_dreamt(could) * course.tick_s,
        could_own_s=len(own) * course.tick_s,
        dreamt_of_own_s=_dreamt(own) * course.tick_s,
        dreams=dict(
            Counter("vain" if leg.vain else "finished" if leg.finished else "interrupted" for leg in course.legs)
        ),
        dreamt_s=sum(leg.seconds for leg in course.legs),
        hours=course.seconds / HOUR_S,
        transitions=len(course.entered),
        idle_hours=len(idle) * course.tick_s / HOUR_S,
        idle_transitions=sum(_quiet_at(course, one.at_s) >= world.idle.quiet for one in course.entered),
        flaps=flaps,
        dreamt_and_back=dreamt,
        crises=sum(one.state is Metabolic.CRISIS for one in course.entered),
        lowest_atp=min(look.atp for look in course.looks),
        loads=course.loads,
    )


def together(found: Iterable[Measured]) -> Measured:
    """Several courses as one: all counts summed, the lowest ATP the lowest."""
    each = list(found)

    values: dict[str, Any] = {}
    for field in Measured.__struct_fields__:
        of_each = [getattr(one, field) for one in each]
        values[field] = min(of_each) if field == "lowest_atp" else _sum(of_each)
    return Measured(**values)


def _sum(values: Sequence[Any]) -> Any:
    """Numbers added up, counts by name added up name by name, samples put together in order."""
    if isinstance(values[0], dict):
        sums: Counter[str] = Counter()
        for one in values:
            sums.update(one)
        return dict(sums)
    if isinstance(values[0], tuple):
        return tuple(sorted(sample for one in values for sample in one))
    return sum(values)


def could_at(course: Course, world: World, quiet_s: float) -> tuple[float, float]:
    """Seconds that dreams could get if idle began after `quiet_s`, and those in which one was worked at."""
    could = [look for look in course.looks if _could(look, world, quiet_s)]
    return len(could) * course.tick_s, _dreamt(could) * course.tick_s


def returns(course: Course, idle: Idle) -> tuple[int, int]:
    """Returns into a state left a short time before, nobody having stirred: without a cause, after a dream."""
    flaps = dreamt = 0
    left_s: dict[Metabolic, float] = {}
    for one in course.entered:
        before_s = left_s.get(one.state)
        left_s[one.left] = one.at_s
        if before_s is None or one.at_s - before_s > idle.return_:
            continue
        if _stirred(course, before_s - idle.explains, one.at_s):
            continue
        if any(leg.finished and not leg.vain and before_s <= leg.ended_s <= one.at_s for leg in course.legs):
            dreamt += 1
        else:
            flaps += 1
    return flaps, dreamt


def _stirred(course: Course, from_s: float, until_s: float) -> bool:
    at = bisect_left(course.stirs, from_s)
    return at < len(course.stirs) and course.stirs[at] <= until_s


def _quiet_at(course: Course, at_s: float) -> float:
    """Since the last stir at or before a time; 0 for a transition at the very time of one."""
    at = bisect_left(course.stirs, at_s)
    if at < len(course.stirs) and course.stirs[at] == at_s:
        return 0.0
    return at_s - (course.stirs[at - 1] if at else 0.0)


def _could(look: Look, world: World, quiet_s: float) -> bool:
    affords = look.atp >= world.idle.minutes * world.dream.atp
    return look.quiet_s >= quiet_s and look.to_learn and (affords or look.dreaming)


def _could_by_itself(look: Look, world: World, settings: MetabolismConfig) -> bool:
    if look.dreaming:
        return True
    quiet = settings.dream_after(world.hour(look.at_s))
    return look.quiet_s >= quiet and look.lessons >= settings.dream.lessons and look.atp >= settings.dream.enter_atp


def _dreamt(looks: Iterable[Look]) -> int:
    return sum(look.dreaming for look in looks)


def _hours(course: Course) -> dict[str, float]:
    """State → hours in it."""
    bounds = [(0.0, course.start), *((one.at_s, one.state) for one in course.entered), (course.seconds, course.start)]
    hours = dict.fromkeys((str(state) for state in Metabolic), 0.0)
    for (from_s, state), (until_s, _) in pairwise(bounds):
        hours[str(state)] += (until_s - from_s) / HOUR_S
    return hours
