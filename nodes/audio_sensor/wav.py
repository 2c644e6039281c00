"""Read WAV files block by block, however long: PCM of 8 to 32 bits and floats, any rate, any number of channels.

The standard library's `wave` knows neither floats nor the extensible header, and believes lengths that programs writing
into a pipe could not know. Here a length that exceeds the file ends at the file, and everything else that is wrong is a
BadRecording that names the file and what to do.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nodes.audio_sensor.errors import BadRecording

if TYPE_CHECKING:
    import numpy as np

PCM, FLOAT, EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
RATES = range(4_000, 384_001)
CHANNELS = range(1, 33)
_SAMPLE_TYPES = {
    (PCM, 8): "u1",
    (PCM, 16): "<i2",
    (PCM, 24): "u1",
    (PCM, 32): "<i4",
    (FLOAT, 32): "<f4",
    (FLOAT, 64): "<f8",
}


@dataclass(frozen=True)
class Layout:
    """Where the samples of a WAV file lie and how they are written. A frame is one sample of every channel."""

    encoding: int
    bits: int
    channels: int
    rate: int
    """Frames a second."""
    offset: int
    """Byte at which the samples begin."""
    frames: int

    @property
    def frame_bytes(self) -> int:
        return self.bits // 8 * self.channels

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


def read_layout(path: Path) -> Layout:
    """The layout of the file at `path`; BadRecording where there is none that can be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            return _walk(file, size, path)
    except OSError as error:
        raise BadRecording(
            f"cannot be read: {error.strerror}", place=str(path), remedy="name a WAV file that this user may read"
        ) from error


def blocks(path: Path, layout: Layout, seconds: float) -> Iterator[np.ndarray]:
    """The recording as mono float32 in -1..1, in blocks of at most `seconds`; channels are averaged."""
    wanted = max(1, round(seconds * layout.rate))
    left = layout.frames
    with path.open("rb") as file:
        file.seek(layout.offset)
        while left > 0:
            data = file.read(min(wanted, left) * layout.frame_bytes)
            whole = len(data) // layout.frame_bytes
            if not whole:
                return  # the file shrank since its header was read
            left -= whole
            yield mono(data[: whole * layout.frame_bytes], layout)


def mono(data: bytes, layout: Layout) -> np.ndarray:
    """Whole frames of bytes as float32 in -1..1, the channels averaged."""
    import numpy as np

    raw = np.frombuffer(data, _SAMPLE_TYPES[layout.encoding, layout.bits])
    samples: np.ndarray
    if layout.encoding == FLOAT:
        samples = np.nan_to_num(raw.astype(np.float32))
    elif layout.bits == 8:
        samples = (raw.astype(np.float32) - 128) / 128
    elif layout.bits == 24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        samples = wide.view("<i4")[:, 0].astype(np.float32) / 2**31
    else:
        samples = raw.astype(np.float32) / 2 ** (layout.bits - 1)
    mixed: np.ndarray = samples.reshape(-1, layout.channels).mean(axis=1, dtype=np.float32)
    return mixed.clip(-1, 1)


def _walk(file: BinaryIO, size: int, path: Path) -> Layout:
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise _refused(path, f"is no WAV file: it begins with {head[:12]!r}")
    described: tuple[int, int, int, int] | None = None
    while len(chunk := file.read(8)) == 8:
        name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        if name == b"fmt ":
            described = _describe(file.read(min(length, 64)), path)
            file.seek(max(0, length - 64) + length % 2, 1)
        elif name == b"data":
            if described is None:
                raise _refused(path, "has its samples before the description of their format")
            encoding, bits, channels, rate = described
            offset = file.tell()
            frames = min(length, size - offset) // (bits // 8 * channels)
            return Layout(encoding, bits, channels, rate, offset, frames)
        else:
            file.seek(length + length % 2, 1)
    raise _refused(path, "has a WAV header and no samples")


def _describe(chunk: bytes, path: Path) -> tuple[int, int, int, int]:
    """Encoding, bits, channels and rate from the body of a `fmt ` chunk, checked."""
    if len(chunk) < 16:
        raise _refused(path, f"describes its format in {len(chunk)} bytes; 16 are needed")
    encoding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if encoding == EXTENSIBLE and len(chunk) >= 26:
        encoding = struct.unpack("<H", chunk[24:26])[0]
    if (encoding, bits) not in _SAMPLE_TYPES:
        raise _refused(path, f"is encoded as format {encoding:#06x} with {bits} bits")
    if rate not in RATES:
        raise _refused(path, f"says it has {rate} frames a second; {RATES.start} to {RATES.stop - 1} can be heard")
    if channels not in CHANNELS:
        raise _refused(path, f"says it has {channels} channels; {CHANNELS.start} to {CHANNELS.stop - 1} can be heard")
    return encoding, bits, channels, rate


def _refused(path: Path, what: str) -> BadRecording:
    return BadRecording(what, place=str(path), remedy=f"ffmpeg -i {path.name} -ac 1 -ar 16000 -c:a pcm_s16le heard.wav")
