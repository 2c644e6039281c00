"""What is said aloud."""

from __future__ import annotations

import msgspec


class Say(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    path: str = ""
    """WAV file to write; empty: the speaker's own folder."""
    exchange: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    audio_s: float
    """Length of the speech."""
    seconds: float
    """How long making it took."""
    first_sound_s: float
    """From the request to the first sample."""


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A reply was spoken, whole."""

    exchange: str
    path: str
    audio_s: float
    sentences: int
    start_ns: int
    """Monotonic time at which the first sentence reached the speaker."""
    first_sound_ns: int
    """Monotonic time of the first sample."""
    end_ns: int
