"""Where an utterance begins and ends, from the probability of speech in each frame. Pure: frames are only counted here.

    idle --3 of 5 frames >= 0.5--> speaking --200 ms below 0.35--> Paused: what was said so far may be decoded
                                            --accept()---------> Ended: it was a whole command
                                            --500 ms below-----> Ended, or Dropped if it was shorter than 0.2 s
                                            --30 s-------------> Ended at the quietest frame of the last 5 s; goes on

Utterances never overlap, and no frame judged to be speech lies outside all of them. A segment ends one short pause
after its last voiced frame, whichever way it was ended: what was decoded at the pause is what is decoded at the end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from nodes.audio_sensor.slots import FRAME_S


@dataclass(frozen=True)
class Endpointing:
    """Probabilities, and numbers of frames (32 ms each)."""

    start_probability: float = 0.5
    start_frames: int = 3
    start_window: int = 5
    preroll: int = 8
    """Frames kept from before the first voiced one: consonants begin softly."""
    end_probability: float = 0.35
    short_pause: int = 6
    long_pause: int = 16
    shortest: int = 6
    """Voiced span below which a sound is not an utterance."""
    longest: int = 937
    split_search: int = 156
    """Frames before `longest` in which the quietest is looked for."""


def frames(seconds: float) -> int:
    """The nearest whole number of frames, at least one."""
    return max(1, round(seconds / FRAME_S))


@dataclass(frozen=True)
class Segment:
    """Frames `first` up to, not including, `stop`; the last voiced one is `last_voiced`."""

    number: int
    first: int
    stop: int
    last_voiced: int


@dataclass(frozen=True)
class Began:
    number: int
    first: int


@dataclass(frozen=True)
class Paused:
    """A short pause: the segment is what would be decoded if nothing more came."""

    segment: Segment


@dataclass(frozen=True)
class Ended:
    segment: Segment
    split: bool = False
    """It was cut for its length; the speaker goes on in the next one."""


@dataclass(frozen=True)
class Dropped:
    """It was too short to be an utterance."""

    segment: Segment


Boundary = Began | Paused | Ended | Dropped


@dataclass
class _Speaking:
    number: int
    first: int
    first_voiced: int
    last_voiced: int
    probabilities: list[float] = field(default_factory=list)
    """Of the frames from `first` on."""
    continues: bool = False
    """It is the rest of one that was cut for its length: kept however short, so that nothing said is lost."""


class Segmenter:
    """Feed it one probability per frame; it answers with the boundaries that frame brought."""

    def __init__(self, settings: Endpointing | None = None) -> None:
        self.settings = settings or Endpointing()
        self.frame = 0
        """Frames fed so far."""
        self.number = 0
        """Utterances begun so far."""
        self._free_from = 0
        self._recent: deque[float] = deque(maxlen=self.settings.start_window + self.settings.preroll)
        self._speaking: _Speaking | None = None

    @property
    def needed_from(self) -> int:
        """The oldest frame whose audio may still be asked for."""
        if self._speaking is not None:
            return self._speaking.first
        return max(self._free_from, self.frame - (self._recent.maxlen or 0))

    def feed(self, probability: float) -> list[Boundary]:
        self.frame += 1
        if self._speaking is None:
            self._recent.append(probability)
            return self._begin_if_speech()
        speaking = self._speaking
        speaking.probabilities.append(probability)
        if probability >= self.settings.end_probability:
            speaking.last_voiced = self.frame - 1
        silent = self.frame - 1 - speaking.last_voiced
        if silent >= self.settings.long_pause:
            return [self._end()]
        if self.frame - speaking.first >= self.settings.longest:
            return self._split(speaking)
        if silent == self.settings.short_pause and self._long_enough(speaking):
            return [Paused(self._segment(speaking))]
        return []

    def accept(self) -> None:
        """End the utterance in the pause just told of: its segment is whole. ValueError where nobody is speaking."""
        if self._speaking is None:
            raise ValueError("no utterance is under way")
        self._end()

    def finish(self) -> list[Boundary]:
        """The recording is over: end what is under way."""
        return [] if self._speaking is None else [self._end()]

    def _begin_if_speech(self) -> list[Boundary]:
        settings = self.settings
        window = list(self._recent)[-settings.start_window :]
        voiced = [at for at, probability in enumerate(window) if probability >= settings.start_probability]
        if len(voiced) < settings.start_frames:
            return []
        first_voiced = self.frame - len(window) + voiced[0]
        first = max(first_voiced - settings.preroll, self._free_from)
        kept = self.frame - first
        self.number += 1
        self._speaking = _Speaking(self.number, first, first_voiced, self.frame - 1, list(self._recent)[-kept:])
        self._recent.clear()
        return [Began(self.number, first)]

    def _end(self) -> Ended | Dropped:
        speaking = self._speaking
        assert speaking is not None
        segment = self._segment(speaking)
        self._speaking = None
        self._free_from = segment.stop
        self._recent.extend(speaking.probabilities[segment.stop - speaking.first :])
        return Ended(segment) if self._long_enough(speaking) else Dropped(segment)

    def _split(self, speaking: _Speaking) -> list[Boundary]:
        """Cut at the quietest frame of the last few seconds; what follows it begins the next utterance."""
        recent = speaking.probabilities[-self.settings.split_search :]
        # Among equals the latest: the first part then holds as much as it may.
        quietest = min(range(len(recent)), key=lambda at: (recent[at], -at))
        stop = self.frame - len(recent) + quietest + 1
        ended = Ended(Segment(speaking.number, speaking.first, stop, min(speaking.last_voiced, stop - 1)), split=True)
        self.number += 1
        rest = speaking.probabilities[stop - speaking.first :]
        self._speaking = _Speaking(self.number, stop, stop, max(speaking.last_voiced, stop - 1), rest, True)
        return [ended, Began(self.number, stop)]

    def _segment(self, speaking: _Speaking) -> Segment:
        stop = min(self.frame, speaking.last_voiced + 1 + self.settings.short_pause)
        return Segment(speaking.number, speaking.first, stop, speaking.last_voiced)

    def _long_enough(self, speaking: _Speaking) -> bool:
        voiced = speaking.last_voiced - speaking.first_voiced + 1
        return voiced >= (1 if speaking.continues else self.settings.shortest)
