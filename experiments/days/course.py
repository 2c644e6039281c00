"""The days of one arm. Answers and nights are kept; all else is lived again, and comes out as it did."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from experiments.days import answering, world
from experiments.days.answering import CACHE, Weights
from experiments.days.arms import Arm, Fixed
from experiments.days.living import Chooser, Lived, Living
from experiments.days.measures import Counted, counted
from experiments.days.nights import Night, Nights
from experiments.days.world import World
from experiments.reference.curriculum import Question
from experiments.reference.days import Day
from experiments.reference.family import SIZES
from experiments.trust import world as trust
from experiments.trust.answers import Said
from experiments.trust.ours import Ours
from experiments.trust.rivals import LEVELS
from nodes.context_classifier import config as context
from nodes.dialogue import config as dialogue
from nodes.dream_consolidator.vouching import validation
from runtime.paths import cache_dir, private_directory

Report = Callable[[str], None]


@dataclass(frozen=True)
class Lasted:
    """A day, and the night after it."""

    counted: Counted
    night: Night | None
    """None: nothing was dreamt of it."""


class Course:
    """One arm's days, one after the other."""

    def __init__(self, arm: Arm, fixed: World, costs: trust.World, seed: int, report: Report) -> None:
        self._arm = arm
        self._world = fixed
        self._costs = costs
        self._seed = seed
        self._say = report
        self._settings = world.dreaming(fixed)
        self._living = Living(self._chooser(), costs, fixed.feedback, dialogue.load(), seed)
        self._weights = {level: answering.released(level) for level in LEVELS}
        self._asked = set[str]()
        """Questions of the days before."""

    def days(self, every: Sequence[Day]) -> Iterator[Lasted]:
        """Live them all; after the last one nobody dreams."""
        nights = Nights(self.home, self._settings) if self._arm.dreams else None
        try:
            for place, day in enumerate(every):
                yield self._day(place, day, nights if day is not every[-1] else None)
        finally:
            if nights is not None:
                nights.close()

    @property
    def home(self) -> Path:
        """Where the nights lie. Its name holds all that they follow from but the code, which each night names."""
        whole = hashlib.sha256(world.digest(self._world, self._costs).encode())
        configured = (self._settings, dialogue.load(), dialogue.load_trust(), context.load())
        whole.update(msgspec.json.encode(configured, order="deterministic"))
        whole.update(repr([answering.released(level).digest for level in SIZES]).encode())
        return private_directory(cache_dir(CACHE) / f"{self._arm.name}-{self._seed}-{whole.hexdigest()[:16]}")

    def _day(self, place: int, day: Day, nights: Nights | None) -> Lasted:
        asked = [moment.question for moment in day.moments]
        said = self._said(asked)
        lived = self._living.day(place, day, said)
        night = nights.after(place, lived.kept, self._say) if nights is not None else None
        fresh = self._take_up(night) if night is not None else False
        replayed_atp = self._replay(place, lived, asked, fresh) if self._arm.learns else 0.0
        always = [self._living.always(lived, level) for level in range(len(LEVELS))]
        found = counted(lived, said, always, replayed_atp, self._asked)
        self._asked |= {met.asked.text for met in lived.met}
        return Lasted(found, night)

    def _said(self, asked: Sequence[Question]) -> list[list[Said]]:
        return [answering.said(self._weights[level], asked, self._say) for level in LEVELS]

    def _take_up(self, night: Night) -> bool:
        """Have the levels answer with what is in force after the night; whether any of it is new."""
        before = dict(self._weights)
        for adapter in night.in_force:
            level = adapter.level
            self._weights[level] = answering.learned(adapter) if adapter.digest else answering.released(level)
            if self._weights[level] != before[level]:
                vouched = validation(night.completed, adapter) if night.completed.level == level else None
                self._living.chooser.take_up(level, self._weights[level].version, vouched, self._living.number)
        return self._weights != before

    def _replay(self, place: int, lived: Lived, asked: Sequence[Question], fresh: bool) -> float:
        count = self._world.replay.new if fresh or not place else self._world.replay.same
        return self._living.night(place, lived, self._said(asked), _versions(self._weights), count)

    def _chooser(self) -> Chooser:
        shipped = dialogue.load()
        if not self._arm.learns:
            return Fixed(shipped)
        return Ours(self._costs, shipped, dialogue.load_trust(), Random(f"ours/{self._seed}"))


def _versions(weights: Mapping[str, Weights]) -> dict[str, str]:
    return {level: each.version for level, each in weights.items()}
