"""The decoders of one sensor, and the one thread they run in: hearing takes processor time, never the event loop's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nodes.audio_sensor import settings
from nodes.audio_sensor.errors import HearingError
from nodes.audio_sensor.listening import Counts, Listener, Noticed
from nodes.audio_sensor.slots import FRAME_S, Recogniser, VoiceActivity
from nodes.audio_sensor.sources import Recording
from nodes.audio_sensor.utterances import Segmenter
from runtime.clock import Clock

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

_FAST_BATCH = 16
"""Frames handed to the thread at once when nothing has to be waited for: half a second."""


class Pace(StrEnum):
    REAL = "real"
    """As a microphone would deliver it."""
    FAST = "fast"
    """As fast as it can be heard."""


Parts = Callable[[settings.Hearing, Path], tuple[VoiceActivity, Recogniser]]


def silero_and_sphinx(hearing: settings.Hearing, folder: Path) -> tuple[VoiceActivity, Recogniser]:
    """The parts that need nothing but packages. HearingError names what is missing; seconds when `folder` is empty."""
    from nodes.audio_sensor.sphinx import Sphinx
    from nodes.audio_sensor.vad import SileroVad

    recognition = hearing.recognition
    return SileroVad(), Sphinx(settings.vocabulary(recognition), folder, recognition.for_sphinx())


class Ear:
    """Hears one recording at a time."""

    def __init__(self, hearing: settings.Hearing, folder: Path, clock: Clock, parts: Parts = silero_and_sphinx) -> None:
        """`folder` keeps what the recogniser makes of its vocabulary."""
        self._hearing = hearing
        self._folder = folder
        self._clock = clock
        self._make_parts = parts
        self._parts: tuple[VoiceActivity, Recogniser] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ear")
        self._counts = Counts()
        self._heard_s = 0.0

    async def open(self) -> None:
        """Load what is not loaded yet; SageError with a remedy where that cannot be."""
        if self._parts is None:
            self._parts = await self._off_loop(lambda: self._make_parts(self._hearing, self._folder))

    @property
    def parts(self) -> list[str]:
        """What it hears with; empty until it is open."""
        return [part.probe().what for part in self._parts or ()]

    def close(self) -> None:
        """Let the thread end after what it is doing; nothing more is heard."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def recording(self, path: Path) -> Recording:
        """The recording at an absolute path; BadRecording where it cannot be read."""
        return await self._off_loop(lambda: Recording(path))

    async def hear(self, recording: Recording, pace: Pace) -> AsyncGenerator[Noticed]:
        """What is noticed in the recording, as it is noticed."""
        await self.open()
        # In the thread: a recording that was given up may still be in it, with the same detector.
        listener = await self._off_loop(self._listener)
        batches = recording.batches(1 if pace is Pace.REAL else _FAST_BATCH)
        origin_ns, count = self._clock.mono_ns(), 0
        try:
            while batch := await self._off_loop(lambda: next(batches, None)):
                count += len(batch)
                if pace is Pace.REAL:
                    heard_ns = origin_ns + round(count * FRAME_S * 1e9)
                    await asyncio.sleep((heard_ns - self._clock.mono_ns()) / 1e9)
                else:
                    heard_ns = self._clock.mono_ns()
                for noticed in await self._off_loop(_feeding(listener, batch, heard_ns)):
                    yield noticed
            for noticed in await self._off_loop(listener.finish):
                yield noticed
        finally:
            self._heard_s += count * FRAME_S
            self._settle(listener.counts)

    def stats(self) -> dict[str, float]:
        return {"loaded": float(self._parts is not None), "audio_s": self._heard_s, **asdict(self._counts)}

    def _listener(self) -> Listener:
        if self._parts is None:
            raise HearingError("the ear is not open")
        return Listener(*self._parts, Segmenter(self._hearing.endpoint.in_frames()), self._clock.mono_ns)

    def _settle(self, counts: Counts) -> None:
        for name, count in asdict(counts).items():
            setattr(self._counts, name, getattr(self._counts, name) + count)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _feeding(listener: Listener, batch: list[np.ndarray], heard_ns: int) -> Callable[[], list[Noticed]]:
    return lambda: listener.feed(batch, [heard_ns] * len(batch))
