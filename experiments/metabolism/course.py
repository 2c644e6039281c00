"""What became of a course: the record that `life.live` keeps and `measures` reads."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from experiments.metabolism.world import Question
from protocol.messages.metabolism import Metabolic


class Fate(StrEnum):
    ANSWERED = "answered"
    FAILED = "failed"
    """It had its turn; the incident took the answer."""
    ASLEEP = "asleep"
    """Nobody woke for it in the time an asker has patience."""
    LATE = "late"
    """Others were before it, or its answer took longer than an asker has patience."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A question and what became of it."""

    question: Question
    fate: Fate
    level: str = ""
    first_s: float | None = None
    """From the question to the first part of the answer; None where there was none."""
    load_s: float = 0.0
    """Of it, waiting for the level's model."""
    roused: bool = False


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """A transition."""

    at_s: float
    state: Metabolic
    left: Metabolic
    reason: str


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a dream."""

    began_s: float
    ended_s: float
    finished: bool
    vain: bool = False
    """There was not enough to learn from."""

    @property
    def seconds(self) -> float:
        return self.ended_s - self.began_s


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How it stood at a tick."""

    at_s: float
    state: Metabolic
    atp: float
    quiet_s: float
    """Since anybody last stirred; 0 while somebody waits."""
    to_learn: bool
    """There are enough new answers to learn from, or a dream is unfinished."""
    lessons: int
    """As the machine counts them."""
    dreaming: bool


class Course(msgspec.Struct, frozen=True, kw_only=True):
    seconds: float
    tick_s: float
    start: Metabolic
    told: tuple[Told, ...]
    entered: tuple[Entered, ...]
    legs: tuple[Leg, ...]
    looks: tuple[Look, ...]
    stirs: tuple[float, ...]
    """When anybody stirred: a question, the end of its answer, a noise."""
    spent: dict[str, float]
    """Purpose → ATP."""
    loads: int
