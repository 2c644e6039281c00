import struct

import numpy as np
import pytest

from nodes.audio_sensor import wav
from nodes.audio_sensor.errors import BadRecording


def chunk(name: bytes, body: bytes, length: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if length is None else length) + body + b"\0" * (len(body) % 2)


def fmt(encoding: int, channels: int, rate: int, bits: int, more: bytes = b"") -> bytes:
    align = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", encoding, channels, rate, rate * align, align, bits) + more)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.fixture
def write(tmp_path):
    def write(data: bytes):
        path = tmp_path / "said.wav"
        path.write_bytes(data)
        return path

    return write


def read(path) -> np.ndarray:
    return np.concatenate(list(wav.blocks(path, wav.read_layout(path), seconds=0.001)))


WAVE = np.array([0.0, 0.5, -0.5, 0.25, -1.0])


@pytest.mark.parametrize(
    ("encoding", "bits", "data"),
    [
        (wav.PCM, 8, (WAVE * 128 + 128).astype("u1").tobytes()),
        (wav.PCM, 16, (WAVE * 2**15).astype("<i2").tobytes()),
        (wav.PCM, 24, b"".join(int(v * 2**23).to_bytes(3, "little", signed=True) for v in WAVE)),
        (wav.PCM, 32, (WAVE * 2**31).astype("<i4").tobytes()),
        (wav.FLOAT, 32, WAVE.astype("<f4").tobytes()),
        (wav.FLOAT, 64, WAVE.astype("<f8").tobytes()),
    ],
)
def test_every_encoding_becomes_the_same_floats(write, encoding, bits, data):
    path = write(riff(fmt(encoding, 1, 8000, bits), chunk(b"data", data)))
    assert read(path) == pytest.approx(WAVE)
    assert read(path).dtype == np.float32


def test_channels_are_averaged(write):
    left_right = np.array([[1000, 3000], [-200, 200]], "<i2")
    path = write(riff(fmt(wav.PCM, 2, 16000, 16), chunk(b"data", left_right.tobytes())))
    assert read(path) * 2**15 == pytest.approx([2000, 0])


def test_the_extensible_header_and_chunks_of_others_are_read(write):
    guid = struct.pack("<H", wav.PCM) + bytes.fromhex("000000001000800000aa00389b71")
    extensible = fmt(wav.EXTENSIBLE, 1, 16000, 16, struct.pack("<HHI", 22, 16, 4) + guid)
    path = write(riff(chunk(b"LIST", b"odd"), extensible, chunk(b"fact", b"1234"), chunk(b"data", b"\x00\x40")))
    assert read(path) == pytest.approx([0.5])


@pytest.mark.parametrize("length", [0x7FFFF000, 0xFFFFFFFF])
def test_a_length_that_a_pipe_could_not_know_ends_with_the_file(write, length):
    path = write(riff(fmt(wav.PCM, 1, 16000, 16), chunk(b"data", b"\x00\x40" * 3 + b"\x01", length)))
    layout = wav.read_layout(path)
    assert (layout.frames, layout.seconds) == (4, 4 / 16000), "the padding byte makes a sample of the odd one"
    assert len(read(path)) == 4


def test_floats_that_are_no_numbers_are_silence_and_loud_ones_are_clipped(write):
    samples = np.array([np.nan, np.inf, -7.0], "<f4")
    path = write(riff(fmt(wav.FLOAT, 1, 16000, 32), chunk(b"data", samples.tobytes())))
    assert read(path).tolist() == [0.0, 1.0, -1.0]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no WAV file"),
        (b"ID3 and some music", "no WAV file"),
        (riff(chunk(b"data", b"\0\0")), "before the description"),
        (riff(chunk(b"fmt ", b"\1\0")), "2 bytes; 16 are needed"),
        (riff(fmt(wav.PCM, 1, 16000, 16)), "no samples"),
        (riff(fmt(0x0055, 1, 16000, 0), chunk(b"data", b"")), "format 0x0055"),
        (riff(fmt(wav.PCM, 1, 16000, 12), chunk(b"data", b"")), "with 12 bits"),
        (riff(fmt(wav.PCM, 1, 7, 16), chunk(b"data", b"")), "7 frames a second"),
        (riff(fmt(wav.PCM, 0, 16000, 16), chunk(b"data", b"")), "0 channels"),
    ],
)
def test_what_is_wrong_is_named_with_the_file_and_the_remedy(write, data, why):
    path = write(data)
    with pytest.raises(BadRecording, match=why) as refused:
        wav.read_layout(path)
    assert refused.value.place == str(path)
    assert "ffmpeg" in refused.value.remedy


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadRecording, match="No such file") as refused:
        wav.read_layout(tmp_path / "nothing.wav")
    assert "nothing.wav" in str(refused.value)


def test_any_cut_of_a_file_is_read_or_refused(write):
    whole = riff(chunk(b"LIST", b"x" * 5), fmt(wav.PCM, 2, 16000, 24), chunk(b"data", bytes(range(60))))
    for length in range(len(whole)):
        path = write(whole[:length])
        try:
            layout = wav.read_layout(path)
        except BadRecording:
            continue
        assert sum(len(block) for block in wav.blocks(path, layout, 1)) == layout.frames
