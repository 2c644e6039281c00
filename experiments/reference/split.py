"""What is taught and what is held out: decided by hashes alone, so that no draw can ever mix the two.

A question is *taught* if both its wording and its content fall to the taught side, *held out* if both fall to the
other. Questions of which only one falls there belong to neither, and are never used.
"""

import hashlib
from enum import StrEnum
from random import Random

HELD_OUT_PERCENT = 20


class Split(StrEnum):
    TRAIN = "train"
    HELD_OUT = "held_out"


def side(kind: str, text: str) -> Split:
    """The side on which `text` falls, as a `template` or as a `content`."""
    digest = hashlib.sha256(f"{kind}\0{text}".encode()).digest()
    return Split.HELD_OUT if int.from_bytes(digest[:4]) % 100 < HELD_OUT_PERCENT else Split.TRAIN


def seeded(text: str) -> Random:
    """Random draws that follow from `text` alone."""
    return Random(text)


def template_id(skill: str, wording: str) -> str:
    """A short stable name of one wording of one skill."""
    return f"{skill}/{hashlib.sha256(f'{skill}|{wording}'.encode()).hexdigest()[:10]}"
