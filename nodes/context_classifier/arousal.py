"""How intensely something was said: marks, capitals, words of urgency, insisting, a louder or faster voice.

Signs add up: each alone may reach near the end of the scale. Of a voice only what exceeds its usual level counts,
because microphones and people differ.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from nodes.context_classifier.feature import Feature, together

_URGENT = (
    "accident alarm alert ambulance asap attack bleeding burning choking crash danger dangerous dying emergency "
    "explosion fire flood flooding gas help hurry hurts immediately injured instantly intruder leak leaking "
    "police poison quick quickly rescue robber scream screaming smoke stolen thief urgent urgently warning"
)
URGENT = frozenset(_URGENT.split())
"""Words that by themselves say that something cannot wait: common English, chosen without regard to any test."""

LOUD_DB = 6.0
"""Decibels above the usual that make a voice loud: twice the sound pressure."""
FAST = 0.4
"""Share above the usual rate that makes speech hasty."""
USUAL_LOUDNESS = -26.0
"""Decibels against full scale of an ordinary voice, until it is known (ITU-T P.56 speech level)."""
USUAL_RATE = 2.7
"""Words a second of ordinary speech, until it is known: 160 a minute."""

_WORD = re.compile(r"[a-z']+")


@dataclass(frozen=True)
class Voice:
    """How something was spoken, beside how this source usually speaks. None where nobody spoke."""

    loudness: float | None = None
    usual_loudness: float = USUAL_LOUDNESS
    rate: float | None = None
    usual_rate: float = USUAL_RATE


def arousal(text: str, repeats: int, voice: Voice) -> Feature:
    """`repeats`: how often the very same was said of late in the same conversation."""
    letters = [letter for letter in text if letter.isalpha()]
    capitals = sum(letter.isupper() for letter in letters) / len(letters) if len(letters) > 3 else 0.0
    marks = text.count("!")
    urgent = sum(word in URGENT for word in _WORD.findall(text.lower()))
    return together(
        Feature(1 - 0.5**marks, f"exclamation marks: {marks}"),
        Feature(max(0.0, (capitals - 0.5) * 2), f"{capitals:.0%} of it in capitals"),
        Feature(1 - 0.4**urgent, f"words of urgency: {urgent}"),
        Feature(1 - 0.75**repeats, f"said before: {repeats} times"),
        *_spoken(voice),
    )


def _spoken(voice: Voice) -> list[Feature]:
    found = []
    if voice.loudness is not None:
        louder = voice.loudness - voice.usual_loudness
        found.append(
            Feature(_beyond(louder / LOUD_DB), f"{voice.loudness:.0f} dB loud, usually {voice.usual_loudness:.0f}")
        )
    if voice.rate is not None:
        faster = voice.rate / max(voice.usual_rate, 0.1) - 1
        found.append(
            Feature(_beyond(faster / FAST), f"{voice.rate:.1f} words a second, usually {voice.usual_rate:.1f}")
        )
    return found


def _beyond(excess: float) -> float:
    """0 at and below the usual, 0.63 one unit above it, towards 1."""
    return 1 - math.exp(-max(0.0, excess))
