"""Which wordings thresholds may be tuned on, and which are held out: by hash alone, half of every list of wordings."""

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum


class Side(StrEnum):
    TUNING = "tuning"
    HELD_OUT = "held_out"


def halves(name: str, wordings: Sequence[str]) -> Mapping[Side, tuple[str, ...]]:
    """The wordings in the order of their hashes, cut in the middle; a wording is on one side only."""
    ordered = sorted(wordings, key=lambda wording: hashlib.sha256(f"context\0{name}\0{wording}".encode()).digest())
    middle = len(ordered) // 2
    return {Side.TUNING: tuple(ordered[:middle]), Side.HELD_OUT: tuple(ordered[middle:])}
