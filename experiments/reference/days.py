"""Simulated days of the people who use the system: when they come, and what they ask. Pure: all follows from a seed.

    today = day(7, concentrated(7))
    today.digest                         # names the day in a report, fixed before anything is run on it
    [moment.question for moment in today.moments]

People come by a Poisson process whose rate follows the hours: nobody by night, most in the morning and in the evening.
Who comes asks a few questions in a row. What they ask follows their interests, which a day may concentrate on a few
skills, or which drift from day to day.
"""

import hashlib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from random import Random

import msgspec

from experiments.reference.curriculum import Question, drawn
from experiments.reference.skills import SKILLS, rows
from experiments.reference.split import Split, seeded
from experiments.reference.wording import Style

HOUR = 3600
HOURLY = (0, 0, 0, 0, 0, 0, 1, 4, 5, 3, 2, 2, 4, 3, 2, 2, 3, 5, 6, 6, 4, 3, 1, 0)
"""How many come in each hour, relative: nights are silent, mornings and evenings are full."""
QUESTIONS_A_VISIT = 4.0
GAP_S = 20.0
"""Mean seconds between the questions of one visit."""

Interests = Mapping[tuple[str, int], float]
"""(skill, difficulty) -> the share of the questions; together 1."""


@dataclass(frozen=True)
class Moment:
    """One question: `second` of the day, in which conversation, and what."""

    second: float
    session: str
    question: Question


@dataclass(frozen=True)
class Incident:
    """From `hour` on, for so many minutes, so many times as many people come as in the fullest hour."""

    hour: float
    minutes: float = 20.0
    factor: float = 5.0

    def covers(self, second: float) -> bool:
        return self.hour * HOUR <= second < self.hour * HOUR + self.minutes * 60


@dataclass(frozen=True)
class Day:
    """In the order of time."""

    moments: tuple[Moment, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in it, in hex."""
        return hashlib.sha256(msgspec.json.encode([asdict(moment) for moment in self.moments])).hexdigest()


def even() -> Interests:
    """Every row alike."""
    every = list(rows())
    return dict.fromkeys(every, 1 / len(every))


def concentrated(seed: int, skills: int = 3, share: float = 0.8, among: Collection[str] = SKILLS.keys()) -> Interests:
    """A few skills, the `favourites`, take `share` of the day; all the others have the rest."""
    most = favourites(seed, skills, among)
    inside = [row for row in rows() if row[0] in most]
    outside = [row for row in rows() if row[0] not in most]
    return {**dict.fromkeys(inside, share / len(inside)), **dict.fromkeys(outside, (1 - share) / len(outside))}


def favourites(seed: int, skills: int = 3, among: Collection[str] = SKILLS.keys()) -> frozenset[str]:
    """So many of the skills `among`, drawn by `seed`."""
    return frozenset(seeded(f"interests/{seed}").sample(sorted(among), skills))


def drifting(seed: int, days: int, width: float = 2.0, step: float = 1.0) -> list[Interests]:
    """Interests of so many days in a row.

    The skills stand in a circle, in an order drawn by `seed`. Each day's centre is `step` skills further on, and
    interest falls off from it as a normal distribution of standard deviation `width`, in skills.
    """
    circle = sorted(SKILLS)
    seeded(f"drift/{seed}").shuffle(circle)
    return [_around(circle, day * step % len(circle), width) for day in range(days)]


def _around(circle: list[str], centre: float, width: float) -> Interests:
    weights: dict[tuple[str, int], float] = {}
    for place, name in enumerate(circle):
        away = min((place - centre) % len(circle), (centre - place) % len(circle))
        difficulties = SKILLS[name].difficulties
        weights |= {(name, each): math.exp(-((away / width) ** 2) / 2) / len(difficulties) for each in difficulties}
    total = sum(weights.values())
    return {row: weight / total for row, weight in weights.items()}


def day(
    seed: int,
    interests: Interests,
    *,
    visits: float = 60.0,
    incident: Incident | None = None,
    split: Split = Split.HELD_OUT,
) -> Day:
    """One day of about `visits` visits of about four questions; those of the incident come on top."""
    random = seeded(f"day/{split}/{seed}")
    choices, weights = list(interests), list(interests.values())
    moments = [
        Moment(second, f"visit-{number}", _asked(random, choices, weights, split))
        for number, began in enumerate(_arrivals(random, visits, incident))
        for second in _questions(random, began)
    ]
    return Day(tuple(sorted(moments, key=lambda moment: moment.second)))


def _arrivals(random: Random, visits: float, incident: Incident | None) -> Iterator[float]:
    """Seconds at which people come: an inhomogeneous Poisson process by thinning (Lewis and Shedler 1979)."""
    usual = visits / sum(HOURLY) / HOUR  # visits a second for one unit of HOURLY
    most = usual * max(HOURLY) * (1 + (incident.factor if incident else 0))
    second = random.expovariate(most)
    while second < 24 * HOUR:
        rate = usual * HOURLY[int(second // HOUR)]
        if incident is not None and incident.covers(second):
            rate += usual * max(HOURLY) * incident.factor
        if random.random() * most < rate:
            yield second
        second += random.expovariate(most)


def _questions(random: Random, began: float) -> Iterator[float]:
    """When the questions of a visit are asked: a geometric number, exponential gaps; the day's end cuts it off."""
    second = began
    while second < 24 * HOUR:
        yield second
        if random.random() < 1 / QUESTIONS_A_VISIT:
            return
        second += random.expovariate(1 / GAP_S)


def _asked(random: Random, choices: list[tuple[str, int]], weights: list[float], split: Split) -> Question:
    name, difficulty = random.choices(choices, weights)[0]
    return drawn(random, SKILLS[name], difficulty, split, random.choice(tuple(Style)))
