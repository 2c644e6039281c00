"""What the reality cache answers: what was found of an assumption, what became of it, and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from nodes.dialogue.reality.assumption import Assumption, Level, Standing
from nodes.dialogue.reality.surprise import Judgement
from protocol.errors import SageError


class Unsupported(SageError):
    code = "reality.unsupported"


class Circular(SageError):
    code = "reality.circular"


class UnknownAssumption(SageError):
    code = "reality.unknown"


class Found(StrEnum):
    HOLDS = "holds"
    UNSURE = "unsure"
    """Its confidence, or that of something it rests on, has fallen under the bar of its level."""
    DOUBTED = "doubted"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Checked:
    found: Found
    assumption: Assumption | None = None
    """Where it holds."""
    confidence: float = 0.0
    """Of it now."""
    why: str = ""
    """Why it does not hold."""


class Became(StrEnum):
    NEW = "new"
    VERIFIED = "verified"
    REBUILT = "rebuilt"
    REFUSED = "refused"
    """Its value was refuted before, and nobody has verified it since."""


@dataclass(frozen=True)
class Held:
    became: Became
    followed: tuple[str, ...] = ()
    """Keys of what was broken because it changed."""


@dataclass(frozen=True)
class Observed:
    key: str
    level: Level
    judgement: Judgement
    standing: Standing
    followed: tuple[str, ...] = ()
