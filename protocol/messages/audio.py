"""What the ears hear."""

from __future__ import annotations

import msgspec


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an exchange, as `sage trace` shows it."""

    name: str
    node: str
    start_ns: int
    """`CLOCK_MONOTONIC` of the node's host."""
    seconds: float
    detail: str = ""


class SpeechActivity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody began or ceased to speak."""

    speaking: bool
    utterance: int
    """Number of the utterance within the source."""
    source: str
    at_s: float
    """Seconds of audio since the source began."""


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """What was understood between two silences."""

    text: str
    """Lower-case words; empty where speech was heard and nothing understood."""
    source: str
    utterance: int
    confidence: float
    """0..1"""
    accepted_by: str
    """`grammar` or `free`: which decoder's words these are."""
    begin_s: float
    end_s: float
    """Seconds of audio since the source began."""
    speech_end_ns: int
    """`CLOCK_MONOTONIC` at which the last sample of speech was heard: what every later stage is measured from."""
    stages: list[Stage] = []
    session: str = ""
    """Conversation it belongs to, where the source knows."""
    loudness: float | None = None
    """Of the whole utterance: root mean square in decibels against full scale."""


class Hear(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the sensor to listen to a WAV file as if it came from a microphone."""

    path: str
    pace: str = "fast"
    """`real`: as a microphone would deliver it; `fast`: as fast as it can be processed."""
    session: str = ""
    publish: bool = True
    """Whether the utterances are also said as events, so that the dialogue answers them."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    utterances: int
    audio_s: float
    """Length of the recording."""
    seconds: float
    """How long listening took."""
