"""An assumption: something taken to be so, how surely, and what it rests on. Values only."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

Value = str | float | list[float] | dict[str, str]
"""A statement in words, a reading, a vector, or several named facts."""


class Level(StrEnum):
    """How deep an assumption lies; the deeper, the more it takes to shake it."""

    SENSORY = "sensory"
    """What a sensor or a worker reads off: a number, a vector, a count of tokens."""
    ENVIRONMENT = "environment"
    """How things stand: where something is, which version answers."""
    CONTEXT = "context"
    """What holds inside one conversation."""
    ABSTRACT = "abstract"
    """What holds whoever asks: arithmetic, general knowledge."""


class Standing(StrEnum):
    HELD = "held"
    DOUBTED = "doubted"
    """To be verified before it is relied on again."""
    BROKEN = "broken"
    """To be rebuilt; what it said is no longer taken to be so."""


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    level: Level
    statement: str
    """In words."""
    value: Value
    confidence: float
    """0..1, when it was last verified."""
    rests_on: tuple[str, ...] = ()
    """Keys. If one of them is shaken, so is this."""
    drift: float = 0.0
    """Changes per second that nobody would report, where that rate is known; 0: it does not age by itself."""
    subject: str = ""
    """What it speaks of: a question, a conversation."""
    owner: str = ""
    """Name of the conversation it came from, under which it can be forgotten."""
    refuted: tuple[str, ...] = ()
    """Digests of values that were found wrong and are not believed again unless verified; the latest last."""
    standing: Standing = Standing.HELD
    why: str = ""
    """Why it is not held."""
    revision: int = 0
    """Counts what its value has been."""
    made_ns: int = 0
    verified_ns: int = 0
    """Wall time at which its confidence was last taken."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was observed of an assumption: another value, or only how far off it is."""

    value: Value | None = None
    distance: float | None = None
    """0 it is so … 1 it is not, where the observer judges that himself."""
    reliability: float = 1.0
    """0..1, how often such an observation is right."""
    by: str = ""
    """Who says so."""
    refutes: bool = False
    """Whoever says so knows: should its value come up again, it is not believed unless verified."""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.distance is None):
            raise ValueError("evidence is either a value or a distance")
        if self.distance is not None and not 0 <= self.distance <= 1:
            raise ValueError(f"the distance {self.distance} is not within 0..1")
        if not 0 <= self.reliability <= 1:
            raise ValueError(f"the reliability {self.reliability} is not within 0..1")
        if self.value is not None:
            check_value(self.value)


def check_value(value: Value) -> None:
    """Raises ValueError for numbers that compare with nothing."""
    numbers = [value] if isinstance(value, float | int) else value if isinstance(value, list) else []
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("a value with a number that is not finite cannot be compared")
