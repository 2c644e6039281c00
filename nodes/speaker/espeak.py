"""espeak-ng as a process of its own, one for each sentence: its licence is GPL-3, and its crashes stay outside."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Sequence

from nodes.speaker.errors import SynthesiserMissing, SynthesisFailed
from nodes.speaker.slots import Readiness, Sound
from nodes.speaker.wav import HEADER

PROGRAM = "espeak-ng"
REMEDY = "apt-get install espeak-ng"
_BLOCK = 8192


class Espeak:
    """A voice of espeak-ng."""

    def __init__(self, voice: str, words_per_minute: int, patience_s: float, program: str = PROGRAM) -> None:
        """`patience_s`: how long it may be silent before it is ended."""
        self._voice = voice
        self._words_per_minute = words_per_minute
        self._patience_s = patience_s
        self._program = program

    def probe(self) -> Readiness:
        found = shutil.which(self._program)
        if found is None:
            return Readiness(False, f"{self._program} is not installed", REMEDY)
        return Readiness(True, f"{found}, voice {self._voice}")

    async def speak(self, sentence: str) -> AsyncGenerator[Sound]:
        process = await self._start()
        try:
            rate = await self._begin(process, sentence)
            odd = b""
            while block := await self._read(process, sentence):
                whole = odd + block
                end = len(whole) // 2 * 2
                odd = whole[end:]
                if end:
                    yield Sound(whole[:end], rate)
            await self._finish(process, sentence)
        finally:
            await _end(process)

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError as error:
            raise SynthesiserMissing(f"{self._program} is not installed", remedy=REMEDY) from error
        except OSError as error:
            raise SynthesisFailed(f"{self._program} does not start: {error.strerror}") from error

    def _command(self) -> Sequence[str]:
        return (self._program, "--stdin", "--stdout", "-b", "1", "-v", self._voice, "-s", str(self._words_per_minute))

    async def _begin(self, process: asyncio.subprocess.Process, sentence: str) -> int:
        """Give it the sentence, read the WAV header; the rate. Lengths in a header written to a pipe say nothing."""
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(ConnectionError):  # it ended early; why is in its status
            process.stdin.write(sentence.encode())
            await process.stdin.drain()
        process.stdin.close()
        try:
            async with asyncio.timeout(self._patience_s):
                fields = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
        except TimeoutError:
            raise self._too_slow(sentence) from None
        except asyncio.IncompleteReadError as nothing:
            await self._finish(process, sentence)
            raise SynthesisFailed(f"{self._program} made {len(nothing.partial)} bytes of {sentence[:60]!r}") from None
        return int(fields[7])

    async def _read(self, process: asyncio.subprocess.Process, sentence: str) -> bytes:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._patience_s):
                return await process.stdout.read(_BLOCK)
        except TimeoutError:
            raise self._too_slow(sentence) from None

    def _too_slow(self, sentence: str) -> SynthesisFailed:
        return SynthesisFailed(
            f"{self._program} made no sound for {self._patience_s:g} s of {sentence[:60]!r}",
            remedy="raise speaking.patience in configs/voice.yaml if the machine is that slow",
        )

    async def _finish(self, process: asyncio.subprocess.Process, sentence: str) -> None:
        """It has said all it will: SynthesisFailed with its own words unless it ended well."""
        try:
            async with asyncio.timeout(self._patience_s):
                complaint = await _last_words(process) or "it said nothing"
        except TimeoutError:
            raise self._too_slow(sentence) from None
        if process.returncode:
            raise SynthesisFailed(
                f"{self._program} ended with status {process.returncode} at {sentence[:60]!r}: {complaint}",
                remedy=f"{self._program} --voices lists the voices that speaking.voice in configs/voice.yaml may name",
            )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave no process behind, whatever it is doing."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await _last_words(process)


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """Wait for its end; what it said on stderr. A pipe left unread would keep the end from being seen."""
    _, complaint = await process.communicate()
    return complaint[:2000].decode(errors="replace").strip()
