"""One reply on its way into a WAV file: sentences go in as they are known, and become sound one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from nodes.speaker.errors import NothingToSay
from nodes.speaker.pronunciation import speakable
from nodes.speaker.script import Lines
from nodes.speaker.slots import Synthesiser
from nodes.speaker.wav import GrowingWav


@dataclass(frozen=True)
class SpokenReply:
    path: Path
    audio_s: float
    sentences: int
    start_ns: int
    """When the first sentence arrived here."""
    first_sound_ns: int
    end_ns: int


class Reply:
    """Feed it with `say`, tell it the end with `close`, and run `speak` beside."""

    def __init__(self, path: Path, synthesiser: Synthesiser, mono_ns: Callable[[], int]) -> None:
        self.path = path
        self._synthesiser = synthesiser
        self._mono_ns = mono_ns
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self._start_ns = 0
        self._first_sound_ns = 0
        self._sentences = 0
        self._generation = 0
        """Counts the beginnings: what is made for an earlier one is thrown away."""

    def say(self, lines: Lines) -> None:
        if lines.anew:
            self._begin_anew()
        for sentence in lines.sentences:
            self._start_ns = self._start_ns or self._mono_ns()
            self._waiting.put_nowait(sentence)

    def close(self) -> None:
        """Nothing more will come."""
        self._waiting.put_nowait(None)

    async def speak(self) -> SpokenReply:
        """Until closed and all is spoken. NothingToSay where no sentence came; any error leaves no file behind."""
        wav = await asyncio.to_thread(GrowingWav, self.path)
        try:
            generation = self._generation
            while (sentence := await self._waiting.get()) is not None:
                if generation != self._generation:
                    generation = self._generation
                    wav.begin_anew()
                await self._make(sentence, wav, generation)
            if not self._sentences or generation != self._generation:
                raise NothingToSay("no sentence with a word in it came", place=str(self.path))
            await asyncio.to_thread(wav.finish)
        finally:
            wav.discard()
        return SpokenReply(
            self.path, wav.seconds, self._sentences, self._start_ns, self._first_sound_ns, self._mono_ns()
        )

    async def _make(self, sentence: str, wav: GrowingWav, generation: int) -> None:
        async with aclosing(self._synthesiser.speak(speakable(sentence))) as sounds:
            async for sound in sounds:
                if generation != self._generation:
                    return
                self._first_sound_ns = self._first_sound_ns or self._mono_ns()
                wav.append(sound)
        self._sentences += generation == self._generation

    def _begin_anew(self) -> None:
        """What waits is dropped, what was made is forgotten before the next sentence is."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._generation += 1
        self._start_ns = self._first_sound_ns = self._sentences = 0
