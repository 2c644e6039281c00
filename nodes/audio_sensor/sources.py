"""Where sound comes from. A source yields frames at the ears' own rate, whatever the rate it was recorded at."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nodes.audio_sensor import wav
from nodes.audio_sensor.resampling import Framer, Resampler
from nodes.audio_sensor.slots import FRAME, RATE

if TYPE_CHECKING:
    import numpy as np

_BLOCK_S = 1.0


class Recording:
    """A WAV file, read a second at a time."""

    def __init__(self, path: Path) -> None:
        """BadRecording where the file cannot be read."""
        self.path = path
        self.layout = wav.read_layout(path)

    @property
    def seconds(self) -> float:
        return self.layout.seconds

    def frames(self) -> Iterator[np.ndarray]:
        """float32 (512,) at 16 kHz mono; the last one is filled up with silence."""
        resampler, framer = Resampler(self.layout.rate, RATE), Framer(FRAME)
        for block in wav.blocks(self.path, self.layout, _BLOCK_S):
            yield from framer.feed(resampler.feed(block))
        yield from framer.feed(resampler.flush())
        yield from framer.flush()

    def batches(self, size: int) -> Iterator[list[np.ndarray]]:
        """The frames in lists of at most `size`."""
        frames = self.frames()
        while batch := list(islice(frames, size)):
            yield batch
