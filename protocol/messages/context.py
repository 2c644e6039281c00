"""What kind of moment it is, and how much it matters."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Context(StrEnum):
    STABLE = "stable"
    MOVING = "moving"
    UNSTABLE = "unstable"
    NOVEL = "novel"


class Snarc(msgspec.Struct, frozen=True, kw_only=True):
    """Salience of an experience. Every part is 0..1."""

    surprise: float = 0.0
    novelty: float = 0.0
    arousal: float = 0.0
    reward: float = 0.0
    conflict: float = 0.0
    salience: float = 0.0
    """The parts taken together, 0..1."""
    why: str = ""


class Classify(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    session: str
    speech: bool = False


class Classified(msgspec.Struct, frozen=True, kw_only=True):
    """Context and salience of what came in."""

    session: str
    context: Context
    confidence: float
    """0..1"""
    cluster: int
    """Number of the group of similar inputs that it fell into; grows as new groups are met."""
    snarc: Snarc
    why: str = ""


class ScoreExchange(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the salience of a finished exchange. Idempotent by `exchange`."""

    exchange: str
    session: str
    question: str
    answer: str
    context: Context
    confidence: float
    score: float | None = None
    """Outcome 0..1 where it is known."""
    levels_tried: int = 1


class ExchangeScored(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    snarc: Snarc
