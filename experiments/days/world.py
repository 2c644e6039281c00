"""The world of the experiment, typed, and its days. Pure: everything follows from a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated

import msgspec

from experiments.reference.days import Day, day, drifting
from experiments.trust import world as trust
from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.settings import Settings
from runtime import config, paths

Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Replay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    new: Count
    same: Count


class Dream(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    lessons: Count
    self_asked: Annotated[int, msgspec.Meta(ge=0)]
    share: Share


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    days: Annotated[int, msgspec.Meta(ge=2)]
    visits: Annotated[float, msgspec.Meta(gt=0)]
    width: Annotated[float, msgspec.Meta(gt=0)]
    step: float
    students: tuple[str, ...]
    feedback: str
    replay: Replay
    dream: Dream


def load() -> World:
    return config.load(paths.shipped("experiments/days/world.yaml"), World)


def digest(world: World, costs: trust.World) -> str:
    """SHA-256 of all that is fixed, in hex; how many of its days are lived changes none of them."""
    fixed = {name: value for name, value in msgspec.structs.asdict(world).items() if name != "days"}
    return hashlib.sha256(msgspec.json.encode((fixed, costs))).hexdigest()


def days(world: World, seed: int) -> Iterator[Day]:
    """One after the other; fewer days are the first of more."""
    for number, interests in enumerate(drifting(seed, world.days, world.width, world.step)):
        yield day(seed * 1000 + number, interests, visits=world.visits)


def dreaming(world: World) -> Settings:
    """The shipped settings of dreams with what the world says otherwise."""
    shipped, replace = configuration.load(), msgspec.structs.replace
    return replace(
        shipped,
        students=world.students,
        select=replace(shipped.select, lessons=world.dream.lessons, self_asked=world.dream.self_asked),
        teach=replace(shipped.teach, by="here"),
        canary=replace(shipped.canary, share=world.dream.share),
    )
