"""The world that the metabolism lives in: who asks what and when, what goes wrong, what everything takes and costs.

All of it stands in `world.yaml`; `digest` names it. `stream` draws one course of it: every rival meets the same one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec

from protocol.errors import ConfigError
from protocol.messages.metabolism import Metabolic
from runtime import config
from runtime.units import Duration

DAY_S = 86400.0
HOUR_S = 3600.0
PATTERN = "pattern"
WORLD = Path(__file__).parent / "world.yaml"

Amount = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Hours = Annotated[tuple[Amount, ...], msgspec.Meta(min_length=24, max_length=24)]


class People(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    count: Amount
    workday: Hours
    weekend: Hours
    questions: Annotated[float, msgspec.Meta(ge=1)]
    pause: Duration
    lively: Share
    lively_salience: tuple[Share, Share]
    calm_salience: tuple[Amount, Amount]
    noises: Amount
    noisy: tuple[float, float]
    noise: Duration
    needs: dict[str, Share]

    def rate(self, day: str, hour: int) -> float:
        """Conversations an hour of all people together."""
        hours: Hours = getattr(self, day)
        return self.count * hours[hour]


class Incident(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    after: Duration
    lasts: Duration
    questions: Amount
    fails: Share
    fails_alone: Share

    def holds(self, at_s: float) -> bool:
        return self.after <= at_s < self.after + self.lasts


class LevelCost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    first: Duration
    whole: Duration
    atp: Amount
    load: Duration
    load_atp: Amount


class DreamCost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    fixed: Duration
    lesson: Duration
    resume: Duration
    atp: Amount
    """A minute."""


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    levels: tuple[LevelCost, ...]
    dream: DreamCost


class Idle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    quiet: Duration
    lessons: int
    minutes: Amount
    return_: Duration = msgspec.field(name="return")
    explains: Duration


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    begins: Annotated[float, msgspec.Meta(ge=0, lt=24)]
    days: dict[str, tuple[str, ...]]
    people: People
    incident: Incident
    patience: Duration
    rouse: Duration
    grace: Duration
    tick: Duration
    base: dict[Metabolic, Amount]
    device: str
    devices: dict[str, Device]
    idle: Idle

    @property
    def levels(self) -> tuple[LevelCost, ...]:
        """Least capable first."""
        return self.devices[self.device].levels

    @property
    def dream(self) -> DreamCost:
        return self.devices[self.device].dream

    def hour(self, at_s: float) -> float:
        """Hour of the day, 0..24, `at_s` seconds into a course."""
        return (self.begins + at_s / HOUR_S) % 24

    def seconds(self, course: str) -> float:
        return DAY_S * len(self.days[course])

    def conversations(self, course: str, at_s: float) -> float:
        """Conversations an hour that are begun at a time of the course."""
        since_midnight = self.begins * HOUR_S + at_s
        days = self.days[course]
        return self.people.rate(days[int(since_midnight // DAY_S) % len(days)], int(self.hour(at_s)))


class Question(msgspec.Struct, frozen=True, kw_only=True):
    ident: str
    at_s: float
    conversation: str
    needs: str
    """The smallest level that is trusted with it, or `pattern`."""
    salience: float
    luck: float
    """Uniform in [0, 1): in the incident an answer fails where it lies below the chance of failing."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One course of the world, in the order of time."""

    seconds: float
    questions: tuple[Question, ...]
    noises: tuple[float, ...]
    """When something begins that sounds like speech."""


def load(path: Path = WORLD) -> World:
    world = config.load(path, World)
    place = str(path)
    if world.device not in world.devices:
        raise ConfigError(f"device: {world.device!r} is not one of {', '.join(world.devices)}", place=place)
    known = {PATTERN, *(level.name for level in world.levels)}
    if set(world.people.needs) != known:
        raise ConfigError(f"people.needs must name {', '.join(sorted(known))}", place=place)
    if set(world.base) != set(Metabolic):
        raise ConfigError("base must name every state", place=place)
    if wrong := {day for days in world.days.values() for day in days} - {"workday", "weekend"}:
        raise ConfigError(f"days: {', '.join(sorted(wrong))}: neither workday nor weekend", place=place)
    return world


def digest(*parts: msgspec.Struct) -> str:
    """SHA-256 in hexadecimal over values, whatever file they came from."""
    return hashlib.sha256(b"\n".join(msgspec.json.encode(part, order="deterministic") for part in parts)).hexdigest()


def stream(world: World, course: str, seed: int) -> Stream:
    """What happens in one course. What is drawn for one purpose moves nothing of another."""
    seconds = world.seconds(course)
    questions = [*_asked(world, course, seed), *_in_the_incident(world, seed)]
    inside = sorted((one for one in questions if one.at_s < seconds), key=lambda one: one.at_s)
    return Stream(seconds=seconds, questions=tuple(inside), noises=tuple(_noises(world, course, seed)))


def _asked(world: World, course: str, seed: int) -> Iterator[Question]:
    people = world.people
    for number, begun_s in enumerate(_begun(world, course, Random(f"{seed}/conversations"))):
        at_s = begun_s
        draw = Random(f"{seed}/conversation/{number}")
        lively = draw.random() < people.lively
        while True:
            yield _question(world, f"{number}", at_s, lively, draw)
            if draw.random() < 1 / people.questions:
                break
            at_s += draw.expovariate(1 / people.pause)


def _begun(world: World, course: str, draw: Random) -> Iterator[float]:
    """When conversations begin: a Poisson process of changing rate, by thinning one of the highest rate."""
    highest = max(world.people.rate(day, hour) for day in world.days[course] for hour in range(24))
    at_s = 0.0
    while highest and (at_s := at_s + draw.expovariate(highest / HOUR_S)) < world.seconds(course):
        if draw.random() * highest < world.conversations(course, at_s):
            yield at_s


def _in_the_incident(world: World, seed: int) -> Iterator[Question]:
    draw = Random(f"{seed}/incident")
    at_s = world.incident.after
    while world.incident.questions:
        at_s += draw.expovariate(world.incident.questions / 60)
        if not world.incident.holds(at_s):
            break
        yield _question(world, "incident", at_s, True, draw)


def _question(world: World, conversation: str, at_s: float, lively: bool, draw: Random) -> Question:
    people = world.people
    needs = draw.choices(list(people.needs), list(people.needs.values()))[0]
    salience = draw.uniform(*people.lively_salience) if lively else draw.betavariate(*people.calm_salience)
    return Question(
        ident=f"{conversation}@{at_s:.3f}",
        at_s=at_s,
        conversation=conversation,
        needs=needs,
        salience=salience,
        luck=draw.random(),
    )


def _noises(world: World, course: str, seed: int) -> Iterator[float]:
    first, last = world.people.noisy
    draw, at_s = Random(f"{seed}/noises"), 0.0
    while world.people.noises and (at_s := at_s + draw.expovariate(world.people.noises / HOUR_S)) < world.seconds(
        course
    ):
        if first <= world.hour(at_s) < last:
            yield at_s
