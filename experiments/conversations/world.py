"""What the simulated people do: `world.yaml`, typed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec

from runtime import config

FILE = Path(__file__).parent / "world.yaml"
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    least: Count
    most: Count


class Passages(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    question: float
    memory: float
    pattern: float
    repeat: float


class Common(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    share: Share
    questions: Count


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    kinds: tuple[str, ...]
    facts: tuple[int, ...]
    questions: Range


class Wrong(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    correct: Share
    again: Share


class Feedback(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    share: Share
    mistaken: Share


class Patience(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    first: float
    whole: float


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    conversations: Count
    nights_after: Count
    levels: tuple[str, ...]
    turns: Range
    passages: Passages
    common: Common
    memory: Memory
    patterns: tuple[str, ...]
    thanks: Share
    wrong: Wrong
    corrections: tuple[str, ...]
    feedback: Feedback
    patience: Patience


def load() -> World:
    return config.load(FILE, World)


def digest() -> str:
    """SHA-256 of the file, in hex."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()
