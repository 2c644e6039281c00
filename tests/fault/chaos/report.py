"""What an ordeal came to."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    count: int
    median: float
    max: float


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """What a process held when first seen settled, and what it held when last seen so."""

    process: str
    pid: int
    descriptors: tuple[int, int]
    resident_mib: tuple[float, float]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    seed: int
    injuries: int
    kinds: dict[str, int]
    seconds: float
    calls: int
    outcomes: dict[str, int]
    """`answered` or an error's code → calls."""
    latest_s: float
    """How long after its deadline a call ended at the worst; negative: all ended before it."""
    answered_again_s: Spread
    """From an injury until a question put after it was answered by a model."""
    with_a_level_s: Spread
    """The same where the injury left a level unhurt,"""
    without_a_level_s: Spread
    """and where it left none: then a model must be loaded first."""
    answered_again_by: dict[str, Spread]
    """The same for each injury: `kill hub`."""
    back_s: dict[str, Spread]
    """From the kill or freeze of a node until it is ready as a new process, by injury."""
    told_s: Spread
    """From the kill of a node until the last call that waited for it had ended."""
    transitions: int
    exchanges: int
    """Answered by models."""
    growth: list[Growth]
    complaints: dict[str, int]
    """Errors in the logs: `node event` → how often."""
    violations: list[str]
    """What should have held and did not."""


def spread(values: Iterable[float]) -> Spread:
    listed = list(values)
    if not listed:
        return Spread(0, 0.0, 0.0)
    return Spread(len(listed), round(statistics.median(listed), 3), round(max(listed), 3))


def by_injury(pairs: Sequence[tuple[str, float]]) -> dict[str, Spread]:
    """The spread of the seconds of each injury, by its name."""
    return {name: spread(seconds for other, seconds in pairs if other == name) for name, _ in sorted(pairs)}
