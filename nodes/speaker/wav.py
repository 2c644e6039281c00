"""A WAV file that grows while a reply is spoken, and appears under its name only when it is whole."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from nodes.speaker.errors import SpeakingError
from nodes.speaker.slots import Sound

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_LARGEST = 2**32 - 1 - HEADER.size


def header(rate: int, data_bytes: int) -> bytes:
    """The 44 bytes before 16-bit mono samples."""
    total = HEADER.size - 8 + data_bytes
    return HEADER.pack(b"RIFF", total, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", data_bytes)


class GrowingWav:
    """Written beside its place. `finish` puts it there, `discard` removes it."""

    def __init__(self, path: Path) -> None:
        """OSError where its directory cannot be written."""
        self.path = path
        self.rate = 0
        self._bytes = 0
        self._beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        self._file = self._beside.open("xb")

    @property
    def seconds(self) -> float:
        return self._bytes / 2 / self.rate if self.rate else 0.0

    def append(self, sound: Sound) -> None:
        """SpeakingError where a second voice has another rate, or the file would exceed what the format can say."""
        if not self.rate:
            self.rate = sound.rate
            self._file.write(header(sound.rate, 0))
        if sound.rate != self.rate:
            raise SpeakingError(f"has {self.rate} samples a second, this sound {sound.rate}", place=str(self.path))
        if self._bytes + len(sound.pcm) > _LARGEST:
            raise SpeakingError("would grow beyond the 4 GiB of a WAV file", place=str(self.path))
        self._file.write(sound.pcm)
        self._bytes += len(sound.pcm)

    def begin_anew(self) -> None:
        """Forget what was written; another voice may come now."""
        self._file.seek(0)
        self._file.truncate()
        self.rate = self._bytes = 0

    def finish(self) -> None:
        self._file.seek(0)
        self._file.write(header(self.rate, self._bytes))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._beside.replace(self.path)

    def discard(self) -> None:
        """Leave nothing behind; after `finish` it does nothing."""
        self._file.close()
        self._beside.unlink(missing_ok=True)
