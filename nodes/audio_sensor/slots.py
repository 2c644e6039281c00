"""What can be exchanged in an ear: the voice activity detector and the recogniser. Each says whether it is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

RATE = 16_000
"""Samples a second, mono, of everything behind the sources."""
FRAME = 512
"""Samples a voice activity detector judges at once: 32 ms."""
FRAME_S = FRAME / RATE


@dataclass(frozen=True)
class Readiness:
    """Whether a part can work here; if not, `remedy` is the exact thing to do."""

    ready: bool
    what: str
    """The part, and the version or file it uses."""
    remedy: str = ""


class VoiceActivity(Protocol):
    """Says frame by frame how likely somebody is speaking. Remembers what it heard."""

    def probe(self) -> Readiness: ...

    def probability(self, frame: np.ndarray) -> float:
        """0..1 for the next frame, float32 (512,)."""

    def reset(self) -> None:
        """Forget what was heard: another recording begins."""


@dataclass(frozen=True)
class Transcript:
    text: str
    """Lower-case words; empty where none was understood."""
    confidence: float
    """0..1"""
    accepted_by: str
    """`grammar` or `free`: which decoder's words these are."""
    command: bool = False
    """It is a whole command: nothing more has to be waited for."""


class Recogniser(Protocol):
    """Turns the samples of one utterance, float32 (n,), into words. Slow: call it off the event loop."""

    def probe(self) -> Readiness: ...

    def transcribe(self, samples: np.ndarray) -> Transcript:
        """The words that were most likely spoken."""
