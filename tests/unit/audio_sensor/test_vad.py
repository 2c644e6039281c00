import importlib.util
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from nodes.audio_sensor import vad
from nodes.audio_sensor.errors import PartMissing
from nodes.audio_sensor.utterances import Ended, Segmenter
from tests.unit.audio_sensor.voice import needs_vad, needs_voice, spoken, with_pauses

VOICES = ["en-us", "en-gb", "en-us+f3", "en-us+m3"]


@pytest.fixture(scope="module")
def silero():
    return vad.SileroVad()


def segments(silero, sound):
    silero.reset()
    segmenter = Segmenter()
    boundaries = [b for frame in sound.reshape(-1, 512) for b in segmenter.feed(silero.probability(frame))]
    return [one.segment for one in boundaries + segmenter.finish() if isinstance(one, Ended)]


def noise(colour: float, seconds: float, level: float) -> np.ndarray:
    """Noise whose power falls with frequency to the power of `colour`: 0 white, 1 pink, 2 brown."""
    count = round(seconds * 16000) // 512 * 512
    spectrum = np.fft.rfft(np.random.default_rng(5).normal(0, 1, count))
    frequencies = np.maximum(np.fft.rfftfreq(count, 1 / 16000), 20)
    shaped = np.fft.irfft(spectrum / frequencies ** (colour / 2), count)
    return (shaped / shaped.std() * level).astype(np.float32)


@needs_vad
@needs_voice
@pytest.mark.parametrize("voice", VOICES)
def test_every_utterance_is_found_where_it_is(silero, voice):
    said = [spoken(text, voice) for text in ("what time is it", "the key is in the kitchen", "turn on the lamp")]
    found = segments(silero, with_pauses(*said))
    assert len(found) == len(said)
    at = 16000
    for segment, sound in zip(found, said, strict=True):
        assert segment.first * 512 <= at + 4800
        assert segment.stop * 512 >= at + len(sound) - 16000
        at += len(sound) + 16000
    assert all(before.stop <= after.first for before, after in pairwise(found))


@needs_vad
@pytest.mark.parametrize("colour", [0, 1, 2], ids=["white", "pink", "brown"])
def test_noise_is_not_speech(silero, colour):
    assert segments(silero, noise(colour, 10, 0.05)) == []


@needs_vad
@needs_voice
def test_a_detector_that_was_reset_remembers_nothing(silero):
    sound = with_pauses(spoken("what time is it")).reshape(-1, 512)
    silero.reset()
    first = [silero.probability(frame) for frame in sound]
    silero.reset()
    assert [silero.probability(frame) for frame in sound] == first


@needs_vad
def test_a_frame_of_another_length_is_refused(silero):
    with pytest.raises(ValueError, match="512"):
        silero.probability(np.zeros(256, np.float32))


@needs_vad
def test_the_package_of_the_model_is_not_imported():
    program = """
import sys
from nodes.audio_sensor import vad
vad.SileroVad()
print(sorted({"silero_vad", "torch"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_model_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    readiness = vad.SileroVad.probe()
    assert (readiness.ready, readiness.remedy) == (False, "pip install --no-deps silero-vad")
    with pytest.raises(PartMissing, match="not installed") as refused:
        vad.SileroVad()
    assert refused.value.remedy == readiness.remedy
