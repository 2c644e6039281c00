"""What can be exchanged in a voice: the synthesiser."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Readiness:
    """Whether a part can work here; if not, `remedy` is the exact thing to do."""

    ready: bool
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Sound:
    """Some samples: 16-bit little-endian mono at `rate` a second."""

    pcm: bytes
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / self.rate


class Synthesiser(Protocol):
    """Makes sound of a sentence."""

    def probe(self) -> Readiness: ...

    def speak(self, sentence: str) -> AsyncGenerator[Sound]:
        """The sound of the sentence, piece by piece while it is made. SpeakingError where there is none.

        Closing the generator early ends the making.
        """
