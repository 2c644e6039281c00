"""From what the ears understood to what is asked."""

from __future__ import annotations

from protocol.messages.audio import Utterance
from protocol.messages.dialogue import Ask

FEWEST = 2
"""Words from which on a rate says anything."""


def asked(utterance: Utterance) -> Ask:
    """The utterance as a question that is to be answered aloud."""
    return Ask(
        text=utterance.text,
        session=utterance.session or f"voice/{utterance.source}",
        source="voice",
        speak=True,
        utterance_end_ns=utterance.speech_end_ns,
        stages=utterance.stages,
        loudness=utterance.loudness,
        rate=_rate(utterance),
    )


def _rate(utterance: Utterance) -> float | None:
    """Words a second."""
    words, seconds = len(utterance.text.split()), utterance.end_s - utterance.begin_s
    return words / seconds if words >= FEWEST and seconds > 0 else None
