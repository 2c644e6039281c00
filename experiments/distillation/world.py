"""What is fixed before anything is run. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from experiments.reference.days import Day, Interests, concentrated, day, favourites
from experiments.reference.skills import SKILLS
from experiments.reference.split import Split
from runtime import config

Row = tuple[str, int]
"""(skill, difficulty)"""


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    student: str
    teacher: str
    skills: int
    share: float
    weak: float
    strong: float
    visits: float
    taught: int
    target_each: int
    old_each: int
    control_each: int
    seed: int


def load() -> World:
    return config.load(Path(__file__).with_name("world.yaml"), World)


def digest(world: World) -> str:
    """SHA-256 of all that is fixed, in hex."""
    return hashlib.sha256(msgspec.json.encode(world)).hexdigest()


def teachable(world: World, released: Mapping[str, Any]) -> list[str]:
    """Skills that the student lacks and the teacher has, by the family's released figures.

    What is known by heart is none of them: who was not told a fact cannot know it.
    """
    student, teacher = (released[size]["means"] for size in (world.student, world.teacher))
    return [
        name
        for name, skill in SKILLS.items()
        if not skill.in_weights and student[name] <= world.weak and teacher[name] >= world.strong
    ]


def had(world: World, released: Mapping[str, Any]) -> frozenset[str]:
    """Skills that the student has, by the same figures: the old ones, which no lesson may cost it."""
    return frozenset(name for name, mean in released[world.student]["means"].items() if mean > world.weak)


def targets(world: World, among: list[str], seed: int) -> frozenset[str]:
    """The skills that the day of `seed` is concentrated on, by name."""
    return favourites(seed, world.skills, among)


def interests(world: World, among: list[str], seed: int) -> Interests:
    return concentrated(seed, world.skills, world.share, among)


def lived_day(world: World, shares: Interests, seed: int) -> Day:
    """A day of taught wordings and contents: what examines is held out, and so nobody has met any of it."""
    return day(seed, shares, visits=world.visits, split=Split.TRAIN)
