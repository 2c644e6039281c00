"""Frames of sound in, what was noticed out: speech began, speech ended, words were understood. In order, one thread.

At the first short pause the sound so far is decoded at once. A command ends the utterance there; anything else has its
words ready by the time the longer pause has passed, and is decoded anew only if the speaker went on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodes.audio_sensor.slots import FRAME_S, Recogniser, Transcript, VoiceActivity
from nodes.audio_sensor.utterances import Began, Boundary, Dropped, Ended, Paused, Segment, Segmenter

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class SpeechBegan:
    number: int
    at_s: float


@dataclass(frozen=True)
class SpeechEnded:
    number: int
    at_s: float


@dataclass(frozen=True)
class Understood:
    """The words of an utterance, with the monotonic times of its last voiced sample and of each step after it."""

    number: int
    transcript: Transcript
    begin_s: float
    end_s: float
    """Where the last voiced frame ends."""
    speech_end_ns: int
    decided_ns: int
    """When it was clear that the speaker had finished."""
    decode_start_ns: int
    decode_s: float
    loudness: float
    """Of the whole, in decibels against full scale."""


Noticed = SpeechBegan | SpeechEnded | Understood


@dataclass(frozen=True)
class _Decoded:
    segment: Segment
    transcript: Transcript
    start_ns: int
    seconds: float


@dataclass
class Counts:
    """What the listener has done since it was made."""

    frames: int = 0
    utterances: int = 0
    commands: int = 0
    dropped: int = 0
    """Sounds too short to be an utterance."""
    split: int = 0
    decodes: int = 0
    wasted_decodes: int = 0
    """Decoded in a pause after which the speaker went on."""


class Listener:
    """Hears one source. Blocks while it decodes: call it off the event loop, and from one thread at a time."""

    def __init__(
        self, activity: VoiceActivity, recogniser: Recogniser, segmenter: Segmenter, now_ns: Callable[[], int]
    ) -> None:
        self.counts = Counts()
        self._activity = activity
        self._recogniser = recogniser
        self._segmenter = segmenter
        self._now_ns = now_ns
        self._kept: deque[tuple[np.ndarray, int]] = deque()
        self._kept_from = 0
        self._speculation: _Decoded | None = None
        activity.reset()

    def feed(self, frames: Sequence[np.ndarray], heard_ns: Sequence[int]) -> list[Noticed]:
        """Frames of float32 (512,), each with the monotonic time at which its last sample was there."""
        noticed: list[Noticed] = []
        for frame, heard in zip(frames, heard_ns, strict=True):
            self.counts.frames += 1
            self._kept.append((frame, heard))
            for boundary in self._segmenter.feed(self._activity.probability(frame)):
                noticed += self._at(boundary)
            self._forget()
        return noticed

    def finish(self) -> list[Noticed]:
        """The source has ended."""
        return [found for boundary in self._segmenter.finish() for found in self._at(boundary)]

    def _at(self, boundary: Boundary) -> list[Noticed]:
        match boundary:
            case Began(number, first):
                return [SpeechBegan(number, first * FRAME_S)]
            case Paused(segment):
                return self._pause(segment)
            case Ended(segment, split):
                self.counts.split += split
                decided_ns = self._now_ns()
                return self._end(segment, self._transcribe(segment), decided_ns)
            case Dropped(segment):
                self.counts.dropped += 1
                return [SpeechEnded(segment.number, self._end_s(segment))]

    def _pause(self, segment: Segment) -> list[Noticed]:
        self._drop_speculation()
        self._speculation = decoded = self._decode(segment)
        if not decoded.transcript.command:
            return []
        self.counts.commands += 1
        self._speculation = None
        self._segmenter.accept()
        return self._end(segment, decoded, decided_ns=decoded.start_ns)

    def _transcribe(self, segment: Segment) -> _Decoded:
        """The words found in the pause, if it is still the same segment; else those of the whole."""
        if self._speculation is not None and self._speculation.segment == segment:
            decoded, self._speculation = self._speculation, None
            return decoded
        self._drop_speculation()
        return self._decode(segment)

    def _decode(self, segment: Segment) -> _Decoded:
        self.counts.decodes += 1
        start_ns = self._now_ns()
        transcript = self._recogniser.transcribe(self._sound(segment))
        return _Decoded(segment, transcript, start_ns, (self._now_ns() - start_ns) / 1e9)

    def _drop_speculation(self) -> None:
        self.counts.wasted_decodes += self._speculation is not None
        self._speculation = None

    def _end(self, segment: Segment, decoded: _Decoded, decided_ns: int) -> list[Noticed]:
        self.counts.utterances += 1
        end_s = self._end_s(segment)
        understood = Understood(
            number=segment.number,
            transcript=decoded.transcript,
            begin_s=segment.first * FRAME_S,
            end_s=end_s,
            speech_end_ns=self._kept[segment.last_voiced - self._kept_from][1],
            decided_ns=decided_ns,
            decode_start_ns=decoded.start_ns,
            decode_s=decoded.seconds,
            loudness=loudness(self._sound(segment)),
        )
        return [SpeechEnded(segment.number, end_s), understood]

    def _sound(self, segment: Segment) -> np.ndarray:
        import numpy as np

        begin = segment.first - self._kept_from
        return np.concatenate([self._kept[at][0] for at in range(begin, segment.stop - self._kept_from)])

    def _end_s(self, segment: Segment) -> float:
        return (segment.last_voiced + 1) * FRAME_S

    def _forget(self) -> None:
        while self._kept_from < self._segmenter.needed_from:
            self._kept.popleft()
            self._kept_from += 1


def loudness(sound: np.ndarray) -> float:
    """Root mean square of samples (n,) within -1..1, in decibels; silence is -120."""
    import numpy as np

    return float(10 * np.log10(max(float(np.mean(np.square(sound, dtype=np.float64))), 1e-12)))
