import struct

import numpy as np
import pytest

from nodes.audio_sensor.sources import Recording


def write(path, rate, samples):
    data = (samples * 32767).astype("<i2").tobytes()
    header = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    path.write_bytes(
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + header
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )
    return path


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
def test_any_rate_becomes_frames_of_the_same_length_in_time(tmp_path, rate):
    recording = Recording(write(tmp_path / "a.wav", rate, np.full(rate * 5 // 2, 0.25)))
    frames = list(recording.frames())
    assert recording.seconds == 2.5
    assert {(frame.shape, frame.dtype) for frame in frames} == {((512,), np.dtype(np.float32))}
    assert len(frames) == -(-40000 // 512)
    middle = np.concatenate(frames)[200:39800]
    assert middle == pytest.approx(0.25, abs=1e-3)


def test_batches_hold_all_frames(tmp_path):
    recording = Recording(write(tmp_path / "a.wav", 16000, np.arange(5000) / 5000))
    batches = list(recording.batches(4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert np.array_equal(
        np.concatenate([frame for batch in batches for frame in batch]), np.concatenate(list(recording.frames()))
    )


def test_an_empty_recording_has_no_frames(tmp_path):
    recording = Recording(write(tmp_path / "a.wav", 22050, np.zeros(0)))
    assert (recording.seconds, list(recording.batches(4))) == (0, [])
